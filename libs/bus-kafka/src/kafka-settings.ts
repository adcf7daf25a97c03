/** How a service reaches the brokers. TLS texts are PEM. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly sasl?: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string };
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** What the client library has to say, without payloads and secrets. */
export interface KafkaLogEntry { readonly level: 'error' | 'warn'; readonly message: string; readonly fields: Readonly<Record<string, string | number>> }

/** A whole batch to every replica in time, or it counts as failed. */
export const REQUEST_TIMEOUT_MS = 15_000;
export const CONNECT_TIMEOUT_MS = 5_000;
/** Values beyond it are sent to nobody. Twice what an intent may have. */
export const VALUE_BYTES_MAX = 2 * 1024 * 1024;
/** `max.message.bytes` of every topic: the largest value with key, headers and the batch around it. */
export const TOPIC_MESSAGE_BYTES_MAX = VALUE_BYTES_MAX + 256 * 1024;
