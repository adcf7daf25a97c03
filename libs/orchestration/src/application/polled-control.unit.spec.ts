import type { ControlState } from '@aifirst/contracts';
import type { Clock } from '@aifirst/kernel';
import { PolledControl } from './polled-control';

const drained = () => new Promise(resolve => setImmediate(resolve));
type Switch = ControlState['killSwitches'][number];
const kill = (id: string, change: Partial<Switch> = {}): Switch => ({ id, kind: 'all', target: null, reason: 'stop', includeUndo: false, rollback: false, ...change });
const state = (epoch: number, change: Partial<ControlState> = {}): ControlState => ({ tenant: 't', epoch, killSwitches: [], suspendedAgents: [], ...change });

/** Policy, and a clock in the test's hand. */
class Stand {
  now = 0;
  answer: ControlState[] = [state(1)];
  /** Answers that are held back. */
  slow: (() => void)[] | null = null;
  asked = 0;
  readonly told: (string | null)[] = [];
  private timers: { at: number; callback: () => void }[] = [];
  private readonly clock: Clock = {
    now: () => this.now,
    after: (ms, callback) => { const timer = { at: this.now + ms, callback }; this.timers.push(timer); return () => { this.timers = this.timers.filter(other => other !== timer); }; },
  };
  readonly control = new PolledControl(async () => {
    this.asked += 1;
    const tenants = this.answer;
    if (this.slow !== null) await new Promise<void>(resolve => this.slow!.push(resolve));
    return { tenants };
  }, this.clock);

  async start(): Promise<this> { this.control.onChange(tenant => this.told.push(tenant)); await this.control.start(); this.told.length = 0; return this; }
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter(timer => timer !== next);
      this.now = next.at;
      next.callback();
      await drained();
    }
    this.now = until;
  }
  get timersSet(): number { return this.timers.length; }
  get hold() { return this.control.control('t', 'agent').hold; }
}

describe('PolledControl', () => {
  it('asks four times a second and tells of a tenant whose epoch has moved', async () => {
    const stand = await new Stand().start();
    await stand.pass(1_000);
    expect([stand.asked, stand.told]).toEqual([5, []]);
    stand.answer = [state(2), state(1, { tenant: 'u' })];
    await stand.pass(250);
    expect(stand.told).toEqual(['t', 'u']);
    expect(stand.control.control('t', 'agent')).toEqual({ epoch: 2, hold: null });
  });
  it('begins where policy does not answer yet, holds everything back, and says so when it knows', async () => {
    const stand = new Stand();
    stand.slow = [];
    stand.control.onChange(tenant => stand.told.push(tenant));
    const starting = stand.control.start();
    await stand.pass(2_000);
    await starting;
    expect(stand.control.control('t', 'agent').epoch).toBeNull();
    stand.slow = null;
    await stand.pass(300);
    expect([stand.control.control('t', 'agent').epoch, stand.told]).toEqual([1, [null]]);
  });
  it('knows nothing once the last answer is older than 2 s, and says so when it knows again', async () => {
    const stand = await new Stand().start();
    stand.slow = [];
    await stand.pass(2_001);
    expect([stand.control.control('t', 'agent'), stand.control.stateOf('t')]).toEqual([{ epoch: null, hold: null }, null]);
    expect(stand.control.epochOf('t')).toEqual({ epoch: 1, asOf: 0 });
    stand.slow = null;
    await stand.pass(2_500);
    expect([stand.told, stand.control.control('t', 'agent').epoch]).toEqual([[null], 1]);
  });
  it('tells everybody also where a slow answer was asked for before it became stale', async () => {
    const stand = await new Stand().start();
    stand.slow = [];
    await stand.pass(250);
    await stand.pass(1_800);
    // Why: whoever looks now is held back, although the question was asked in time.
    expect(stand.control.control('t', 'agent').epoch).toBeNull();
    stand.slow.splice(0).forEach(resolve => resolve());
    await drained();
    expect([stand.told, stand.control.control('t', 'agent').epoch]).toEqual([[null], 1]);
  });
  it('goes on asking where a question is never answered', async () => {
    const stand = await new Stand().start();
    stand.slow = [];
    await stand.pass(250);
    stand.slow = null;
    await stand.pass(2_250);
    expect(stand.control.control('t', 'agent').epoch).toBe(1);
    const before = stand.asked;
    await stand.pass(1_000);
    expect(stand.asked - before).toBe(4);
  });
  it('does not go back to an older answer that comes late', async () => {
    const stand = await new Stand().start();
    stand.slow = [];
    const older = stand.control.refresh();
    stand.answer = [state(2, { killSwitches: [kill('k')] })];
    const newer = stand.control.refresh();
    stand.slow[1]!();
    await newer;
    stand.slow[0]!();
    await older;
    expect([stand.hold?.code, stand.told]).toEqual(['KILL_SWITCH', ['t']]);
  });
  it('holds by every switch that is engaged, and by suspension', async () => {
    const stand = await new Stand().start();
    stand.answer = [state(2, { killSwitches: [kill('a', { kind: 'agent', target: 'another' }), kill('b'), kill('c', { kind: 'agent', target: 'agent', includeUndo: true, rollback: true, reason: 'odd' })], suspendedAgents: ['agent', 'sleeper'] })];
    await stand.control.refresh();
    expect(stand.hold).toEqual({ code: 'KILL_SWITCH', reason: 'kill switch `b`: stop; kill switch `c`: odd', includeUndo: true, rollback: true, killSwitch: 'b' });
    stand.answer = [state(3, { suspendedAgents: ['agent'] })];
    await stand.control.refresh();
    expect([stand.hold?.code, stand.control.control('t', 'another').hold, stand.control.control('elsewhere', 'agent')]).toEqual(['AGENT_SUSPENDED', null, { epoch: 0, hold: null }]);
  });
  it('outlives an answer that is none, and ends when it is stopped', async () => {
    const stand = await new Stand().start();
    let refreshed = 0;
    stand.control.onRefreshed(() => { refreshed += 1; });
    stand.answer = null as never;
    await stand.pass(500);
    stand.answer = [state(4)];
    await stand.pass(250);
    expect([refreshed, stand.control.epochOf('t')?.epoch]).toEqual([1, 4]);
    stand.control.stop();
    expect(stand.timersSet).toBe(0);
    const before = stand.asked;
    await stand.pass(5_000);
    expect(stand.asked).toBe(before);
  });

  it('holds whoever acts on behalf of one that is held', async () => {
    const stand = await new Stand().start();
    stand.answer = [state(2, { suspendedAgents: ['leader'] })];
    await stand.pass(250);
    expect([stand.hold, stand.control.control('t', 'agent', ['leader']).hold?.code]).toEqual([null, 'AGENT_SUSPENDED']);
    stand.answer = [state(3, { killSwitches: [kill('k', { kind: 'agent', target: 'leader' })] })];
    await stand.pass(250);
    expect([stand.hold, stand.control.control('t', 'agent', ['other', 'leader']).hold?.code]).toEqual([null, 'KILL_SWITCH']);
  });
});
