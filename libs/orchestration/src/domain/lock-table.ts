import type { Lock, LockMode } from '@aifirst/contracts';
import { merged, stronger } from './conflicts';

/** Which modes of two workflows can't stand on one resource together. */
const CONFLICTS: Readonly<Record<LockMode, readonly LockMode[]>> = {
  intentRead: ['write'],
  intentWrite: ['read', 'write'],
  read: ['intentWrite', 'write'],
  write: ['intentRead', 'intentWrite', 'read', 'write'],
};

export type LockAnswer = { readonly answer: 'granted' } | { readonly answer: 'waiting' } | { readonly answer: 'die'; readonly holder: string };
interface Waiting { readonly workflow: string; locks: readonly Lock[]; late: boolean; readonly since: number }

/**
 * Who holds and who waits, worked out anew from the workflows' facts at every start. Age is the workflow's id (UUID v7:
 * older is smaller). A first request is granted whole or waits, in order of age and behind every late one, holding
 * nothing. A late one, of a workflow that holds already, waits only for younger holders and dies before an older one,
 * also when that comes to hold while it waits: so no circle can form.
 */
export class LockTable {
  readonly #holders = new Map<string, Map<string, LockMode>>();
  readonly #held = new Map<string, Map<string, { mode: LockMode; since: number }>>();
  readonly #waiting = new Map<string, Waiting>();

  request(workflow: string, wanted: readonly Lock[], late: boolean, at: number): LockAnswer {
    // Why: `read` beside `intentWrite` amounts to `write`, and it is the sum that must not collide.
    const locks = merged([...wanted, ...wanted.flatMap(({ resource }) => { const held = this.#held.get(workflow)?.get(resource); return held === undefined ? [] : [{ resource, mode: held.mode }]; })]);
    const blockers = this.#blockers(workflow, locks);
    if (blockers.length === 0 && (late || !this.#behindOthers(workflow, locks))) {
      this.grant(workflow, locks, at);
      return { answer: 'granted' };
    }
    if (late) {
      const older = blockers.find(holder => holder < workflow);
      if (older !== undefined) { this.#waiting.delete(workflow); return { answer: 'die', holder: older }; }
    }
    this.#waiting.set(workflow, { workflow, locks, late, since: this.#waiting.get(workflow)?.since ?? at });
    return { answer: 'waiting' };
  }

  /** Takes locks without asking: what was granted before a restart. */
  grant(workflow: string, locks: readonly Lock[], at: number): void {
    this.#waiting.delete(workflow);
    let held = this.#held.get(workflow);
    if (held === undefined) this.#held.set(workflow, held = new Map());
    for (const { resource, mode } of locks) {
      const now = stronger(held.get(resource)?.mode, mode);
      held.set(resource, { mode: now, since: held.get(resource)?.since ?? at });
      let holders = this.#holders.get(resource);
      if (holders === undefined) this.#holders.set(resource, holders = new Map());
      holders.set(workflow, now);
    }
  }

  /** The workflow ended, was parked too long, or lost its locks: it neither holds nor waits. */
  release(workflow: string): boolean {
    const waited = this.#waiting.delete(workflow);
    const held = this.#held.get(workflow);
    if (held === undefined) return waited;
    for (const resource of held.keys()) {
      const holders = this.#holders.get(resource)!;
      holders.delete(workflow);
      if (holders.size === 0) this.#holders.delete(resource);
    }
    this.#held.delete(workflow);
    return true;
  }

  /** Who can go on now, late ones first, then the oldest. Each is granted at once. */
  grantWaiting(at: number): readonly { readonly workflow: string; readonly locks: readonly Lock[] }[] {
    if (this.#waiting.size === 0) return [];
    const granted: { workflow: string; locks: readonly Lock[] }[] = [];
    const ahead: Lock[] = [];
    for (const { workflow, locks, late } of [...this.#waiting.values()].sort((a, b) => Number(b.late) - Number(a.late) || (a.workflow < b.workflow ? -1 : 1))) {
      if (this.#blockers(workflow, locks).length === 0 && (late || !collide(ahead, locks))) {
        this.grant(workflow, locks, at);
        granted.push({ workflow, locks });
      } else ahead.push(...locks);
    }
    return granted;
  }

  /** Late ones that now wait for an older holder. They wait no longer and have to die. @param may those that can */
  yielding(may: (workflow: string) => boolean): readonly { readonly workflow: string; readonly holder: string; readonly locks: readonly Lock[] }[] {
    const dying: { workflow: string; holder: string; locks: readonly Lock[] }[] = [];
    for (const { workflow, locks, late } of this.#waiting.values()) {
      const holder = late ? this.#blockers(workflow, locks).find(blocker => blocker < workflow) : undefined;
      if (holder !== undefined && may(workflow)) dying.push({ workflow, holder, locks });
    }
    for (const { workflow } of dying) this.#waiting.delete(workflow);
    return dying;
  }

  view(): readonly { readonly workflow: string; readonly resource: string; readonly mode: LockMode; readonly since: number; readonly waiting: readonly string[] }[] {
    return [...this.#held].flatMap(([workflow, locks]) => [...locks].map(([resource, { mode, since }]) => ({
      workflow, resource, mode, since,
      waiting: [...this.#waiting.values()].filter(w => w.workflow !== workflow && w.locks.some(l => l.resource === resource && CONFLICTS[mode].includes(l.mode))).map(w => w.workflow),
    })));
  }

  get waiting(): number { return this.#waiting.size; }

  #blockers(workflow: string, locks: readonly Lock[]): string[] {
    const blockers: string[] = [];
    for (const { resource, mode } of locks) {
      for (const [holder, held] of this.#holders.get(resource) ?? []) if (holder !== workflow && CONFLICTS[mode].includes(held)) blockers.push(holder);
    }
    return blockers;
  }

  #behindOthers(workflow: string, locks: readonly Lock[]): boolean {
    for (const other of this.#waiting.values()) if (other.workflow !== workflow && (other.late || other.workflow < workflow) && collide(other.locks, locks)) return true;
    return false;
  }
}

function collide(some: readonly Lock[], others: readonly Lock[]): boolean {
  const modes = new Map<string, LockMode[]>();
  for (const { resource, mode } of some) modes.set(resource, [...(modes.get(resource) ?? []), mode]);
  return others.some(({ resource, mode }) => modes.get(resource)?.some(other => CONFLICTS[mode].includes(other)) === true);
}
