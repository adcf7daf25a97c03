import type { Lock, LockMode } from '@aifirst/contracts';
import { merged, stronger } from './conflicts';
import { areOne } from './lockers';

const MODES: readonly LockMode[] = ['intentRead', 'intentWrite', 'read', 'write'];
const bitOf = (mode: LockMode): number => 1 << MODES.indexOf(mode);
const bits = (...modes: readonly LockMode[]): number => modes.reduce((sum, mode) => sum | bitOf(mode), 0);
/** Which modes of two workflows can't stand on one resource together. */
const CONFLICTS: Readonly<Record<LockMode, number>> = {
  intentRead: bits('write'),
  intentWrite: bits('read', 'write'),
  read: bits('intentWrite', 'write'),
  write: bits('intentRead', 'intentWrite', 'read', 'write'),
};
const conflict = (a: LockMode, b: LockMode): boolean => (CONFLICTS[a] & bitOf(b)) !== 0;

export type LockAnswer = { readonly answer: 'granted' } | { readonly answer: 'waiting' } | { readonly answer: 'die'; readonly holder: string };
interface Held { readonly mode: LockMode; readonly since: number }
interface Waiting { readonly workflow: string; readonly locks: readonly Lock[]; readonly late: boolean; readonly since: number }
/** All there is in a table once those who wait were looked at, as JSON. */
export interface LockTableState {
  readonly held: readonly (readonly [workflow: string, locks: readonly (readonly [resource: string, mode: LockMode, since: number])[]])[];
  readonly waiting: readonly Waiting[];
}

export interface HeldLock { readonly workflow: string; readonly resource: string; readonly mode: LockMode; readonly since: number; readonly waiting: readonly string[] }
/** A resource, and who holds it, null: others are before it in the queue. `since`: ms since 1970. */
export interface WaitedFor { readonly resource: string; readonly holder: string | null; readonly since: number }
export interface Granted { readonly workflow: string; readonly locks: readonly Lock[] }
export interface Yielding extends Granted { readonly holder: string }

/**
 * Who holds and who waits, worked out anew from the workflows' facts at every start. Age is the workflow's id (UUID v7:
 * older is smaller), or of one that works a task its root's (lockers.ts). A first request is granted whole or waits, in order of age and behind every late one, holding
 * nothing. A late one, of a workflow that holds already, waits only for younger holders and dies before an older one,
 * also when that comes to hold while it waits: so no circle can form.
 */
export class LockTable {
  readonly #holders = new Claims();
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #waiters = new Claims();
  readonly #waiting = new Map<string, Waiting>();
  /** Has anything been let go of, or anything been taken, since those who wait were looked at? */
  #released = false;
  #taken = false;
  #late = 0;

  static of({ held, waiting }: LockTableState): LockTable {
    const table = new LockTable();
    for (const [workflow, locks] of held) for (const [resource, mode, since] of locks) table.grant(workflow, [{ resource, mode }], since);
    for (const request of waiting) table.#wait(request);
    table.#taken = false;
    return table;
  }

  state(): LockTableState {
    return { held: [...this.#held].map(([workflow, locks]) => [workflow, [...locks].map(([resource, { mode, since }]) => [resource, mode, since])]), waiting: [...this.#waiting.values()] };
  }

  request(workflow: string, wanted: readonly Lock[], late: boolean, at: number): LockAnswer {
    // Why: `read` beside `intentWrite` amounts to `write`, and it is the sum that must not collide.
    const locks = merged([...wanted, ...wanted.flatMap(({ resource }) => { const held = this.#held.get(workflow)?.get(resource); return held === undefined ? [] : [{ resource, mode: held.mode }]; })]);
    if (!this.#isBlocked(workflow, locks) && (late || !this.#isBehindOthers(workflow, locks))) {
      this.grant(workflow, locks, at);
      return { answer: 'granted' };
    }
    const older = late ? this.#olderHolder(workflow, locks) : undefined;
    if (older !== undefined) { this.cancel(workflow); return { answer: 'die', holder: older }; }
    this.#wait({ workflow, locks, late, since: at });
    return { answer: 'waiting' };
  }

  /** Takes locks without asking: what was granted before a restart. */
  grant(workflow: string, locks: readonly Lock[], at: number): void {
    this.#grant(workflow, locks, at);
  }

  /** It wants nothing, and holds these and nothing else. What of it was held before has been held since then. */
  hold(workflow: string, locks: readonly Lock[], at: number): void {
    const before = this.#held.get(workflow);
    this.release(workflow);
    if (locks.length > 0) this.#grant(workflow, locks, at, before);
  }

  holdsAll(workflow: string, locks: readonly Lock[]): boolean {
    const held = this.#held.get(workflow);
    return locks.every(({ resource, mode }) => { const has = held?.get(resource)?.mode; return has !== undefined && stronger(has, mode) === has; });
  }

  /** It wants nothing any more, and holds what it holds. */
  cancel(workflow: string): void {
    const waiting = this.#waiting.get(workflow);
    if (waiting === undefined) return;
    this.#waiting.delete(workflow);
    if (waiting.late) this.#late -= 1;
    for (const { resource } of waiting.locks) this.#waiters.delete(resource, workflow);
    this.#released = true;
  }

  /** The workflow ended, was parked too long, or lost its locks: it neither holds nor waits. */
  release(workflow: string): void {
    this.cancel(workflow);
    const held = this.#held.get(workflow);
    if (held === undefined) return;
    for (const resource of held.keys()) this.#holders.delete(resource, workflow);
    this.#held.delete(workflow);
    this.#released = true;
  }

  /** Who can go on now, late ones first, then the oldest. Each is granted at once. */
  grantWaiting(at: number): readonly Granted[] {
    if (!this.#released || this.#waiting.size === 0) { this.#released = false; return []; }
    const granted: Granted[] = [];
    /** What those want that stay behind: which modes, by resource. */
    const ahead = new Map<string, number>();
    for (const { workflow, locks, late } of [...this.#waiting.values()].sort((a, b) => Number(b.late) - Number(a.late) || (a.workflow < b.workflow ? -1 : 1))) {
      if (!this.#isBlocked(workflow, locks) && (late || !locks.some(({ resource, mode }) => (CONFLICTS[mode] & (ahead.get(resource) ?? 0)) !== 0))) {
        this.grant(workflow, locks, at);
        granted.push({ workflow, locks });
      } else for (const { resource, mode } of locks) ahead.set(resource, (ahead.get(resource) ?? 0) | bitOf(mode));
    }
    this.#released = false;
    return granted;
  }

  /** Late ones that now wait for an older holder. They wait no longer and have to die. */
  yielding(): readonly Yielding[] {
    if (!this.#taken || this.#late === 0) { this.#taken = false; return []; }
    this.#taken = false;
    const dying: Yielding[] = [];
    for (const { workflow, locks, late } of this.#waiting.values()) {
      const holder = late ? this.#olderHolder(workflow, locks) : undefined;
      if (holder !== undefined) dying.push({ workflow, holder, locks });
    }
    for (const { workflow } of dying) this.cancel(workflow);
    return dying;
  }

  /** @param of whose are shown; who waits for them is named whoever it is */
  view(of: (workflow: string) => boolean = () => true): readonly HeldLock[] {
    return [...this.#held].flatMap(([workflow, locks]) => (!of(workflow) ? [] : [...locks]).map(([resource, { mode, since }]) =>
      ({ workflow, resource, mode, since, waiting: [...this.#waiters.conflicting(resource, mode, workflow)] })));
  }

  /** What a workflow stands still for. */
  waitOf(workflow: string): WaitedFor | null {
    const waiting = this.#waiting.get(workflow);
    if (waiting === undefined) return null;
    const { locks, since } = waiting;
    for (const { resource, mode } of locks) for (const holder of this.#holders.conflicting(resource, mode, workflow)) return { resource, holder, since };
    return { resource: locks[0]!.resource, holder: null, since };
  }

  get waiting(): number { return this.#waiting.size; }

  #grant(workflow: string, locks: readonly Lock[], at: number, earlier?: ReadonlyMap<string, Held>): void {
    this.cancel(workflow);
    this.#taken = true;
    let held = this.#held.get(workflow);
    if (held === undefined) this.#held.set(workflow, held = new Map());
    for (const { resource, mode } of locks) {
      const before = held.get(resource);
      const now = stronger(before?.mode, mode);
      held.set(resource, { mode: now, since: (before ?? earlier?.get(resource))?.since ?? at });
      this.#holders.set(resource, workflow, now);
    }
  }

  #wait(request: Waiting): void {
    const { workflow, locks, late } = request;
    const before = this.#waiting.get(workflow);
    if (before !== undefined && before.late === late && sameLocks(before.locks, locks)) return;
    this.cancel(workflow);
    this.#waiting.set(workflow, request);
    if (late) this.#late += 1;
    for (const { resource, mode } of locks) this.#waiters.set(resource, workflow, mode);
  }

  #isBlocked(workflow: string, locks: readonly Lock[]): boolean {
    return locks.some(({ resource, mode }) => { for (const _ of this.#holders.conflicting(resource, mode, workflow)) return true; return false; });
  }

  #olderHolder(workflow: string, locks: readonly Lock[]): string | undefined {
    for (const { resource, mode } of locks) for (const holder of this.#holders.conflicting(resource, mode, workflow)) if (holder < workflow) return holder;
    return undefined;
  }

  #isBehindOthers(workflow: string, locks: readonly Lock[]): boolean {
    return locks.some(({ resource, mode }) => {
      for (const other of this.#waiters.conflicting(resource, mode, workflow)) if (other < workflow || this.#waiting.get(other)!.late) return true;
      return false;
    });
  }
}

export const sameLocks = (some: readonly Lock[], others: readonly Lock[]): boolean =>
  some.length === others.length && some.every(({ resource, mode }, index) => resource === others[index]!.resource && mode === others[index]!.mode);

/** Which workflows lay claim to a resource, and how. Where no mode conflicts nobody is looked at: everybody stands on the root. */
class Claims {
  readonly #resources = new Map<string, { readonly modes: Map<string, LockMode>; readonly counts: number[] }>();

  set(resource: string, workflow: string, mode: LockMode): void {
    let claims = this.#resources.get(resource);
    if (claims === undefined) this.#resources.set(resource, claims = { modes: new Map(), counts: MODES.map(() => 0) });
    const before = claims.modes.get(workflow);
    if (before !== undefined) claims.counts[MODES.indexOf(before)]! -= 1;
    claims.modes.set(workflow, mode);
    claims.counts[MODES.indexOf(mode)]! += 1;
  }

  delete(resource: string, workflow: string): void {
    const claims = this.#resources.get(resource);
    const mode = claims?.modes.get(workflow);
    if (claims === undefined || mode === undefined) return;
    claims.modes.delete(workflow);
    claims.counts[MODES.indexOf(mode)]! -= 1;
    if (claims.modes.size === 0) this.#resources.delete(resource);
  }

  /** Others whose claims conflict with this mode. */
  *conflicting(resource: string, mode: LockMode, workflow: string): Iterable<string> {
    const claims = this.#resources.get(resource);
    if (claims === undefined) return;
    const own = claims.modes.get(workflow);
    if (!MODES.some((other, at) => conflict(mode, other) && claims.counts[at]! > (own === other ? 1 : 0))) return;
    for (const [other, held] of claims.modes) if (conflict(mode, held) && !areOne(other, workflow)) yield other;
  }
}
