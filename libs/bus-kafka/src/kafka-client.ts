import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Kafka, logLevel, type ISocketFactory, type LogEntry } from 'kafkajs';
import { CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS, type KafkaLogEntry, type KafkaSettings } from './kafka-settings';

// Why: without it kafkajs prints a warning about its default partitioner; every record of ours names its partition.
process.env['KAFKAJS_NO_PARTITIONER_WARNING'] ??= '1';

const KEEP_ALIVE_MS = 60_000;
/** Seed brokers that are tried before somebody is told. What is behind it tries again in its own way. */
const CONNECT_RETRIES = { retries: 3, initialRetryTime: 50, maxRetryTime: 500, factor: 0.2, multiplier: 2 } as const;
/** The only fields of kafkajs' log entries that can hold neither a payload nor a secret. */
const FIELDS = ['broker', 'groupId', 'topic', 'partition', 'error', 'retryCount', 'retryTime'] as const;

export interface KafkaClient {
  readonly kafka: Kafka;
  /** Ends every connection at once. @param abruptly what a broker has not read yet it never will */
  destroy(abruptly?: boolean): void;
}

/** @param onLog told warnings and errors only */
export function kafkaClient(settings: KafkaSettings, onLog: (entry: KafkaLogEntry) => void = () => undefined): KafkaClient {
  const sockets = new Set<Socket>();
  let destroyed = false;
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    const socket: Socket = ssl ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect) : connectTcp({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => { sockets.delete(socket); });
    // Why: kafkajs may still try to connect for something that has been given up.
    if (destroyed) setImmediate(() => { socket.destroy(); });
    return socket;
  };
  const { brokers, clientId, sasl, tls } = settings;
  const kafka = new Kafka({
    brokers: [...brokers], clientId, socketFactory, connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, retry: CONNECT_RETRIES,
    ...(sasl === undefined ? {} : { sasl: sasl as { mechanism: 'plain'; username: string; password: string } }),
    ...(tls === undefined ? {} : { ssl: { ...(tls.ca === undefined ? {} : { ca: tls.ca }), ...(tls.cert === undefined ? {} : { cert: tls.cert }), ...(tls.key === undefined ? {} : { key: tls.key }) } }),
    logLevel: logLevel.WARN, logCreator: () => entry => { onLog(readable(entry)); },
  });
  return {
    kafka,
    destroy(abruptly = false) {
      destroyed = true;
      for (const socket of sockets) {
        // Why not always: a connection that is ending can't be reset any more, and stays if it is tried.
        if (abruptly && !('encrypted' in socket) && !socket.connecting && !socket.destroyed && !socket.writableEnded && !socket.readableEnded) socket.resetAndDestroy();
        else socket.destroy();
      }
    },
  };
}

function readable({ namespace, level, log }: LogEntry): KafkaLogEntry {
  const fields: Record<string, string | number> = {};
  for (const name of FIELDS) {
    const value: unknown = log[name];
    if (typeof value === 'string' || typeof value === 'number') fields[name] = value;
  }
  return { level: level <= logLevel.ERROR ? 'error' : 'warn', message: namespace === '' ? log.message : `${namespace}: ${log.message}`, fields };
}

/** Waits for `work`, but not longer. @returns whether it was done in time; its failure counts as done */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>(resolve => { timer = setTimeout(() => { resolve(false); }, ms); });
  try {
    return await Promise.race([work.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
