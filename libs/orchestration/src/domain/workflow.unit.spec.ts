import fc from 'fast-check';
import type { PlannedStep } from '@aifirst/contracts';
import { aStep, aWorkflow, TENANT, WorkflowHarness } from '../testing/workflow-harness';
import { evolve } from './evolve';
import { outstanding, wakeAt } from './wake';
import { hasEnded, type Workflow } from './workflow';

const begun = (steps: readonly PlannedStep[], change = {}) => new WorkflowHarness().submit(aWorkflow(steps, change));
const chain = (...ids: string[]) => ids.map((id, index) => aStep(id, index === 0 ? {} : { after: [index - 1] }));
const write = (id: string, path: string, change: Partial<PlannedStep> = {}) => aStep(id, {
  capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change,
});

describe('forward', () => {
  it('asks policy once for the whole plan and starts nothing before the answer', () => {
    const run = begun(chain('a', 'b'));
    expect(run.sent.map(c => c.name)).toEqual(['DecidePlan']);
    expect(run.status).toBe('pending');
  });
  it('runs a chain in order and completes', () => {
    const run = begun(chain('a', 'b', 'c')).decided();
    expect(run.commands('ExecuteStep')).toEqual(['a']);
    run.report('a', 'succeeded').report('b', 'succeeded').report('c', 'succeeded');
    expect(run.commands('ExecuteStep')).toEqual(['a', 'b', 'c']);
    expect(run.status).toBe('completed');
    expect(outstanding(run.state!, 1)).toEqual([]);
    expect(wakeAt(run.state!, run.at)).toBeNull();
  });
  it('starts independent steps together', () => {
    expect(begun([aStep('a'), aStep('b')]).decided().commands('ExecuteStep')).toEqual(['a', 'b']);
  });
  it('never runs two steps at once that touch one thing', () => {
    const run = begun([write('a', 'x'), write('b', 'x/y'), write('c', 'z')]).decided();
    expect(run.commands('ExecuteStep')).toEqual(['a', 'c']);
    expect(run.report('a', 'succeeded').commands('ExecuteStep')).toEqual(['a', 'c', 'b']);
  });
  it('rejects the plan whole when a step is denied', () => {
    const run = begun(chain('a', 'b')).decided(step => (step === 'b' ? { outcome: 'deny', code: 'POLICY_DENIED', reason: 'no' } : {}));
    expect(run.status).toBe('rejected');
    expect(run.statusOf('a')).toBe('skipped');
    expect(run.state!.steps[1]!.error).toEqual({ code: 'POLICY_DENIED', detail: 'no', clean: true });
    expect(run.commands('ExecuteStep')).toEqual([]);
  });
  it('asks again for a step whose reference has become known, and puts the value in', () => {
    const run = begun([aStep('a'), aStep('b', { after: [0], hasReferences: true, input: { value: { $ref: '#/steps/a/output/value' } } })]).decided();
    run.report('a', 'succeeded');
    expect(run.commands('ExecuteStep')).toEqual(['a']);
    run.decided();
    expect(run.sent.at(-1)).toMatchObject({ name: 'ExecuteStep', data: { step: 'b', input: { value: 'a' } } });
  });
  it('fails clean where a reference leads nowhere', () => {
    const run = begun([aStep('a'), aStep('b', { after: [0], hasReferences: true, input: { value: { $ref: '#/steps/a/output/nowhere' } } })]).decided().report('a', 'succeeded');
    expect(run.state!.steps[1]!.error!.code).toBe('REFERENCE_UNRESOLVED');
    expect(run.status).toBe('rollingBack');
  });
  it('asks again when the control epoch has moved or the lease is nearly over', () => {
    const run = begun(chain('a', 'b')).decided();
    run.control = { epoch: 2, hold: null };
    run.report('a', 'succeeded');
    expect(run.commands('ExecuteStep')).toEqual(['a']);
    expect(run.commands('DecidePlan')).toHaveLength(2);
  });
  it('starts nothing while it does not know what holds', () => {
    const run = new WorkflowHarness();
    run.control = { epoch: null, hold: null };
    run.submit(aWorkflow([aStep('a')]));
    expect(run.sent).toEqual([]);
    run.control = { epoch: 1, hold: null };
    expect(run.wait(1).commands('DecidePlan')).toHaveLength(1);
  });
});

describe('failures', () => {
  it('retries a clean failure in the next generation after a pause, asking policy anew', () => {
    const run = begun([aStep('a', { attemptsMax: 2 })]).decided().report('a', 'failed');
    expect(run.statusOf('a')).toBe('pending');
    expect(run.state!.steps[0]).toMatchObject({ generation: 2, retryAt: run.at + 200 });
    run.wait(100);
    expect(run.commands('DecidePlan')).toHaveLength(1);
    run.wait(100).decided();
    expect(run.commands('ExecuteStep')).toEqual(['a', 'a']);
    run.report('a', 'failed');
    expect(run.status).toBe('rolledBack');
  });
  it('undoes in reverse causal order and ends rolled back', () => {
    const run = begun(chain('a', 'b', 'c')).decided().report('a', 'succeeded').report('b', 'succeeded').report('c', 'failed');
    expect(run.commands('UndoStep')).toEqual(['b']);
    run.report('b', 'succeeded');
    expect(run.commands('UndoStep')).toEqual(['b', 'a']);
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('waits for what still runs and undoes that too', () => {
    const run = begun([aStep('a'), aStep('b')]).decided().report('a', 'failed');
    expect(run.status).toBe('rollingBack');
    run.report('b', 'succeeded');
    expect(run.commands('UndoStep')).toEqual(['b']);
    expect(run.report('b', 'succeeded').status).toBe('rolledBack');
  });
  it('parks with what is blocked, undoes the rest, and tries again on demand', () => {
    const run = begun([write('a', 'x'), write('b', 'y'), aStep('c', { after: [0, 1] })]).decided().report('a', 'succeeded').report('b', 'succeeded').report('c', 'failed');
    expect(run.commands('UndoStep')).toEqual(['b']);
    run.report('b', 'blocked', { conflict: { resource: 'file://w/y', what: 'changed', expected: '1', found: '2' } });
    expect(run.commands('UndoStep')).toEqual(['b', 'a']);
    run.report('a', 'succeeded');
    expect(run.status).toBe('rollbackBlocked');
    expect(run.statusOf('a')).toBe('undone');
    run.order({ order: 'rollback', reason: 'put right by hand' });
    expect(run.status).toBe('rollingBack');
    expect(run.report('b', 'succeeded').status).toBe('rolledBack');
  });
  it('keeps what stands when told so, and says what that is', () => {
    const run = begun([write('a', 'x'), aStep('b', { after: [0] }), aStep('c', { after: [1] })], { onFailure: 'keep' }).decided().report('a', 'succeeded').report('b', 'failed');
    expect(run.status).toBe('failed');
    expect(run.facts.at(-1)!.fact).toMatchObject({ name: 'WorkflowEnded', residue: [{ step: 'a', resource: 'file://w/x' }] });
    expect(run.statusOf('c')).toBe('skipped');
  });
  it('pauses when told so; a person retries, skips or rolls back', () => {
    const paused = () => begun(chain('a', 'b'), { onFailure: 'pause' }).decided().report('a', 'succeeded').report('b', 'failed');
    expect(paused().status).toBe('paused');
    expect(paused().order({ order: 'resume', failedStep: 'retry' }).decided().report('b', 'succeeded').status).toBe('completed');
    expect(paused().order({ order: 'resume', failedStep: 'skip' }).status).toBe('completed');
    expect(paused().order({ order: 'rollback', reason: 'no' }).report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('fails over the deadline', () => {
    expect(begun([aStep('a')], { deadlineMs: 1_000 }).decided().wait(1_000).status).toBe('rollingBack');
  });
});

describe('unknown outcomes', () => {
  it('probes, and goes on when it happened', () => {
    const run = begun(chain('a')).decided().report('a', 'unknown');
    expect(run.statusOf('a')).toBe('unknown');
    expect(run.commands('ProbeStep')).toEqual(['a']);
    expect(run.report('a', 'succeeded').status).toBe('completed');
  });
  it('counts what did not happen as the failure that it reported', () => {
    expect(begun(chain('a')).decided().report('a', 'unknown').report('a', 'didNotHappen').status).toBe('rolledBack');
  });
  it('runs again what a crash cut off', () => {
    const run = begun(chain('a')).decided().report('a', 'didNotHappen').decided();
    expect(run.commands('ExecuteStep')).toEqual(['a', 'a']);
    expect(run.state!.steps[0]!.generation).toBe(2);
  });
  it('leaves to a person what nobody can tell', () => {
    const parked = () => {
      const run = begun(chain('a', 'b')).decided().report('a', 'unknown').report('a', 'cannotTell').wait(500).report('a', 'cannotTell').wait(2_000).report('a', 'cannotTell');
      expect(run.state!.paused).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      return run;
    };
    expect(parked().order({ order: 'resolve', step: 'a', outcome: 'succeeded', reason: 'seen' }).report('b', 'succeeded').status).toBe('completed');
    expect(parked().order({ order: 'resolve', step: 'a', outcome: 'didNotHappen', reason: 'looked' }).status).toBe('rolledBack');
    expect(() => parked().order({ order: 'resolve', step: 'b', outcome: 'succeeded', reason: 'x' })).toThrow('its outcome is not unknown');
    expect(() => parked().order({ order: 'resolve', step: 'z', outcome: 'succeeded', reason: 'x' })).toThrow('has no step');
  });
  it('asks after a step that never reports', () => {
    const run = begun(chain('a')).decided().wait(30_000 + 10_000);
    expect(run.statusOf('a')).toBe('unknown');
    expect(run.commands('ProbeStep')).toEqual(['a']);
  });
  it('probes an undo whose outcome is unknown, and parks it in the end', () => {
    const run = begun(chain('a', 'b')).decided().report('a', 'succeeded').report('b', 'failed').report('a', 'unknown').report('a', 'cannotTell').wait(500).report('a', 'cannotTell').wait(2_000).report('a', 'cannotTell');
    expect(run.status).toBe('rollbackBlocked');
    expect(run.order({ order: 'resolve', step: 'a', outcome: 'succeeded', reason: 'looked' }).status).toBe('rolledBack');
  });
});

describe('control', () => {
  it('holds under a kill switch, lets running steps end, and goes on when it is lifted', () => {
    const run = begun(chain('a', 'b')).decided();
    run.control = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'stop', includeUndo: false, rollback: false } };
    run.wait(1);
    expect(run.state!.paused!.code).toBe('KILL_SWITCH');
    run.report('a', 'succeeded');
    expect(run.commands('ExecuteStep')).toEqual(['a']);
    expect(() => run.order({ order: 'resume' })).toThrow('goes on by itself');
    run.control = { epoch: 3, hold: null };
    expect(run.wait(1).decided().report('b', 'succeeded').status).toBe('completed');
  });
  it('undoes what is open when the switch says so', () => {
    const run = begun(chain('a', 'b')).decided().report('a', 'succeeded').report('b', 'unknown');
    run.control = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'stop', includeUndo: false, rollback: true } };
    expect(run.wait(1).status).toBe('rollingBack');
  });
  it('does not stop an undo unless the switch says so', () => {
    const run = begun(chain('a', 'b')).decided().report('a', 'succeeded');
    run.control = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'stop', includeUndo: true, rollback: false } };
    run.order({ order: 'rollback', reason: 'x' }).report('b', 'failed');
    expect(run.commands('UndoStep')).toEqual([]);
    run.control = { epoch: 3, hold: null };
    expect(run.wait(1).commands('UndoStep')).toEqual(['a']);
  });
  it('does not ask in circles while policy knows of a hold that is not known here yet', () => {
    const run = begun(chain('a')).decided(() => ({ outcome: 'defer', code: 'KILL_SWITCH' }));
    expect(run.wait(10).commands('DecidePlan')).toHaveLength(1);
    run.control = { epoch: 2, hold: null };
    expect(run.wait(10).commands('DecidePlan')).toHaveLength(2);
  });
});

describe('orders', () => {
  it('cancels before any effect, and later acts as onFailure', () => {
    expect(begun(chain('a')).order({ order: 'cancel' }).status).toBe('cancelled');
    expect(begun(chain('a', 'b')).decided().report('a', 'succeeded').order({ order: 'cancel' }).report('b', 'failed').report('a', 'succeeded').status).toBe('rolledBack');
    expect(begun(chain('a', 'b'), { onFailure: 'keep' }).decided().report('a', 'succeeded').order({ order: 'cancel' }).report('b', 'failed').status).toBe('failed');
  });
  it.each(['rollback', 'pause', 'keep'] as const)('cancels while a step runs that only reads, once that has ended, whatever onFailure says (%s)', onFailure => {
    const run = begun([aStep('a', { reversibility: 'readOnly' }), aStep('b', { after: [0] })], { onFailure }).decided().order({ order: 'cancel' });
    expect(run.status).toBe('rollingBack');
    expect(run.report('a', 'succeeded').status).toBe('cancelled');
    expect(run.statusOf('b')).toBe('skipped');
  });
  it('ends cancelled where the step under way turns out to have done nothing', () => {
    expect(begun(chain('a')).decided().order({ order: 'cancel' }).report('a', 'failed').status).toBe('cancelled');
  });
  it('pauses and resumes', () => {
    const run = begun(chain('a', 'b')).decided().order({ order: 'pause' }).report('a', 'succeeded');
    expect(run.commands('ExecuteStep')).toEqual(['a']);
    expect(run.order({ order: 'resume' }).commands('ExecuteStep')).toEqual(['a', 'b']);
  });
  it('rolls back what has long completed', () => {
    const run = begun([write('a', 'x')]).decided().report('a', 'succeeded');
    expect(run.status).toBe('completed');
    run.wait(7 * 86_400_000).order({ order: 'rollback', reason: 'a week later' });
    expect(run.names()).toContain('LocksTaken');
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
  it.each(['rollback', 'cancel', 'pause', 'resume'] as const)('refuses to %s what is rolled back, naming the status', name => {
    const run = begun(chain('a')).decided().report('a', 'failed');
    expect(() => run.order({ order: name, reason: 'x' } as never)).toThrow('`rolledBack`');
  });
});

describe('locks', () => {
  it('takes the known footprint whole before the first effect', () => {
    const run = begun([write('a', 'p/x'), write('b', 'q', { after: [0] })]);
    run.grantLocks = false;
    run.decided();
    expect(run.commands('ExecuteStep')).toEqual([]);
    expect(run.wants).toEqual([{ resource: 'file://w', mode: 'intentWrite' }, { resource: 'file://w/p', mode: 'intentWrite' }, { resource: 'file://w/p/x', mode: 'write' }, { resource: 'file://w/q', mode: 'write' }]);
    run.bring({ type: 'LocksGranted', locks: run.wants as never });
    expect(run.commands('ExecuteStep')).toEqual(['a']);
  });
  it('yields to an older workflow: undoes and begins again, five times at most', () => {
    const run = begun([write('a', 'x'), write('b', 'y', { after: [0] })]).decided();
    for (let restarts = 1; restarts <= 5; restarts++) {
      run.report('a', 'succeeded').bring({ type: 'LocksRefused', holder: 'older', locks: [] });
      if (run.statusOf('b') === 'running') run.report('b', 'failed');
      run.report('a', 'succeeded').decided();
      expect(run.state!.restarts).toBe(restarts);
    }
    run.report('a', 'succeeded').report('b', 'failed').report('a', 'succeeded');
    expect(run.status).toBe('rolledBack');
  });
  it('lets go of its locks when it yields, and begins again only with what it yielded for', () => {
    const run = begun([write('a', 'x'), write('b', 'y', { after: [0] })]).decided();
    run.report('a', 'succeeded').bring({ type: 'LocksRefused', holder: 'older', locks: [{ resource: 'file://w/late', mode: 'write' }] });
    if (run.statusOf('b') === 'running') run.report('b', 'failed');
    run.grantLocks = false;
    run.report('a', 'succeeded').decided();
    expect(run.names().slice(run.names().indexOf('LocksLost'))).toEqual(['LocksLost', 'WorkflowRestarted', 'PolicyAsked', 'PolicyDecided']);
    expect(run.state!.locks).toEqual([]);
    expect(run.wants.map(({ resource }) => resource)).toEqual(['file://w', 'file://w/late', 'file://w/x', 'file://w/y']);
  });
});

describe('long workflows', () => {
  it('of a thousand steps in a chain are undone in no time', () => {
    const run = begun(Array.from({ length: 1_000 }, (_, at) => aStep(`s${at}`, { after: at === 0 ? [] : [at - 1] }))).decided();
    for (let at = 0; at < 999; at++) run.report(`s${at}`, 'succeeded');
    run.report('s999', 'failed');
    const began = performance.now();
    for (let at = 998; at >= 0; at--) run.report(`s${at}`, 'succeeded');
    expect(run.status).toBe('rolledBack');
    // Why so much: shared machines. It takes a second; with a look at every pair of steps it took minutes.
    expect(performance.now() - began).toBeLessThan(20_000);
  }, 60_000);
});

describe('laws', () => {
  const inputs = fc.array(fc.tuple(fc.nat(3), fc.constantFrom('succeeded', 'failed', 'unknown', 'didNotHappen', 'refused', 'cannotTell', 'blocked', 'decide', 'tick', 'repeat', 'pause', 'resume', 'rollback', 'skip', 'cancel', 'kill', 'lift')), { maxLength: 60 });
  const graph = fc.array(fc.tuple(fc.array(fc.nat(3)), fc.constantFrom(1, 2), fc.boolean()), { minLength: 1, maxLength: 4 });

  const play = (shape: readonly (readonly [readonly number[], number, boolean])[], script: readonly (readonly [number, string])[], onFailure: 'rollback' | 'pause' | 'keep') => {
    const steps = shape.map(([after, attemptsMax, file], index) => {
      const change = { after: [...new Set(after.filter(at => at < index))].sort(), attemptsMax };
      return file ? write(`s${index}`, `f${index % 2}`, change) : aStep(`s${index}`, change);
    });
    const run = begun(steps, { onFailure });
    const attempt = (act: () => unknown) => { try { act(); } catch (error) { if (!(error as { code?: string }).code) throw error; } };
    for (const [at, what] of script) {
      const step = `s${at % steps.length}`;
      if (what === 'decide') attempt(() => run.decided());
      else if (what === 'tick') run.wait(15_000);
      else if (what === 'repeat') run.bring({ type: 'Submitted', start: run.state!.start, traceparent: undefined });
      else if (what === 'kill') run.control = { epoch: run.control.epoch! + 1, hold: { code: 'KILL_SWITCH', reason: 'k', includeUndo: false, rollback: false } };
      else if (what === 'lift') run.control = { epoch: run.control.epoch! + 1, hold: null };
      else if (what === 'skip') attempt(() => run.order({ order: 'rollback', reason: 'r', onConflict: 'skip' }));
      else if (['pause', 'resume', 'rollback', 'cancel'].includes(what)) attempt(() => run.order({ order: what, reason: 'r' } as never));
      else run.report(step, what as never);
    }
    return run;
  };

  it('reads the same state back from its facts', () => {
    fc.assert(fc.property(graph, inputs, fc.constantFrom('rollback' as const, 'pause' as const, 'keep' as const), (shape, script, onFailure) => {
      const run = play(shape, script, onFailure);
      const replayed = run.facts.reduce<Workflow | null>((state, fact) => evolve(state, JSON.parse(JSON.stringify(fact)), TENANT), null);
      expect(JSON.parse(JSON.stringify(replayed))).toEqual(JSON.parse(JSON.stringify(run.state)));
    }), { numRuns: 300 });
  });
  it('never starts a step before what it rests on, nor undoes one before what rests on it, and does nothing after the end', () => {
    fc.assert(fc.property(graph, inputs, fc.constantFrom('rollback' as const, 'pause' as const, 'keep' as const), (shape, script, onFailure) => {
      const run = play(shape, script, onFailure);
      const status = new Map<string, string>();
      for (const { fact } of run.facts) {
        if (fact.name === 'StepStarted') for (const before of run.state!.start.steps[fact.index]!.after) expect(['succeeded', 'skipped']).toContain(status.get(`s${before}`));
        if (fact.name === 'StepUndoStarted') run.state!.start.steps.forEach((planned, at) => { if (planned.after.includes(fact.index)) expect(['running', 'unknown', 'undoing', 'undoBlocked', 'succeeded']).not.toContain(status.get(`s${at}`)); });
        const step = 'step' in fact ? fact.step : '';
        if (fact.name === 'WorkflowRestarted') status.clear();
        if (fact.name.startsWith('Step')) status.set(step, ({ StepStarted: 'running', StepSucceeded: 'succeeded', StepFailed: 'failed', StepUnknown: 'unknown', StepDidNotHappen: 'pending', StepSkipped: 'skipped', StepUndoStarted: 'undoing', StepUndone: 'undone', StepUndoBlocked: 'undoBlocked', StepUndoSkipped: 'left' } as Record<string, string>)[fact.name] ?? '');
      }
      if (hasEnded(run.state!)) expect(run.state!.steps.filter(step => ['running', 'undoing', 'pending'].includes(step.status))).toEqual([]);
    }), { numRuns: 300 });
  });
});
