import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type Logger = PinoLogger;

/** Names under which no value is ever written, at whatever depth up to three. */
const SECRETS = ['authorization', 'token', 'secret', 'password', 'apiKey', 'cookie', 'content', 'input', 'output', 'params', 'rows', 'state'];

/**
 * One JSON object a line: `time` (ISO 8601), `level`, `service`, `msg` and ids (`workflow`, `step`, `traceparent`, `code`).
 * Values are logged by id and code; what stands under a secret's name is replaced.
 */
export function makeLogger(options: { readonly level: LogLevel; readonly service: string; readonly destination?: DestinationStream }): Logger {
  return pino({
    level: options.level, base: { service: options.service }, timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    redact: { paths: SECRETS.flatMap(name => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    serializers: { err: error => (error instanceof Error ? { type: error.name, message: error.message, code: (error as { code?: string }).code, stack: error.stack } : String(error)) },
  }, options.destination ?? pino.destination({ fd: 2, sync: false }));
}
