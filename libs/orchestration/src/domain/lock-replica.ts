import type { Lock } from '@aifirst/contracts';
import { invariant } from '@aifirst/kernel';
import { LockTable, type HeldLock, type LockTableState, type WaitedFor } from './lock-table';

/**
 * What a shard wants of the locks that all shards share. `request`: as `LockTable.request`; `ask` numbers it among the
 * shard's. `hold`: the workflow holds these and wants nothing, whatever was asked for it before. `reset`: all that the
 * shard's workflows hold; asked by a shard's new writer before anything else.
 */
export type LockOperation =
  | { readonly op: 'request'; readonly workflow: string; readonly ask: number; readonly locks: readonly Lock[]; readonly late: boolean }
  | { readonly op: 'hold'; readonly workflow: string; readonly locks: readonly Lock[] }
  | { readonly op: 'reset'; readonly holds: readonly { readonly workflow: string; readonly locks: readonly Lock[] }[] };

/** Operations that count together. A shard's batches are numbered from 1 in each epoch, so that one which comes twice counts once. */
export interface LockBatch {
  readonly shard: number;
  readonly epoch: number;
  readonly batch: number;
  /** When it was asked for, ms since 1970. */
  readonly at: number;
  readonly operations: readonly LockOperation[];
}
/** A batch in the order that holds for all shards: `number` is gapless from 1. */
export interface LockEntry extends LockBatch { readonly number: number }

/** What became of a request. Who dies holds what it held, and waits no longer. */
export type LockOutcome = { readonly shard: number; readonly workflow: string; readonly ask: number; readonly locks: readonly Lock[] }
  & ({ readonly answer: 'granted' } | { readonly answer: 'die'; readonly holder: string });

/** A replica after entry `number`, as JSON. */
export interface LockState {
  readonly number: number;
  readonly shards: readonly (readonly [shard: number, epoch: number, batch: number])[];
  /** Of all that hold or wait; `ask` where it waits. */
  readonly owners: readonly (readonly [workflow: string, shard: number, ask: number | null])[];
  readonly table: LockTableState;
}

/**
 * The lock table of all shards, worked out by each of them from one order of operations: what it does depends on nothing
 * else, so all come to the same. Whoever changes what an operation does must give the new meaning a new name, as copies of
 * two releases may run side by side.
 */
export class LockReplica {
  #number = 0;
  #table = new LockTable();
  readonly #shards = new Map<number, { readonly epoch: number; readonly batch: number }>();
  readonly #owners = new Map<string, number>();
  readonly #asks = new Map<string, number>();

  static of({ number, shards, owners, table }: LockState): LockReplica {
    const replica = new LockReplica();
    replica.#number = number;
    replica.#table = LockTable.of(table);
    for (const [shard, epoch, batch] of shards) replica.#shards.set(shard, { epoch, batch });
    for (const [workflow, shard, ask] of owners) {
      replica.#owners.set(workflow, shard);
      if (ask !== null) replica.#asks.set(workflow, ask);
    }
    return replica;
  }

  state(): LockState {
    return {
      number: this.#number, shards: [...this.#shards].map(([shard, { epoch, batch }]) => [shard, epoch, batch]),
      owners: [...this.#owners].map(([workflow, shard]) => [workflow, shard, this.#asks.get(workflow) ?? null]), table: this.#table.state(),
    };
  }

  /** Of the last entry. */
  get number(): number { return this.#number; }
  /** Whether this shard has ever said what it holds. */
  knows(shard: number): boolean { return this.#shards.has(shard); }
  /** The number of the shard's last batch in this epoch. */
  batchOf(shard: number, epoch: number): number { const last = this.#shards.get(shard); return last?.epoch === epoch ? last.batch : 0; }
  /** Whether it holds or waits. */
  has(workflow: string): boolean { return this.#owners.has(workflow); }
  /** The number of its request that waits. */
  askOf(workflow: string): number | undefined { return this.#asks.get(workflow); }
  holdsAll(workflow: string, locks: readonly Lock[]): boolean { return this.#table.holdsAll(workflow, locks); }
  view(shard: number): readonly HeldLock[] { return this.#table.view(workflow => this.#owners.get(workflow) === shard); }
  waitOf(workflow: string): WaitedFor | null { return this.#table.waitOf(workflow); }

  /** @returns what becomes of requests by it, of this shard's and of others' */
  apply({ number, shard, epoch, batch, at, operations }: LockEntry): readonly LockOutcome[] {
    invariant(number === this.#number + 1, `entry ${number} of the shared locks follows ${this.#number}`);
    this.#number = number;
    this.#shards.set(shard, { epoch, batch });
    const outcomes: LockOutcome[] = [];
    for (const operation of operations) {
      switch (operation.op) {
        case 'request': this.#request(operation, shard, at, outcomes); break;
        case 'hold': this.#hold(operation.workflow, operation.locks, shard, at); break;
        case 'reset': this.#reset(operation.holds, shard, at); break;
        default: invariant(false, `entry ${number} of the shared locks has an operation that this release does not know`);
      }
    }
    for (;;) {
      const granted = this.#table.grantWaiting(at);
      const yielding = this.#table.yielding();
      if (granted.length === 0 && yielding.length === 0) return outcomes;
      for (const { workflow, locks } of granted) outcomes.push({ ...this.#answered(workflow), locks, answer: 'granted' });
      for (const { workflow, locks, holder } of yielding) outcomes.push({ ...this.#answered(workflow), locks, answer: 'die', holder });
    }
  }

  #request({ workflow, ask, locks, late }: LockOperation & { op: 'request' }, shard: number, at: number, outcomes: LockOutcome[]): void {
    this.#owners.set(workflow, shard);
    this.#asks.set(workflow, ask);
    const found = this.#table.request(workflow, locks, late, at);
    if (found.answer !== 'waiting') outcomes.push({ ...this.#answered(workflow), locks, ...found });
  }

  #hold(workflow: string, locks: readonly Lock[], shard: number, at: number): void {
    this.#table.hold(workflow, locks, at);
    this.#asks.delete(workflow);
    if (locks.length > 0) this.#owners.set(workflow, shard); else this.#owners.delete(workflow);
  }

  #reset(holds: readonly { readonly workflow: string; readonly locks: readonly Lock[] }[], shard: number, at: number): void {
    const kept = new Set(holds.map(({ workflow }) => workflow));
    for (const [workflow, owner] of [...this.#owners]) if (owner === shard && !kept.has(workflow)) this.#hold(workflow, [], shard, at);
    for (const { workflow, locks } of holds) this.#hold(workflow, locks, shard, at);
  }

  #answered(workflow: string): { readonly shard: number; readonly workflow: string; readonly ask: number } {
    const answered = { shard: this.#owners.get(workflow)!, workflow, ask: this.#asks.get(workflow)! };
    this.#asks.delete(workflow);
    return answered;
  }
}
