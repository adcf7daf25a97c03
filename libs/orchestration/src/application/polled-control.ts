import type { ControlState } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';
import type { Control } from '../domain/turn';
import type { ControlSource } from './ports';

const POLL_MS = 250;
/** Beyond this age nothing is started: the state may have changed unseen. */
const STALE_MS = 2_000;

/** Asks policy four times a second what holds; told of a change it asks at once. Unknown or stale holds everything back. */
export class PolledControl implements ControlSource {
  #tenants = new Map<string, ControlState>();
  /** When the last answer was true. */
  #asOf = -Infinity;
  /** Questions so far, and the last one whose answer counts: a slow answer must not bring back what has changed since. */
  #asked = 0;
  #answered = 0;
  readonly #refreshed = new Set<() => void>();
  #stopped = false;
  #cancel: (() => void) | null = null;
  readonly #listeners = new Set<(tenant: string | null) => void>();

  constructor(private readonly ask: () => Promise<{ readonly tenants: readonly ControlState[] }>, private readonly clock: Clock) {}

  /** Policy may not be there yet, or not answer: until it does, everything is held back. */
  async start(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#cancel = this.clock.after(STALE_MS, resolve);
      void this.refresh().catch(() => undefined).finally(() => { this.#cancel?.(); resolve(); });
    });
    this.#again();
  }
  stop(): void { this.#stopped = true; this.#cancel?.(); }

  async refresh(): Promise<void> {
    const number = ++this.#asked;
    const askedAt = this.clock.now();
    const { tenants } = await this.ask();
    if (this.#stopped || number < this.#answered) return;
    this.#answered = number;
    // Why now and not when it was asked: whoever looked in between was held back, and nobody else tells them to go on.
    const wasStale = this.#isStale();
    this.#asOf = askedAt;
    const before = this.#tenants;
    this.#tenants = new Map(tenants.map(state => [state.tenant, state]));
    for (const listener of this.#refreshed) listener();
    if (wasStale) { for (const listener of this.#listeners) listener(null); return; }
    for (const state of tenants) if (before.get(state.tenant)?.epoch !== state.epoch) for (const listener of this.#listeners) listener(state.tenant);
  }

  /** The state of a tenant as an adapter checks it; null: not known, or too old to act on. */
  stateOf(tenant: string): ControlState | null {
    if (this.#isStale()) return null;
    return this.#tenants.get(tenant) ?? { tenant, epoch: 0, killSwitches: [], suspendedAgents: [] };
  }

  /** What an adapter checks a lease against. */
  epochOf(tenant: string): { readonly epoch: number; readonly asOf: number } | null {
    return this.#asOf === -Infinity ? null : { epoch: this.#tenants.get(tenant)?.epoch ?? 0, asOf: this.#asOf };
  }

  control(tenant: string, agent: string, chain: readonly string[] = []): Control {
    const state = this.stateOf(tenant);
    if (state === null) return { epoch: null, hold: null };
    const engaged = state.killSwitches.filter(({ kind, target }) => kind === 'all' || target === agent || (target !== null && chain.includes(target)));
    const [first] = engaged;
    if (first !== undefined) {
      const reason = engaged.map(kill => `kill switch \`${kill.id}\`: ${kill.reason}`).join('; ');
      return { epoch: state.epoch, hold: { code: 'KILL_SWITCH', reason, includeUndo: engaged.some(kill => kill.includeUndo), rollback: engaged.some(kill => kill.rollback), killSwitch: first.id } };
    }
    const suspended = [agent, ...chain].find(id => state.suspendedAgents.includes(id));
    if (suspended !== undefined) return { epoch: state.epoch, hold: { code: 'AGENT_SUSPENDED', reason: `agent \`${suspended}\` is suspended`, includeUndo: false, rollback: false } };
    return { epoch: state.epoch, hold: null };
  }

  onChange(listener: (tenant: string | null) => void): () => void { this.#listeners.add(listener); return () => this.#listeners.delete(listener); }

  onRefreshed(listener: () => void): () => void { this.#refreshed.add(listener); return () => this.#refreshed.delete(listener); }

  #isStale(): boolean { return this.clock.now() > this.#asOf + STALE_MS; }

  #again(): void {
    if (this.#stopped) return;
    this.#cancel = this.clock.after(POLL_MS, () => {
      let isLast = false;
      const next = (): void => { if (!isLast) { isLast = true; cancelWait(); this.#again(); } };
      // Why: one question that is never answered must not be the last.
      const cancelWait = this.clock.after(STALE_MS, next);
      this.#cancel = cancelWait;
      void this.refresh().catch(() => undefined).finally(next);
    });
  }
}
