import type { Delivery } from './message-bus';

export interface DeadLetter {
  readonly id: string;
  readonly group: string;
  readonly tenant: string;
  readonly source: string;
  readonly position: number;
  readonly topic: string;
  readonly key: string;
  readonly messageId: string;
  readonly type: string;
  /** Why it was parked: the error's code and message for the first of a key; `BEHIND_PARKED` for its successors. */
  readonly code: string;
  readonly detail: string;
  readonly parkedAt: string;
  readonly status: 'parked' | 'replayed' | 'discarded';
}

/** Where a consumer keeps what it could not handle. Durable: parked before the position moves past it. */
export interface DeadLetters {
  /** Idempotent per (group, source, position, message id). */
  park(group: string, letters: readonly { readonly delivery: Delivery; readonly code: string; readonly detail: string }[]): Promise<void>;
  /** Keys of the group that have parked letters. */
  parkedKeys(group: string): Promise<readonly string[]>;
  /** In the order they were parked; `after` is the last id of the page before. `tenant: null` = of all tenants. */
  list(filter: { readonly tenant: string | null; readonly group?: string; readonly status?: string; readonly limit: number; readonly after?: string }): Promise<readonly DeadLetter[]>;
  get(id: string): Promise<{ readonly letter: DeadLetter; readonly delivery: Delivery } | null>;
  /** The parked letters of a key in order, for replay. */
  ofKey(group: string, key: string): Promise<readonly { readonly letter: DeadLetter; readonly delivery: Delivery }[]>;
  /** @throws Refusal NOT_FOUND, WRONG_STATE { status } when it is no longer parked */
  settle(id: string, status: 'replayed' | 'discarded'): Promise<void>;
  /** Removes letters settled before the given time (RFC 3339) and says how many. Parked ones stay. */
  forget(settledBefore: string): Promise<number>;
}
