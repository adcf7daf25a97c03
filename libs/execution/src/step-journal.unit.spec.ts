import { CRASH_POINTS, OperationalError, setCrashHook } from '@aifirst/kernel';
import type { CloudEvent, StepReported } from '@aifirst/contracts';
import { MemoryStore } from '@aifirst/store/testing';
import { aConnection, JournalStand, settled, TENANT, UNDO_WINDOW_MS, workflowId } from './testing';
import { STEP_PREPARED, STEP_REPORTED } from './journal-rows';

const aStand = (options = {}): Promise<JournalStand> => new JournalStand(options).start();
const KEY = `${workflowId(1)}/s0/1/forward`;
/** After the time in which everything is looked up first. */
const warmedUp = async (options = {}): Promise<JournalStand> => {
  const stand = await aStand(options);
  await stand.send(stand.execute({ workflow: 999, step: 'first', input: { connection: 'docs', key: 'first', value: 0 } }));
  await stand.clock.advance(20_000);
  return stand;
};

afterEach(() => setCrashHook(undefined));

describe('a forward command', () => {
  it('is prepared, done once and reported, with its cause and trace', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    expect(stand.methods()).toEqual(['prepare', 'execute']);
    expect(stand.effects()).toEqual({ [KEY]: 1 });
    const [prepared] = await stand.facts(STEP_PREPARED);
    const [reported] = await stand.facts<StepReported>(STEP_REPORTED);
    expect(prepared).toMatchObject({ tenant: TENANT, subject: workflowId(1), causationid: 'cause-forward', data: { step: 's0', direction: 'forward', capability: 'fake.put' } });
    expect(reported).toMatchObject({
      tenant: TENANT, causationid: 'cause-forward', traceparent: expect.stringMatching(/^00-/),
      data: { workflow: workflowId(1), step: 's0', index: 0, generation: 1, attempt: 1, probe: 0, outcome: 'succeeded', actSequence: 1, undoableUntil: stand.clock.now() + UNDO_WINDOW_MS },
    });
  });

  it('has its output sealed before it is written', async () => {
    const stand = await aStand({ sensitiveImages: true });
    stand.adapter.target.values.set('k', 'a secret');
    await stand.send(stand.execute());
    const text = JSON.stringify(await stand.rows());
    expect(text).not.toContain('a secret');
    const [report] = await stand.reports();
    expect(await stand.vault.unsealAll({ tenant: TENANT, workflow: workflowId(1) }, report!.output!)).toEqual({ was: 'a secret' });
    await stand.send(stand.undo());
    expect(stand.adapter.target.values.get('k')).toBe('a secret');
    expect(JSON.stringify(await stand.rows())).not.toContain('a secret');
  });

  it.each([
    ['CannotDo', { input: { connection: 'docs', key: 'k', value: 'impossible' } }, 'NO_SUCH_PLACE'],
    ['an input against its schema', { input: { connection: 'docs', key: 5, value: 1 } }, 'INVALID_INPUT'],
    ['an unknown capability', { capability: 'fake.other' }, 'UNKNOWN_CAPABILITY'],
    ['another adapter than the capability\'s', { adapter: 'sql' }, 'UNKNOWN_CAPABILITY'],
    ['an unknown connection', { connection: 'none' }, 'UNKNOWN_CONNECTION'],
    ['no connection where one is needed', { connection: null }, 'UNKNOWN_CONNECTION'],
    ['a connection of another adapter', { connection: 'crm' }, 'UNKNOWN_CONNECTION'],
  ])('fails clean by %s, with nothing done and for good', async (_why, options, code) => {
    const stand = await aStand();
    stand.connections.set('crm', { ...stand.connections.get('docs')!, name: 'crm', adapter: 'sql' });
    const command = stand.execute(options);
    await stand.send(command);
    await stand.send(command);
    expect(await stand.reports()).toMatchObject(Array(2).fill({ outcome: 'failed', error: { code, clean: true } }));
    expect(stand.effects()).toEqual({});
  });

  it('names place and rule of what is wrong with an input, but never the value', async () => {
    const stand = await aStand();
    await stand.send(stand.execute({ input: { connection: 'docs', key: 12345, value: 1 } }));
    const [report] = await stand.reports();
    expect(report!.error!.detail).toContain('`/key`');
    expect(report!.error!.detail).not.toContain('12345');
  });

  it('fails clean when prepare throws, without saying what the error says', async () => {
    const stand = await aStand();
    stand.adapter.before = method => { if (method === 'prepare') throw Object.assign(new Error('cannot open /secret/place'), { code: 'EACCES' }); };
    await stand.send(stand.execute());
    const [report] = await stand.reports();
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ADAPTER_ERROR', clean: true, detail: expect.stringContaining('`EACCES`') } });
    expect(JSON.stringify(report)).not.toContain('secret');
  });

  it('is unknown when execute throws, and its probe settles it', async () => {
    const stand = await aStand();
    stand.adapter.after = method => { if (method === 'execute') throw new Error('the line is dead'); };
    await stand.send(stand.execute());
    await stand.send(stand.probe());
    await stand.send(stand.probe({ probe: 2 }));
    expect(await stand.reports()).toMatchObject([
      { outcome: 'unknown', probe: 0, error: { code: 'ADAPTER_ERROR', clean: false } }, { outcome: 'succeeded', probe: 1 }, { outcome: 'succeeded', probe: 2 },
    ]);
    expect(stand.effects()).toEqual({ [KEY]: 1 });
  });

  it('is unknown when its output is not as the schema says, and the output is stored nowhere', async () => {
    const stand = await aStand();
    stand.adapter.answer = method => (method === 'execute' ? { outcome: 'succeeded', output: { surprise: 'a secret' }, after: {} } : undefined);
    await stand.send(stand.execute());
    expect(await stand.reports()).toMatchObject([{ outcome: 'unknown', error: { code: 'ADAPTER_ERROR' } }]);
    expect(JSON.stringify(await stand.rows())).not.toContain('a secret');
  });

  it('fails clean when its key is erased', async () => {
    const stand = await aStand();
    const scope = { tenant: TENANT, workflow: workflowId(1) };
    const value = { ...await stand.vault.seal(scope, 'content', 'x') };
    await stand.vault.erase(scope);
    await stand.send(stand.execute({ input: { connection: 'docs', key: 'k', value } }));
    expect(await stand.reports()).toMatchObject([{ outcome: 'failed', error: { code: 'ERASED' } }]);
  });

  it('fails clean when a reference into a sealed value leads nowhere', async () => {
    const stand = await aStand();
    const value = { ...await stand.vault.seal({ tenant: TENANT, workflow: workflowId(1) }, 'content', { a: 1 }), pointer: '/b' };
    await stand.send(stand.execute({ input: { connection: 'docs', key: 'k', value } }));
    expect(await stand.reports()).toMatchObject([{ outcome: 'failed', error: { code: 'REFERENCE_UNRESOLVED', clean: true } }]);
  });

  it('waits while a connection can\'t be had right now', async () => {
    let down = true;
    const resolve = async () => { if (down) throw new OperationalError('GATEWAY_UNAVAILABLE', 'down', { retryable: true }); return aConnection(); };
    const stand = new JournalStand({ connections: { resolve } });
    await stand.start();
    await stand.send(stand.execute());
    await stand.clock.advance(5_000);
    expect(await stand.reports()).toEqual([]);
    down = false;
    await stand.clock.advance(1_000);
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded']);
  });
});

describe('a time-out', () => {
  it('aborts the act; one that stops by itself says what came of it', async () => {
    const stand = await aStand();
    stand.adapter.before = (method, call) => (method === 'execute' ? new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(new Error('stopped')))) : undefined);
    await stand.send(stand.execute({ timeoutMs: 1_000 }));
    await stand.clock.advance(1_050);
    expect(await stand.reports()).toMatchObject([{ outcome: 'unknown', error: { code: 'ADAPTER_ERROR' } }]);
  });

  it('is reported as unknown when the adapter does not come back, and a late result settles the probe', async () => {
    const stand = await aStand();
    let finish!: () => void;
    stand.adapter.after = method => (method === 'execute' ? new Promise(resolve => { finish = resolve; }) : undefined);
    await stand.send(stand.execute({ timeoutMs: 1_000 }));
    await stand.clock.advance(1_200);
    expect(await stand.reports()).toMatchObject([{ outcome: 'unknown', error: { code: 'TIMEOUT', clean: false } }]);
    await stand.send(stand.probe());
    await stand.send(stand.undo());
    expect((await stand.reports()).slice(1)).toMatchObject([{ outcome: 'cannotTell', probe: 1 }, { outcome: 'blocked', error: { code: 'OUTCOME_UNKNOWN' } }]);
    finish();
    await settled();
    expect(await stand.reports()).toHaveLength(3);
    await stand.send(stand.probe({ probe: 2 }));
    expect((await stand.reports()).at(-1)).toMatchObject({ outcome: 'succeeded', probe: 2 });
    expect(stand.methods()).not.toContain('probe');
  });

  it('of prepare is a clean failure', async () => {
    const stand = await aStand();
    stand.adapter.before = method => (method === 'prepare' ? new Promise(() => undefined) : undefined);
    await stand.send(stand.execute({ timeoutMs: 1_000 }));
    await stand.clock.advance(2_000);
    expect(await stand.reports()).toMatchObject([{ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } }]);
  });
});

describe('repeats', () => {
  it.each([['looked up first', aStand], ['found by the claim', warmedUp]])('are answered from the journal, %s', async (_how, start) => {
    const stand = await start();
    const command = stand.execute();
    await stand.send(command);
    stand.crash();
    await stand.start();
    if (start === warmedUp) await stand.clock.advance(20_000);
    await stand.send(command, stand.execute({ step: 's1', index: 1 }), command);
    expect((await stand.outcomes()).slice(start === warmedUp ? 1 : 0).sort()).toEqual(['s0 forward succeeded', 's0 forward succeeded', 's1 forward succeeded']);
    expect(stand.effects()[KEY]).toBe(1);
  });

  it('are ignored while the act is under way', async () => {
    const stand = await aStand();
    let finish!: () => void;
    stand.adapter.after = method => (method === 'execute' ? new Promise(resolve => { finish = resolve; }) : undefined);
    const command = stand.execute();
    await stand.send(command, command);
    await stand.send(command, stand.probe());
    finish();
    await settled();
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded']);
  });

  it('of another generation are another call', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    await stand.send(stand.execute({ generation: 2 }));
    expect(Object.values(stand.effects())).toEqual([1, 1]);
  });

  it('with an expired lease are answered from the journal, not refused', async () => {
    const stand = await aStand();
    const command = stand.execute();
    await stand.send(command);
    await stand.clock.advance(120_000);
    stand.crash();
    await stand.start();
    await stand.clock.advance(20_000);
    await stand.send(command);
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded', 's0 forward succeeded']);
  });
});

describe('a probe', () => {
  it('of what was never heard of closes the key, so that a late command can\'t act', async () => {
    const stand = await aStand();
    await stand.send(stand.probe({ probe: 3 }));
    await stand.send(stand.execute());
    expect(await stand.reports()).toMatchObject([{ outcome: 'didNotHappen', probe: 3 }, { outcome: 'didNotHappen', probe: 0 }]);
    expect(stand.adapter.calls).toEqual([]);
  });

  it('calls off what only waits', async () => {
    const stand = await aStand();
    stand.controlIsFresh = false;
    await stand.send(stand.execute());
    await stand.send(stand.probe());
    stand.controlIsFresh = true;
    await stand.clock.advance(1_000);
    expect(await stand.outcomes()).toEqual(['s0 forward didNotHappen']);
    expect(stand.effects()).toEqual({});
    await stand.clock.advance(2_000);
    expect(stand.log.positions()).toEqual({ 'orchestrator/0': 2 });
  });

  it('that can\'t tell is not final', async () => {
    const stand = await aStand();
    stand.adapter.after = method => { if (method === 'execute') throw new Error('lost'); };
    let silent = true;
    stand.adapter.answer = method => (method === 'probe' && silent ? { outcome: 'cannotTell', detail: 'no answer' } : undefined);
    await stand.send(stand.execute());
    await stand.send(stand.probe());
    silent = false;
    await stand.send(stand.probe({ probe: 2 }));
    expect(await stand.outcomes()).toEqual(['s0 forward unknown', 's0 forward cannotTell', 's0 forward succeeded']);
  });

  it('finds a connection that leads somewhere else by now, and touches nothing there', async () => {
    const stand = await aStand();
    stand.adapter.after = method => { if (method === 'execute') throw new Error('lost'); };
    await stand.send(stand.execute());
    stand.connections.set('docs', { ...stand.connections.get('docs')!, digest: 'sha256:elsewhere' });
    await stand.send(stand.probe());
    expect(await stand.outcomes()).toEqual(['s0 forward unknown', 's0 forward cannotTell']);
    expect(stand.methods()).not.toContain('probe');
  });
});

describe('an undo', () => {
  it('puts back what was before, is verified, and is done once', async () => {
    const stand = await aStand();
    stand.adapter.target.values.set('k', 'before');
    await stand.send(stand.execute());
    await stand.send(stand.undo());
    await stand.send(stand.undo());
    await stand.send(stand.undo({ attempt: 2 }));
    expect(stand.adapter.target.values.get('k')).toBe('before');
    expect(stand.adapter.target.undone).toHaveLength(1);
    expect((await stand.reports()).slice(1)).toMatchObject([
      { outcome: 'succeeded', direction: 'undo', attempt: 1, verified: true }, { outcome: 'succeeded', attempt: 1, verified: true }, { outcome: 'succeeded', attempt: 2, verified: true },
    ]);
  });

  it('is blocked by somebody else\'s change, and tried again under the next attempt', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    stand.adapter.target.values.set('k', 'theirs');
    await stand.send(stand.undo());
    expect(stand.adapter.target.values.get('k')).toBe('theirs');
    stand.adapter.target.values.set('k', 1);
    await stand.send(stand.undo());
    await stand.send(stand.undo({ attempt: 2 }));
    expect((await stand.reports()).slice(1)).toMatchObject([{ outcome: 'blocked', conflict: { resource: 'k' } }, { outcome: 'blocked' }, { outcome: 'succeeded', attempt: 2 }]);
    expect(stand.adapter.target.values.has('k')).toBe(false);
  });

  it('of what was never heard of closes the forward key', async () => {
    const stand = await aStand();
    await stand.send(stand.undo());
    await stand.send(stand.execute());
    expect(stand.effects()).toEqual({});
    expect(await stand.outcomes()).toEqual(['s0 forward didNotHappen', 's0 undo succeeded', 's0 forward didNotHappen']);
  });

  it('of what failed clean has nothing to do', async () => {
    const stand = await aStand();
    const input = { connection: 'docs', key: 'k', value: 'impossible' };
    await stand.send(stand.execute({ input }));
    await stand.send(stand.undo({ input }));
    expect((await stand.reports()).at(-1)).toMatchObject({ outcome: 'succeeded', verified: false, reason: 'nothing had been done' });
  });

  it('of an unknown outcome finds it out first', async () => {
    const stand = await aStand();
    stand.adapter.after = method => { if (method === 'execute') throw new Error('lost'); };
    await stand.send(stand.execute());
    await stand.send(stand.undo());
    expect(await stand.outcomes()).toEqual(['s0 forward unknown', 's0 forward succeeded', 's0 undo succeeded']);
    expect(stand.adapter.target.values.has('k')).toBe(false);
  });

  it.each([
    ['the key is erased', async (stand: JournalStand) => stand.vault.erase({ tenant: TENANT, workflow: workflowId(1) }), 'ERASED'],
    ['the undo window is over', async (stand: JournalStand) => stand.clock.advance(UNDO_WINDOW_MS + 1), 'UNDO_WINDOW_OVER'],
    ['the connection leads somewhere else', async (stand: JournalStand) => { stand.connections.set('docs', { ...stand.connections.get('docs')!, digest: 'x' }); }, 'TARGET_CHANGED'],
    ['the connection is gone', async (stand: JournalStand) => { stand.connections.delete('docs'); }, 'UNKNOWN_CONNECTION'],
  ])('is blocked when %s', async (_why, happen, code) => {
    const stand = await aStand({ sensitiveImages: true });
    await stand.send(stand.execute());
    await happen(stand);
    await stand.send(stand.undo());
    expect((await stand.reports()).at(-1)).toMatchObject({ outcome: 'blocked', error: { code } });
    expect(stand.methods()).not.toContain('undo');
  });

  it('over the changes of others is not pretended', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    await stand.send(stand.undo({ onConflict: 'force' }));
    expect((await stand.reports()).at(-1)).toMatchObject({ outcome: 'blocked', error: { code: 'NOT_IMPLEMENTED' } });
  });

  it('is carried on by a probe when it was left open, and closed when it was never heard of', async () => {
    const stand = await aStand();
    stand.adapter.after = method => { if (method === 'undo') throw new Error('lost'); };
    await stand.send(stand.execute());
    await stand.send(stand.probe({ direction: 'undo', attempt: 7 }));
    await stand.send(stand.undo());
    stand.adapter.after = () => undefined;
    await stand.send(stand.probe({ direction: 'undo', probe: 1 }));
    expect((await stand.reports()).slice(1)).toMatchObject([
      { outcome: 'didNotHappen', direction: 'undo', attempt: 7, probe: 1 }, { outcome: 'unknown', direction: 'undo' }, { outcome: 'succeeded', direction: 'undo', verified: true },
    ]);
    expect(stand.adapter.target.undone).toHaveLength(1);
  });
});

describe('a kill at any point', () => {
  const points = CRASH_POINTS.filter(point => point.startsWith('adapter.'));

  it.each(points)('at %s leaves each step done and undone once, and reported', async point => {
    const stand = await aStand();
    stand.adapter.target.values.set('k', 'before');
    const redeliver = async (command: CloudEvent): Promise<void> => {
      await stand.journal.handle(stand.batch(command)).catch(() => undefined);
      await settled();
    };
    const killed = async (command: CloudEvent): Promise<void> => {
      stand.crashAt(point);
      await redeliver(command);
      const direction = command.type.includes('undo') ? 'undo' : 'act';
      const isPassed = point.includes(direction) || !/undo|act/.test(point);
      expect(stand.fatal.splice(0).map(String)).toEqual(isPassed ? [`Error: killed at ${point}`] : []);
      setCrashHook(undefined);
      stand.crash();
      await stand.start();
      await settled();
      await redeliver(command);
    };
    await killed(stand.execute());
    const forward = (await stand.reports()).filter(report => report.direction === 'forward').at(-1)!;
    expect(['succeeded', 'didNotHappen']).toContain(forward.outcome);
    expect(stand.effects()).toEqual(forward.outcome === 'succeeded' ? { [KEY]: 1 } : {});
    const generation = forward.outcome === 'succeeded' ? 1 : 2;
    if (generation === 2) await redeliver(stand.execute({ generation }));
    expect(stand.adapter.target.values.get('k')).toBe(1);

    await killed(stand.undo({ generation }));
    expect((await stand.reports()).at(-1)).toMatchObject({ direction: 'undo', outcome: 'succeeded', verified: true });
    expect(stand.adapter.target.values.get('k')).toBe('before');
    expect(Object.values(stand.effects())).toEqual([1]);
    expect(stand.adapter.target.undone).toHaveLength(1);
    expect(stand.journal.depth()).toMatchObject({ steps: 0, waiting: 0, open: 0 });
  });

  it('is recovered from without any command: open claims are probed and reported', async () => {
    const stand = await aStand();
    stand.crashAt('adapter.act.after');
    await stand.send(stand.execute());
    await stand.start();
    await settled();
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded']);
    expect(stand.methods()).toEqual(['prepare', 'execute', 'probe']);
    stand.crash();
    await stand.start();
    await settled();
    expect(stand.methods()).toHaveLength(3);
  });

  it('says INTERRUPTED once when nobody can tell, and leaves the rest to those who ask', async () => {
    const stand = await aStand();
    stand.adapter.answer = method => (method === 'probe' ? { outcome: 'cannotTell', detail: 'no answer' } : undefined);
    stand.crashAt('adapter.act.before');
    await stand.send(stand.execute());
    await stand.start();
    await settled();
    expect(await stand.reports()).toMatchObject([{ outcome: 'unknown', error: { code: 'INTERRUPTED' } }]);
    stand.crash();
    await stand.start();
    await settled();
    expect(await stand.reports()).toHaveLength(1);
  });

  it('moves the low-water mark past all that is settled', async () => {
    const stand = await aStand();
    let finish!: () => void;
    stand.adapter.after = (method, call) => (method === 'execute' && call.step === 's0' ? new Promise(resolve => { finish = resolve; }) : undefined);
    await stand.send(stand.execute());
    for (let i = 1; i < 5; i++) await stand.send(stand.execute({ step: `s${i}`, index: i, input: { connection: 'docs', key: `k${i}`, value: 1 } }));
    expect(stand.log.lowWater()).toBe(1);
    finish();
    await settled();
    expect(stand.log.lowWater()).toBeGreaterThan(5);
  });
});

describe('the control state', () => {
  it.each([
    ['an expired lease', { leaseMs: -1 }],
    ['a control epoch that has moved', { controlEpoch: 0 }],
  ])('refuses %s, and closes the key', async (_why, options) => {
    const stand = await aStand();
    await stand.send(stand.execute(options));
    expect(await stand.reports()).toMatchObject([{ outcome: 'refused', error: { code: 'LEASE_EXPIRED', clean: true } }]);
    await stand.send(stand.execute());
    expect(await stand.outcomes()).toEqual(['s0 forward refused', 's0 forward refused']);
    expect(stand.adapter.calls).toEqual([]);
  });

  it('holds forward steps while it is older than two seconds, but no undo', async () => {
    const stand = await aStand();
    await stand.send(stand.execute());
    stand.controlIsFresh = false;
    stand.control = { epoch: 1, asOf: stand.clock.now() };
    await stand.clock.advance(2_001);
    await stand.send(stand.undo(), stand.execute({ step: 's1', index: 1 }));
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded', 's0 undo succeeded']);
    stand.control = { epoch: 1, asOf: stand.clock.now() };
    await stand.clock.advance(100);
    expect((await stand.outcomes()).at(-1)).toBe('s1 forward succeeded');
  });

  it('is waited for when a lease is of a later epoch than the one known, up to the end of the lease', async () => {
    const stand = await aStand();
    await stand.send(stand.execute({ controlEpoch: 2 }));
    await stand.clock.advance(30_000);
    expect(await stand.reports()).toEqual([]);
    await stand.clock.advance(31_000);
    expect(await stand.outcomes()).toEqual(['s0 forward refused']);
  });

  it('is looked at again when the claim took long to commit', async () => {
    const store = new MemoryStore({ serviceName: 'adapter-os' });
    const stand = await new JournalStand({}, store).start();
    let down = true;
    store.fate = () => (down ? 'refused' : 'stored');
    await stand.send(stand.execute());
    await stand.clock.advance(3_000);
    stand.control = { epoch: 2, asOf: 0 };
    down = false;
    await stand.clock.advance(3_000);
    expect(await stand.outcomes()).toEqual(['s0 forward didNotHappen']);
    expect(stand.effects()).toEqual({});
  });
});

describe('a commit', () => {
  it.each(['unknownStored', 'unknownAbsent'] as const)('whose answer is lost (%s) is made sure of, and acts follow once', async fate => {
    const store = new MemoryStore({ serviceName: 'adapter-os' });
    const stand = await new JournalStand({}, store).start();
    let left = 3;
    store.fate = () => (left-- > 0 ? fate : 'stored');
    await stand.send(stand.execute(), stand.execute({ step: 's1', index: 1 }));
    await stand.clock.advance(10_000);
    expect(await stand.outcomes()).toEqual(['s0 forward succeeded', 's1 forward succeeded']);
    expect(Object.values(stand.effects())).toEqual([1, 1]);
  });

  it('by a writer that was replaced ends the journal, and nothing is done any more', async () => {
    const stand = await aStand();
    const old = stand.journal;
    await stand.start();
    await expect((async () => { for (;;) { await old.handle(stand.batch(stand.execute())); await settled(); } })()).rejects.toMatchObject({ code: 'FENCED' });
    expect(stand.effects()).toEqual({});
    expect(stand.fatal).toHaveLength(1);
  });
});
