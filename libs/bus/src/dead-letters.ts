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
  list(filter: { readonly tenant: string | null; readonly group?: string; readonly status?: string; readonly limit: number; readonly after?: string }): Promise<readonly DeadLetter[]>;
  get(id: string): Promise<{ readonly letter: DeadLetter; readonly delivery: Delivery } | null>;
  /** The parked letters of a key in order, for replay. */
  ofKey(group: string, key: string): Promise<readonly { readonly letter: DeadLetter; readonly delivery: Delivery }[]>;
  settle(id: string, status: 'replayed' | 'discarded'): Promise<void>;
}
