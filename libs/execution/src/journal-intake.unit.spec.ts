import fc from 'fast-check';
import type { CloudEvent } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { JournalStand, settled, workflowId } from './testing';
import { UNDO_WINDOW_MS } from './testing';

const aStand = (options = {}): Promise<JournalStand> => new JournalStand(options).start();
const put = (key: string, value: number | string = 1): JsonObject => ({ connection: 'docs', key, value });
const held = (stand: JournalStand, isHeld: (step: string) => boolean) => {
  const release: (() => void)[] = [];
  stand.adapter.before = (method, call) => (method === 'execute' && isHeld(call.step) ? new Promise(resolve => { release.push(resolve); }) : undefined);
  return async () => { for (const go of release.splice(0)) go(); await settled(); };
};

describe('the seal', () => {
  /** Ways to change one field that the seal covers, or to take the seal of another command. */
  const flips: Readonly<Record<string, (event: CloudEvent, other: CloudEvent) => CloudEvent>> = {
    tenant: event => ({ ...event, tenant: 'other', data: { ...event.data, agent: { kind: 'agent', id: 'a1', tenant: 'other' } } }),
    workflow: event => changed(event, { workflow: workflowId(77) }),
    step: event => changed(event, { step: 's00' }),
    index: event => changed(event, { index: 1 }),
    generation: event => changed(event, { generation: 2 }),
    agent: event => changed(event, { agent: { kind: 'agent', id: 'a2', tenant: String(event.tenant) } }),
    capability: event => changed(event, { capability: 'fake.pu' }),
    connection: event => changed(event, { connection: null }),
    input: event => changed(event, { input: put('k', 2) }),
    inputField: event => changed(event, { input: { ...put('k'), more: 1 } }),
    policyVersion: event => leased(event, { policyVersion: 'p2' }),
    controlEpoch: event => leased(event, { controlEpoch: 2 }),
    expiresAt: event => leased(event, { expiresAt: Number((event.data['lease'] as JsonObject)['expiresAt']) + 1 }),
    mac: event => leased(event, { mac: '' }),
    macOfAnother: (event, other) => leased(event, { mac: (other.data['lease'] as JsonObject)['mac'] }),
    direction: event => ({ ...event, type: event.type.replace('execute', 'undo'), data: { ...event.data, onConflict: 'block' } }),
  };
  const changed = (event: CloudEvent, change: JsonObject): CloudEvent => ({ ...event, data: { ...event.data, ...change } });
  const leased = (event: CloudEvent, change: JsonObject): CloudEvent => changed(event, { lease: { ...event.data['lease'] as JsonObject, ...change } });

  it.each(Object.keys(flips))('does not hold when %s is changed: nothing is done, nobody answered, and it is recorded', async name => {
    const stand = await aStand();
    await stand.send(flips[name]!(stand.execute(), stand.execute({ step: 's1', index: 1 })));
    await stand.clock.advance(60_000);
    expect(stand.adapter.calls).toEqual([]);
    expect(await stand.reports()).toEqual([]);
    expect(await stand.refusals()).toMatchObject([{ code: 'INVALID_SEAL' }]);
    expect(stand.log.positions()).toEqual({ 'orchestrator/0': 1 });
  });

  it('does not hold with any other text in its place', async () => {
    const stand = await aStand();
    const command = stand.execute();
    const { mac } = command.data['lease'] as { mac: string };
    await fc.assert(fc.asyncProperty(fc.nat(mac.length - 1), fc.constantFrom(...'ABCxyz019-_'), async (at, letter) => {
      const forged = mac.slice(0, at) + letter + mac.slice(at + 1);
      if (forged === mac) return;
      await stand.journal.handle(stand.batch(leased(command, { mac: forged })));
    }), { numRuns: 100 });
    await settled();
    expect(stand.adapter.calls).toEqual([]);
    expect((await stand.refusals()).length).toBeGreaterThan(50);
  });

  it('of an undo or a probe is of that direction', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    const forward = stand.execute().data['lease'] as JsonObject;
    await stand.send(changed(stand.undo(), { lease: forward }), changed(stand.probe({ direction: 'undo' }), { lease: forward }));
    expect(await stand.refusals()).toHaveLength(2);
    expect(stand.methods()).toEqual(['prepare', 'execute']);
  });

  it('does not let a sealed undo of one step reach another\'s key', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    await stand.send(stand.undo({ step: 's1', index: 0 }));
    expect(await stand.refusals()).toMatchObject([{ code: 'WRONG_STEP' }]);
    expect(stand.methods()).not.toContain('undo');
  });
});

describe('a malformed command', () => {
  it.each<[string, (event: CloudEvent) => CloudEvent]>([
    ['of an unknown type', event => ({ ...event, type: 'aifirst.execution.dance-step.v1' })],
    ['without a lease', event => ({ ...event, data: { ...event.data, lease: null } })],
    ['with a workflow that is no id', event => ({ ...event, data: { ...event.data, workflow: '../1' } })],
    ['with an index out of bounds', event => ({ ...event, data: { ...event.data, index: 1_024 } })],
    ['with an attempt of 0', event => ({ ...event, data: { ...event.data, attempt: 0 } })],
    ['with a tenant no store takes', event => ({ ...event, tenant: 'a/b' })],
    ['with half a surrogate pair as tenant', event => ({ ...event, tenant: '\ud800' })],
    ['with an agent of another tenant', event => ({ ...event, tenant: 'other' })],
  ])('%s is thrown back for good, and nothing of its batch is taken', async (_how, spoil) => {
    const stand = await aStand();
    await expect(stand.journal.handle(stand.batch(stand.execute(), spoil(stand.execute({ step: 's1', index: 1 }))))).rejects.toMatchObject({ code: 'MALFORMED_COMMAND', retryable: false });
    await settled();
    expect(stand.adapter.calls).toEqual([]);
    expect(await stand.rows()).toEqual([]);
  });
});

describe('the fence', () => {
  it('refuses a lower epoch than the workflow has seen, and answers nobody', async () => {
    const stand = await aStand();
    await stand.send(stand.execute({ epoch: 5 }));
    await stand.send(stand.execute({ step: 's1', index: 1, epoch: 4 }), stand.execute({ workflow: 2, epoch: 4 }));
    expect(await stand.refusals()).toMatchObject([{ step: 's1', code: 'FENCED' }]);
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded', 's0 forward succeeded']);
  });

  it('holds after a restart', async () => {
    const stand = await aStand();
    await stand.send(stand.execute({ epoch: 5 }));
    stand.crash();
    await stand.start();
    await stand.send(stand.execute({ step: 's1', index: 1, epoch: 4 }), stand.execute({ workflow: 2, epoch: 4 }), stand.undo({ epoch: 6 }));
    expect(await stand.refusals()).toMatchObject([{ workflow: workflowId(1), step: 's1', code: 'FENCED' }]);
    expect((await stand.outcomes()).slice(1).sort()).toEqual(['s0 forward succeeded', 's0 undo succeeded']);
  });
});

describe('positions', () => {
  it('do not pass a command that waits, while the others\' work goes on', async () => {
    const stand = await aStand();
    const release = held(stand, step => step === 's0');
    await stand.send(stand.execute({ input: put('a') }));
    await stand.send(stand.execute({ step: 's1', index: 1, input: put('a') }));
    await stand.send(stand.execute({ step: 's2', index: 2, input: put('b') }));
    expect(await stand.outcomes()).toEqual(['s2 forward succeeded']);
    expect(stand.log.positions()).toEqual({ 'orchestrator/0': 1 });
    await release();
    await stand.clock.advance(2_000);
    expect(await stand.outcomes()).toEqual(['s2 forward succeeded', 's0 forward succeeded', 's1 forward succeeded']);
    expect(stand.log.positions()).toEqual({ 'orchestrator/0': 3 });
  });

  it('of a batch without commands are committed by and by', async () => {
    const stand = await aStand();
    await stand.journal.handle({ deliveries: [], positions: { 'orchestrator/0': 41 } });
    expect(stand.log.positions()).toEqual({});
    await stand.clock.advance(1_500);
    expect(stand.log.positions()).toEqual({ 'orchestrator/0': 41 });
  });

  it('of a parked message handed over again: there are none, and it is awaited until it is taken over', async () => {
    const stand = await aStand();
    stand.controlIsFresh = false;
    let isTaken = false;
    const handled = stand.journal.handle({ ...stand.batch(stand.execute()), positions: {} }).then(() => { isTaken = true; });
    await stand.clock.advance(1_000);
    expect(isTaken).toBe(false);
    stand.controlIsFresh = true;
    await stand.clock.advance(2_000);
    await handled;
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded']);
  });

  it('hold the bus back when too much waits', async () => {
    const stand = await aStand({ queueMax: 2 });
    stand.controlIsFresh = false;
    let isBack = false;
    const commands = [0, 1, 2].map(index => stand.execute({ step: `s${index}`, index, input: put(`k${index}`) }));
    const handled = stand.journal.handle(stand.batch(...commands)).then(() => { isBack = true; });
    await settled();
    expect(isBack).toBe(false);
    stand.controlIsFresh = true;
    await stand.clock.advance(100);
    await handled;
  });
});

describe('acts', () => {
  it('that are slow do not hold up the others', async () => {
    const stand = await aStand({ concurrency: 2 });
    const release = held(stand, step => step.startsWith('slow'));
    await stand.send(...Array.from({ length: 10 }, (_, i) => stand.execute({ step: `slow${i}`, index: i, input: put(`slow${i}`) })));
    await stand.send(...Array.from({ length: 10 }, (_, i) => stand.execute({ step: `quick${i}`, index: 20 + i, input: put(`quick${i}`) })));
    expect(await stand.outcomes()).toEqual(Array.from({ length: 10 }, (_, i) => `quick${i} forward succeeded`));
    await release();
    expect(await stand.outcomes()).toHaveLength(20);
  });

  it('on the same thing take turns, in order, and each sees what the one before left', async () => {
    const stand = await aStand();
    await stand.send(...Array.from({ length: 20 }, (_, i) => stand.execute({ step: `s${i}`, index: i, input: put('k', i) })));
    while (stand.journal.depth().steps > 0) await settled();
    expect(stand.adapter.activeMax).toBe(1);
    const reports = await stand.reports();
    expect(reports.map(report => report.step)).toEqual(Array.from({ length: 20 }, (_, i) => `s${i}`));
    const was = await Promise.all(reports.map(report => stand.vault.unsealAll({ tenant: 'acme', workflow: workflowId(1) }, report.output!)));
    expect(was).toEqual([{ was: null }, ...Array.from({ length: 19 }, (_, i) => ({ was: i }))]);
    const sequences = reports.map(report => report.actSequence!);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(new Set(sequences).size).toBe(20);
  });

  it('wait again for what they come to touch while they wait', async () => {
    const stand = await aStand();
    // As a folder that was there when it queued, and that the one before it takes away.
    stand.adapter.alsoOn = ({ step }) => (step === 'other' || (step === 'mover' && stand.adapter.target.values.has('k')) ? ['folder'] : []);
    const go = new Map<string, () => void>();
    stand.adapter.before = (method, { step }) => (method === 'execute' && step !== 'mover' ? new Promise<void>(resolve => go.set(step, resolve)) : undefined);
    await stand.send(stand.execute({ step: 'first', index: 0, input: put('k') }), stand.execute({ step: 'mover', index: 1, input: put('k') }), stand.execute({ step: 'other', index: 2, input: put('o') }));
    go.get('first')!();
    await settled();
    expect(await stand.outcomes()).toEqual(['first forward succeeded']);
    go.get('other')!();
    await settled();
    expect(await stand.outcomes()).toEqual(['first forward succeeded', 'other forward succeeded', 'mover forward succeeded']);
    expect(stand.adapter.activeMax).toBe(2);
  });

  it('that wait for their turn are refused when their lease ends', async () => {
    const stand = await aStand();
    const release = held(stand, step => step === 's0');
    await stand.send(stand.execute({ timeoutMs: 300_000 }), stand.execute({ step: 's1', index: 1, leaseMs: 5_000 }));
    await stand.clock.advance(6_000);
    expect(await stand.outcomes()).toEqual(['s1 forward refused']);
    await release();
    expect(Object.keys(stand.effects())).toEqual([`${workflowId(1)}/s0/1/forward`]);
  });

  it('by the thousand need few commits, and those with nothing but outcomes do not wait for the disk', async () => {
    const stand = await aStand();
    for (const half of [0, 1]) {
      await stand.journal.handle(stand.batch(...Array.from({ length: 500 }, (_, i) => stand.execute({ workflow: half * 500 + i, input: put(`${half}/${i}`) }))));
    }
    await settled();
    await stand.clock.advance(1_000);
    expect(await stand.reports()).toHaveLength(1_000);
    expect(Math.max(...Object.values(stand.effects()))).toBe(1);
    expect(stand.commits.length).toBeLessThanOrEqual(6);
    expect(stand.commits.at(-1)!.durable).toBe(false);
    expect(stand.commits[0]!.durable).toBe(true);
    expect(stand.log.positions()).toEqual({ 'orchestrator/0': 1_000 });
  });

  it('have every commit on disk where clusters are separate', async () => {
    const stand = await aStand({ separateClusters: true });
    await stand.send(stand.execute());
    await stand.clock.advance(2_000);
    expect(stand.commits.every(commit => commit.durable)).toBe(true);
  });
});

describe('stopping', () => {
  it('takes nothing new, lets acts end, and leaves what waits to the next process', async () => {
    const stand = await aStand();
    const release = held(stand, step => step === 's0');
    await stand.send(stand.execute());
    stand.controlIsFresh = false;
    await stand.send(stand.execute({ step: 's1', index: 1 }));
    const stopped = stand.journal.stop(10_000);
    await expect(stand.journal.handle(stand.batch(stand.execute()))).rejects.toMatchObject({ code: 'JOURNAL_STOPPED', retryable: true });
    await release();
    await stand.clock.advance(1_000);
    await stopped;
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded']);
    expect(stand.log.positions()).toEqual({ 'orchestrator/0': 1 });
  });

  it('cuts off what takes too long and leaves it to recovery, so that it is no failure of the step', async () => {
    const stand = await aStand();
    stand.adapter.before = (method, call) => (method !== 'execute' ? undefined
      : new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(new Error('cut off')))));
    await stand.send(stand.execute());
    const stopped = stand.journal.stop(1_000);
    await stand.clock.advance(5_000);
    await stopped;
    expect(await stand.reports()).toEqual([]);
    stand.adapter.before = () => undefined;
    await stand.log.close();
    await stand.start();
    await settled();
    expect(await stand.outcomes()).toEqual(['s0 forward didNotHappen']);
  });
});

describe('retention', () => {
  const aged = async (stand: JournalStand): Promise<void> => { await stand.clock.advance(UNDO_WINDOW_MS + 10_000); };

  it('has adapters let go of what the undo window has closed over, a piece at a time and once', async () => {
    const stand = await aStand();
    for (let i = 0; i < 5; i++) await stand.send(stand.execute({ step: `s${i}`, index: i, input: put(`k${i}`) }));
    await stand.clock.advance(2_000);
    expect(await stand.journal.sweep(stand.clock.now())).toMatchObject({ forgotten: 0, more: false });
    await aged(stand);
    await stand.send(stand.execute({ step: 's9', index: 9, input: put('k9') }));
    let swept = await stand.journal.sweep(stand.clock.now(), 4);
    while (swept.more) swept = await stand.journal.sweep(stand.clock.now(), 4);
    await settled();
    expect(stand.adapter.forgotten.map(key => key.split('/')[1])).toEqual(['s0', 's1', 's2', 's3', 's4']);
    stand.crash();
    await stand.start();
    await stand.journal.sweep(stand.clock.now());
    expect(stand.adapter.forgotten).toHaveLength(5);
  });

  it('tries again what an adapter could not let go of', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    await aged(stand);
    stand.adapter.before = method => { if (method === 'forget') throw new Error('busy'); };
    expect(await stand.journal.sweep(stand.clock.now())).toMatchObject({ forgotten: 0, failed: 1 });
    stand.adapter.before = () => undefined;
    expect(await stand.journal.sweep(stand.clock.now())).toMatchObject({ forgotten: 1, failed: 0 });
  });
});
