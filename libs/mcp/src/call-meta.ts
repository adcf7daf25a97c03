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
  /** The workflow's id, or a task's token; null: none is named. */
  readonly transaction: string | null;
}
export class MetaInvalid extends Error { constructor(readonly key: string, readonly detail: string) { super(detail); } }

/** @throws MetaInvalid */
export function callMetaOf(meta: JsonObject): CallMeta {
  const { idempotencyKey, waitMs, timeoutMs, transaction } = Object.fromEntries(Object.entries(meta).filter(([key]) => key.startsWith(META)).map(([key, value]) => [key.slice(META.length), value]));
  if (idempotencyKey !== undefined && (typeof idempotencyKey !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(idempotencyKey))) throw new MetaInvalid(`${META}idempotencyKey`, 'is 1 to 255 printable ASCII characters');
  if (waitMs !== undefined && (typeof waitMs !== 'number' || !Number.isInteger(waitMs) || waitMs < 0 || waitMs > WAIT_MS_MAX)) throw new MetaInvalid(`${META}waitMs`, `is a whole number from 0 to ${WAIT_MS_MAX}`);
  const named = transactionOf(transaction);
  if (named === undefined) throw new MetaInvalid(`${META}transaction`, NAMES_A_TRANSACTION);
  return {
    waitMs: typeof waitMs === 'number' ? waitMs : WAIT_MS_DEFAULT, transaction: named,
    ...(typeof idempotencyKey === 'string' ? { idempotencyKey } : {}), ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

export const NAMES_A_TRANSACTION = 'is the `transaction` that begin_transaction has answered with, or the token of a task';
const NAME_CHARS_MAX = 1_024;

/** Why null too: some clients send what is optional so. @returns undefined where it is nothing that could name one */
export function transactionOf(value: Json | undefined): string | null | undefined {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' && value !== '' && value.length <= NAME_CHARS_MAX ? value : undefined;
}

/** What an agent was given with a task: what it does under it belongs to the transaction of whoever gave the task. */
export const isTaskToken = (transaction: string): boolean => transaction.startsWith('task_');
