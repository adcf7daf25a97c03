import type { StepCall } from '@aifirst/execution';
import { describeAdapter, JournalStand, ManualClock, settled } from '@aifirst/execution/testing';
import type { JsonObject } from '@aifirst/kernel';
import { BuiltinAdapter } from './index';

const immediately = { after: (_ms: number, callback: () => void) => { const timer = setImmediate(callback); return () => clearImmediate(timer); } };
const CASES = { 'noop': { value: { a: [1] } }, 'noop without value': {}, 'timer.sleep': { ms: 5 } } satisfies Record<string, JsonObject>;

describeAdapter('built in', async () => ({
  adapter: new BuiltinAdapter(immediately), connection: null, snapshot: async () => null, reopen: async () => new BuiltinAdapter(immediately), close: async () => undefined,
}), Object.entries(CASES).map(([title, input]) => ({
  title,
  // Why: neither leaves a trace, so one that was cut off is taken as not done, which is right whatever happened.
  of: () => ({ title, capability: title.split(' ')[0]!, input, probeKnows: false }),
})));

const callOf = (capability: string, input: JsonObject, signal = new AbortController().signal): StepCall =>
  ({ key: 'w/s/1/forward', tenant: 't', workflow: 'w', step: 's', agent: { kind: 'agent', id: 'a', tenant: 't' }, capability, connection: null, input, timeoutMs: 1_000, signal });

describe('noop', () => {
  const adapter = new BuiltinAdapter(immediately);

  it.each([[{ value: 7 }, { value: 7 }], [{ value: null }, { value: null }], [{}, { value: null }]])('with %j gives %j', async (input, output) => {
    expect(await adapter.execute(callOf('noop', input))).toEqual({ outcome: 'succeeded', output, after: {} });
  });

  it('fails as it is told', async () => {
    expect(await adapter.execute(callOf('noop', { fail: 'clean' }))).toMatchObject({ outcome: 'failed', error: { clean: true } });
    expect(await adapter.execute(callOf('noop', { fail: 'unknown' }))).toMatchObject({ outcome: 'unknown', error: { clean: false } });
  });

  it.each([
    [{ fail: 'unknown' }, 'cannotTell'], [{ fail: 'unknown', probe: 'cannotTell' }, 'cannotTell'], [{ fail: 'unknown', probe: 'happened', value: 3 }, 'succeeded'],
    [{ fail: 'unknown', probe: 'didNotHappen' }, 'didNotHappen'], [{ probe: 'happened' }, 'didNotHappen'], [{}, 'didNotHappen'], [{ fail: 'clean' }, 'didNotHappen'],
  ])('%j is probed as %s', async (input, outcome) => {
    expect(await adapter.probe(callOf('noop', input))).toMatchObject({ outcome });
  });
});

describe('timer.sleep', () => {
  it('gives up cleanly when its time is over, naming why', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const ended = new BuiltinAdapter(clock).execute(callOf('timer.sleep', { ms: 60_000 }, abort.signal));
    abort.abort(Object.assign(new Error('over'), { code: 'TIMEOUT' }));
    expect(await ended).toMatchObject({ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } });
  });

  it('does not begin when it is aborted already', async () => {
    expect(await new BuiltinAdapter(new ManualClock()).execute(callOf('timer.sleep', { ms: 1 }, AbortSignal.abort()))).toMatchObject({ outcome: 'failed' });
  });
});

describe('in the journal', () => {
  const builtin = (stand: JournalStand, step: string, index: number, capability: string, input: JsonObject, more = {}) =>
    stand.execute({ step, index, capability, adapter: 'builtin', connection: null, input, ...more });
  const aStand = async () => {
    const stand = new JournalStand();
    return stand.start([stand.adapter, new BuiltinAdapter(stand.clock)]);
  };

  it('a sleep of minutes does not hold up a noop', async () => {
    const stand = await aStand();
    await stand.send(builtin(stand, 'sleep', 0, 'timer.sleep', { ms: 120_000 }, { timeoutMs: 180_000 }), builtin(stand, 'quick', 1, 'noop', { value: 1 }));
    expect(await stand.outcomes()).toEqual(['quick forward succeeded']);
    await stand.clock.advance(120_000);
    expect((await stand.reports()).at(-1)).toMatchObject({ step: 'sleep', outcome: 'succeeded', output: { ms: 120_000 } });
    expect((await stand.reports()).at(-1)).not.toHaveProperty('undoableUntil');
  });

  it('a sleep that a crash cuts off did not happen', async () => {
    const stand = await aStand();
    await stand.send(builtin(stand, 'sleep', 0, 'timer.sleep', { ms: 10_000 }));
    stand.crash();
    await stand.start([stand.adapter, new BuiltinAdapter(stand.clock)]);
    await settled();
    expect(await stand.outcomes()).toEqual(['sleep forward didNotHappen']);
  });

  it('a sleep longer than its time-out fails clean', async () => {
    const stand = await aStand();
    await stand.send(builtin(stand, 'sleep', 0, 'timer.sleep', { ms: 60_000 }));
    await stand.clock.advance(31_000);
    expect(await stand.reports()).toMatchObject([{ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } }]);
  });

  it('a lost outcome of noop is probed as it says', async () => {
    const stand = await aStand();
    const input = { fail: 'unknown', probe: 'happened', value: 3 };
    await stand.send(builtin(stand, 'n', 0, 'noop', input));
    await stand.send(stand.probe({ step: 'n', capability: 'noop', adapter: 'builtin', connection: null, input }));
    expect(await stand.reports()).toMatchObject([{ outcome: 'unknown' }, { outcome: 'succeeded', output: { value: 3 }, probe: 1 }]);
  });
});
