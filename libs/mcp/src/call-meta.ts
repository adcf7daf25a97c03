import type { Json, JsonObject } from '@aifirst/kernel';

export const META = 'io.aifirst/';
/** Fits within the time after which most clients give a call up. */
const WAIT_MS_DEFAULT = 50_000;
const WAIT_MS_MAX = 300_000;

/** What a call's `_meta` asks of us. */
export interface CallMeta {
  readonly idempotencyKey?: string;
  /** How long the answer may wait for the workflow. */
  readonly waitMs: number;
  /** Of the step; admission checks it. */
  readonly timeoutMs?: Json;
  readonly transaction: boolean;
}
export class MetaInvalid extends Error { constructor(readonly key: string, readonly detail: string) { super(detail); } }

/** @throws MetaInvalid */
export function callMetaOf(meta: JsonObject): CallMeta {
  const { idempotencyKey, waitMs, timeoutMs, transaction } = Object.fromEntries(Object.entries(meta).filter(([key]) => key.startsWith(META)).map(([key, value]) => [key.slice(META.length), value]));
  if (idempotencyKey !== undefined && (typeof idempotencyKey !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(idempotencyKey))) throw new MetaInvalid(`${META}idempotencyKey`, 'is 1 to 255 printable ASCII characters');
  if (waitMs !== undefined && (typeof waitMs !== 'number' || !Number.isInteger(waitMs) || waitMs < 0 || waitMs > WAIT_MS_MAX)) throw new MetaInvalid(`${META}waitMs`, `is a whole number from 0 to ${WAIT_MS_MAX}`);
  return { waitMs: typeof waitMs === 'number' ? waitMs : WAIT_MS_DEFAULT, transaction: transaction !== undefined, ...(typeof idempotencyKey === 'string' ? { idempotencyKey } : {}), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}
