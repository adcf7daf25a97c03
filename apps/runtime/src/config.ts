import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { ADAPTER_HOSTS, type ServiceName } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';

export { ensureAdminToken, ensureSecretFile } from './secret-files';

/** A bad value in the environment. The message is one line that names the variable, its value unless that is a secret, and what is allowed. */
export class ConfigInvalid extends OperationalError {
  constructor(readonly variable: string, message: string) { super('CONFIG_INVALID', message); }
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What every process takes from its environment. */
export interface CommonConfig {
  /** 0: any free port. */
  readonly port: number;
  readonly host: string;
  /** Absolute. */
  readonly dataDir: string;
  /** Services with a database of their own. */
  readonly serviceDatabaseUrls: Readonly<Partial<Record<ServiceName, string>>>;
  /** Absent: the one in `DATA_DIR/admin.token` (`ensureAdminToken`). */
  readonly adminToken?: string;
  readonly masterKeyFile: string;
  readonly auditKeyFile: string;
  readonly serviceKeyFile: string;
  readonly adapterLabels: Readonly<Record<string, string>>;
  readonly undoWindowDays: number;
  readonly idempotencyDays: number;
  readonly historyDays: number;
  /** The `aud` of signatures and the origin of checkpoints. */
  readonly deployment: string;
  readonly otlpEndpoint?: string;
  /** Pages of these origins may speak MCP, besides those of this machine. */
  readonly mcpOrigins: readonly string[];
  readonly logLevel: LogLevel;
}

/** Of everything in one process. */
export interface RuntimeConfig extends CommonConfig {
  /** Absent: the embedded PostgreSQL. Hold secrets: never into a log. */
  readonly databaseUrl?: string;
  /** Whether the first start makes the connection `workspace` and the agent `demo`. */
  readonly demo: boolean;
}

/** How Kafka is reached. Hold secrets: never into a log. */
export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly sasl?: { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string };
  /** Paths of PEM files; present: TLS is spoken. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  /** Of every topic of ours that is made. */
  readonly partitions: number;
  /** Before every topic's name, where deployments share a broker. */
  readonly topicPrefix: string;
}
const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = (typeof SASL_MECHANISMS)[number];

/** Of one service in a process of its own. */
export interface ServiceConfig extends CommonConfig {
  readonly service: ServiceName;
  readonly databaseUrl: string;
  readonly kafka: KafkaConfig;
  /** Where each service is asked; several copies, several addresses. */
  readonly urls: Readonly<Record<ServiceName, readonly string[]>>;
  /** How far an intent's time may be from that of its arrival on the topic. */
  readonly intentFreshnessSeconds: number;
  /** Among how many the work of orchestrator and adapters is shared: the same everywhere, and for ever. */
  readonly shards: number;
  /** Where this process is reached by others. */
  readonly advertisedUrl?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export const SERVICES: readonly ServiceName[] = ['gateway', 'orchestrator', 'policy', 'audit', 'adapter-os', 'adapter-http', 'adapter-sql', 'adapter-cloud'];
export const variableOf = (service: ServiceName, suffix: string): string => `${service.toUpperCase().replaceAll('-', '_')}_${suffix}`;

const PORT = 7_400;
export const PORT_MAX = 65_535;
/** Each is a log, a relay and a consumer. */
const SHARDS_MAX = 64;
/** A hundred years: whoever means for ever. */
const DAYS_MAX = 36_500;
/** A header's worth. */
const ADMIN_TOKEN_LENGTH_MAX = 512;
const ADMIN_TOKEN_LENGTH_MIN = 8;

interface Refused { readonly variables: RegExp; readonly instead: string }

/** What nothing has a use for yet. */
const NOT_BUILT: readonly Refused[] = [{ variables: /^OIDC_(ISSUER|AUDIENCE)$/, instead: 'signing in by OpenID Connect is not built yet; people use tokens' }];

/** What one process with everything in it has no use for. Refused, because a setting that does nothing misleads. */
const NOT_HERE: readonly Refused[] = [
  { variables: /^(SHARDS|KAFKA_(BROKERS|SASL_(MECHANISM|USERNAME|PASSWORD)|TLS_(CA|CERT|KEY)))$/, instead: 'Kafka comes with start:distributed; this start uses its embedded log' },
  { variables: new RegExp(`^(${SERVICES.map(service => variableOf(service, 'URLS')).join('|')})$`), instead: 'addresses of services come with start:distributed; here all of them are in one process' },
];

/**
 * Reads and checks everything that the runtime takes from its environment. An empty variable counts as absent.
 * @param workingDirectory what relative paths are relative to
 * @throws ConfigInvalid for the first thing that is wrong
 */
export function readConfig(env: Environment, workingDirectory: string = process.cwd()): RuntimeConfig {
  refuse(env, NOT_HERE);
  refuse(env, NOT_BUILT);
  const databaseUrl = postgresUrl(env, 'DATABASE_URL');
  return { ...commonConfig(env, workingDirectory, PORT), ...(databaseUrl === undefined ? {} : { databaseUrl }), demo: flag(env, 'DEMO', true) };
}

/**
 * The same for one service in a process of its own.
 * @throws ConfigInvalid for the first thing that is wrong
 */
export function readServiceConfig(env: Environment, service: ServiceName, workingDirectory: string = process.cwd()): ServiceConfig {
  refuse(env, NOT_BUILT);
  const brokers = list(env, 'KAFKA_BROKERS');
  if (brokers.length === 0) throw new ConfigInvalid('KAFKA_BROKERS', 'KAFKA_BROKERS is not set: services of their own talk by Kafka; name its brokers, such as 127.0.0.1:9092 (`npm run kafka` starts one), or start everything in one process with `npm start`');
  for (const broker of brokers) if (!/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(broker)) bad('KAFKA_BROKERS', broker, 'a list of host:port');
  const databaseUrl = postgresUrl(env, 'DATABASE_URL') ?? postgresUrl(env, variableOf(service, 'DATABASE_URL'));
  if (databaseUrl === undefined) throw new ConfigInvalid('DATABASE_URL', `DATABASE_URL is not set, nor is ${variableOf(service, 'DATABASE_URL')}: services of their own need a PostgreSQL server (15 or newer), such as postgres://user:password@host:5432/database`);
  const advertisedUrl = httpUrl(env, 'ADVERTISED_URL');
  const partitions = integer(env, 'KAFKA_PARTITIONS', 4, 1, 1_000);
  const shards = integer(env, 'SHARDS', 1, 1, SHARDS_MAX);
  if (partitions % shards !== 0) bad('SHARDS', `${shards}`, `a number that divides KAFKA_PARTITIONS (${partitions}), because each shard takes as many partitions`);
  return {
    ...commonConfig(env, workingDirectory, portOf(service)), service, databaseUrl, shards,
    kafka: { brokers, ...kafkaSecurity(env, workingDirectory), partitions, topicPrefix: topicPrefix(env, 'KAFKA_TOPIC_PREFIX') },
    intentFreshnessSeconds: integer(env, 'INTENT_FRESHNESS_SECONDS', 300, 1, 86_400),
    urls: Object.fromEntries(SERVICES.map(name => [name, urlsOf(env, name)])) as Record<ServiceName, readonly string[]>,
    ...(advertisedUrl === undefined ? {} : { advertisedUrl }),
  };
}

/** Services whose work copies share; of the others one copy works. */
const SHARED: readonly ServiceName[] = ['orchestrator', ...ADAPTER_HOSTS];
export const shardsOf = ({ shards }: Pick<ServiceConfig, 'shards'>, service: ServiceName): number => (SHARED.includes(service) ? shards : 1);

/** Where a service listens unless told otherwise. */
export const portOf = (service: ServiceName): number => PORT + SERVICES.indexOf(service);

function kafkaSecurity(env: Environment, workingDirectory: string): Pick<KafkaConfig, 'sasl' | 'tls'> {
  const [username, password] = [given(env, 'KAFKA_SASL_USERNAME'), given(env, 'KAFKA_SASL_PASSWORD')];
  const mechanism = given(env, 'KAFKA_SASL_MECHANISM')?.toLowerCase();
  const known = SASL_MECHANISMS.find(one => one === mechanism);
  if (mechanism !== undefined && known === undefined) bad('KAFKA_SASL_MECHANISM', mechanism, `one of ${SASL_MECHANISMS.join(', ')}`);
  if ([mechanism, username, password].some(value => value !== undefined) && (username === undefined || password === undefined || known === undefined)) throw new ConfigInvalid('KAFKA_SASL_MECHANISM', 'of KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD some are set and some not: set all or none');
  const file = (variable: string): string | undefined => { const value = given(env, variable); return value === undefined ? undefined : resolve(workingDirectory, value); };
  const [caFile, certFile, keyFile] = [file('KAFKA_TLS_CA'), file('KAFKA_TLS_CERT'), file('KAFKA_TLS_KEY')];
  if ((certFile === undefined) !== (keyFile === undefined)) throw new ConfigInvalid('KAFKA_TLS_CERT', 'one of KAFKA_TLS_CERT and KAFKA_TLS_KEY is set and the other is not: set both or none');
  return {
    ...(known === undefined || username === undefined || password === undefined ? {} : { sasl: { mechanism: known, username, password } }),
    ...([caFile, certFile].every(path => path === undefined) ? {} : { tls: { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) } }),
  };
}

function topicPrefix(env: Environment, variable: string): string {
  const value = given(env, variable) ?? '';
  return /^[A-Za-z0-9._-]{0,100}$/.test(value) ? value : bad(variable, value, 'letters, digits, dots, hyphens and underscores, at most 100');
}

function list(env: Environment, variable: string): readonly string[] {
  return (given(env, variable)?.split(',') ?? []).map(item => item.trim()).filter(item => item !== '');
}

function urlsOf(env: Environment, service: ServiceName): readonly string[] {
  const variable = variableOf(service, 'URLS');
  const urls = list(env, variable);
  for (const url of urls) if (!/^https?:\/\//.test(url) || !URL.canParse(url)) bad(variable, url, 'a list of addresses that begin with http:// or https://');
  return urls.length === 0 ? [`http://127.0.0.1:${portOf(service)}`] : urls.map(url => url.replace(/\/+$/, ''));
}

function originsOf(env: Environment, variable: string): readonly string[] {
  const origins = list(env, variable);
  for (const origin of origins) if (!/^https?:\/\//.test(origin) || !URL.canParse(origin) || new URL(origin).origin !== origin) bad(variable, origin, 'a list of origins such as https://console.example.com, without path');
  return origins;
}

function commonConfig(env: Environment, workingDirectory: string, port: number): CommonConfig {
  const dataDir = resolve(workingDirectory, given(env, 'DATA_DIR') ?? '.aifirst');
  const path = (variable: string, fallback: string) => resolve(workingDirectory, given(env, variable) ?? resolve(dataDir, fallback));
  const adminToken = token(env, 'ADMIN_TOKEN');
  const otlpEndpoint = httpUrl(env, 'OTEL_EXPORTER_OTLP_ENDPOINT');
  return {
    port: integer(env, 'PORT', port, 0, PORT_MAX),
    host: host(env, 'HOST', '127.0.0.1'),
    dataDir,
    serviceDatabaseUrls: serviceDatabaseUrls(env),
    ...(adminToken === undefined ? {} : { adminToken }),
    masterKeyFile: path('MASTER_KEY_FILE', 'master.key'),
    auditKeyFile: path('AUDIT_KEY_FILE', 'audit.key'),
    serviceKeyFile: path('SERVICE_KEY_FILE', 'service.key'),
    adapterLabels: labels(env, 'ADAPTER_LABELS'),
    undoWindowDays: integer(env, 'UNDO_WINDOW_DAYS', 30, 1, DAYS_MAX),
    idempotencyDays: integer(env, 'IDEMPOTENCY_DAYS', 30, 1, DAYS_MAX),
    historyDays: integer(env, 'HISTORY_DAYS', 90, 1, DAYS_MAX),
    deployment: deployment(env, 'DEPLOYMENT', 'aifirst'),
    mcpOrigins: originsOf(env, 'MCP_ORIGINS'),
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
    logLevel: level(env, 'LOG_LEVEL', 'info'),
  };
}

function given(env: Environment, variable: string): string | undefined {
  const value = env[variable]?.trim();
  return value === '' ? undefined : value;
}

/** Whatever it holds, the message stays one line. */
const shown = (value: string): string => JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);

function bad(variable: string, value: string, allowed: string): never {
  throw new ConfigInvalid(variable, `${variable} is ${shown(value)}: it must be ${allowed}`);
}

function badSecret(variable: string, allowed: string): never {
  throw new ConfigInvalid(variable, `${variable} (its value is not shown) must be ${allowed}`);
}

function refuse(env: Environment, what: readonly Refused[]): void {
  for (const variable of Object.keys(env).sort()) {
    if (given(env, variable) === undefined) continue;
    const refused = what.find(({ variables }) => variables.test(variable));
    if (refused !== undefined) throw new ConfigInvalid(variable, `${variable} is set, but ${refused.instead}: unset it`);
  }
  if (flag(env, 'ALLOW_STDIO_MCP', false)) throw new ConfigInvalid('ALLOW_STDIO_MCP', 'ALLOW_STDIO_MCP is set, but MCP connections are not built yet: unset it');
}

function integer(env: Environment, variable: string, fallback: number, min: number, max: number): number {
  const value = given(env, variable);
  if (value === undefined) return fallback;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  return number >= min && number <= max ? number : bad(variable, value, `a whole number from ${min} to ${max}`);
}

function flag(env: Environment, variable: string, fallback: boolean): boolean {
  const value = given(env, variable);
  if (value === undefined) return fallback;
  return value === '1' || (value === '0' ? false : bad(variable, value, '0 or 1'));
}

function level(env: Environment, variable: string, fallback: LogLevel): LogLevel {
  const value = given(env, variable) ?? fallback;
  return LOG_LEVELS.find(known => known === value) ?? bad(variable, value, `one of ${LOG_LEVELS.join(', ')}`);
}

function host(env: Environment, variable: string, fallback: string): string {
  const value = given(env, variable) ?? fallback;
  const isName = value.length <= 253 && value.split('.').every(label => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));
  // Why: a name can't end in a number, so 127.0.0.256 is a mistyped address.
  return isIP(value) !== 0 || (isName && !/(^|\.)\d+$/.test(value)) ? value : bad(variable, value, 'an IP address or a host name to listen on, without port');
}

function deployment(env: Environment, variable: string, fallback: string): string {
  const value = given(env, variable) ?? fallback;
  // Why: it goes into checkpoint origins and key names, where a blank or a plus has a meaning of its own.
  return /^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/.test(value) ? value : bad(variable, value, 'letters, digits, dots, hyphens, underscores and slashes, beginning with a letter or digit, at most 100');
}

function token(env: Environment, variable: string): string | undefined {
  const value = given(env, variable);
  if (value === undefined) return undefined;
  const fits = value.length >= ADMIN_TOKEN_LENGTH_MIN && value.length <= ADMIN_TOKEN_LENGTH_MAX && /^[A-Za-z0-9._~+/-]+=*$/.test(value);
  return fits ? value : badSecret(variable, `${ADMIN_TOKEN_LENGTH_MIN} to ${ADMIN_TOKEN_LENGTH_MAX} characters that a bearer token may have (letters, digits and . _ ~ + / - =)`);
}

function postgresUrl(env: Environment, variable: string): string | undefined {
  const value = given(env, variable);
  if (value === undefined) return undefined;
  // Why in place of nothing: without a host it is a socket's folder, named by `?host=`.
  if (!/^postgres(ql)?:\/\//.test(value) || !URL.canParse(value.replace('@/', '@socket/'))) badSecret(variable, 'a PostgreSQL address such as postgres://user:password@host:5432/database');
  return value;
}

function serviceDatabaseUrls(env: Environment): Partial<Record<ServiceName, string>> {
  const urls: Partial<Record<ServiceName, string>> = {};
  for (const service of SERVICES) {
    const url = postgresUrl(env, variableOf(service, 'DATABASE_URL'));
    if (url !== undefined) urls[service] = url;
  }
  return urls;
}

function httpUrl(env: Environment, variable: string): string | undefined {
  const value = given(env, variable);
  if (value === undefined) return undefined;
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) badSecret(variable, 'an address that begins with http:// or https://');
  return value;
}

const LABEL = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,62})=([A-Za-z0-9._/:@-]{0,63})$/;

function labels(env: Environment, variable: string): Record<string, string> {
  const value = given(env, variable);
  const pairs = (value?.split(',') ?? []).map(pair => {
    const [, name, content] = LABEL.exec(pair.trim()) ?? [];
    return name === undefined || content === undefined ? bad(variable, value ?? '', 'a list such as zone=north,disk=fast') : [name, content] as const;
  });
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) bad(variable, value ?? '', 'a list with every name once');
  return Object.fromEntries(pairs);
}
