import fc from 'fast-check';
import { overlap, type PlannedStep, type StepDecision } from '@aifirst/contracts';
import { aStep, aWorkflow, WorkflowHarness } from '../testing/workflow-harness';
import { Busy, touched } from './conflicts';
import { LOSSY_PACE, resendAt } from './pauses';
import { nextResendAt, outstanding, wakeAt } from './wake';

const begun = (steps: readonly PlannedStep[], change = {}) => new WorkflowHarness().submit(aWorkflow(steps, change));
const chain = (...ids: string[]) => ids.map((id, index) => aStep(id, index === 0 ? {} : { after: [index - 1] }));
const write = (id: string, path: PlannedStep['input'][string], change: Partial<PlannedStep> = {}) => aStep(id, {
  capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change,
});
const hold = (epoch: number, change = {}) => ({ epoch, hold: { code: 'KILL_SWITCH', reason: 'stop', includeUndo: false, rollback: false, ...change } }) as const;
const lift = (epoch: number) => ({ epoch, hold: null });
const unknownFor = (run: WorkflowHarness, step: string) => run.report(step, 'unknown').report(step, 'cannotTell').wait(500).report(step, 'cannotTell').wait(2_000).report(step, 'cannotTell');

describe('under a switch', () => {
  it('what fails clean is tried again once it is lifted', () => {
    const run = begun([aStep('a', { attemptsMax: 2 })]).decided();
    run.control = hold(2);
    run.wait(1).report('a', 'failed');
    expect([run.status, run.state!.steps[0]]).toMatchObject(['paused', { status: 'pending', failures: 1 }]);
    run.control = lift(3);
    expect(run.wait(300).decided().report('a', 'succeeded').status).toBe('completed');
  });
  it('it says which one holds, when another takes its place', () => {
    const run = begun(chain('a'));
    run.control = hold(2);
    run.wait(1);
    run.control = hold(3, { code: 'AGENT_SUSPENDED', reason: 'asleep' });
    expect(run.wait(1).state!.paused!.code).toBe('AGENT_SUSPENDED');
    expect(run.wait(1).names().filter(name => name === 'WorkflowPaused')).toHaveLength(2);
  });
  it('that rolls back, what has not begun waits', () => {
    const run = begun(chain('a'));
    run.control = hold(2, { rollback: true });
    expect(run.wait(1).status).toBe('paused');
    run.control = lift(3);
    expect(run.wait(1).decided(() => ({ outcome: 'defer' })).decided().report('a', 'succeeded').status).toBe('completed');
  });
  it('that holds undo too, one that was cut off waits to begin again', () => {
    const run = begun(chain('a', 'b')).decided().report('a', 'succeeded').report('b', 'failed');
    run.control = hold(2, { includeUndo: true });
    run.report('a', 'didNotHappen');
    expect([run.status, run.commands('UndoStep')]).toEqual(['rollingBack', ['a']]);
    run.control = lift(3);
    run.wait(1);
    expect(run.sent.at(-1)).toMatchObject({ name: 'UndoStep', data: { attempt: 2 } });
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('that holds undo too, a rollback with nothing to undo ends', () => {
    const run = begun(chain('a')).decided();
    run.control = hold(2, { includeUndo: true });
    expect(run.order({ order: 'rollback', reason: 'x' }).report('a', 'failed').status).toBe('rolledBack');
  });
  it('nobody knows of any more, it stays held', () => {
    const run = begun(chain('a'));
    run.control = hold(2);
    run.wait(1);
    run.control = { epoch: null, hold: null };
    expect(run.wait(1).status).toBe('paused');
  });
});

describe('policy', () => {
  it.each(['cancel', 'rollback'] as const)('comes too late after a %s: it changes nothing, and is asked no more', order => {
    const run = begun([aStep('a'), aStep('b', { after: [0], hasReferences: true, input: { value: { $ref: '#/steps/a/output/value' } } })]).decided().report('a', 'succeeded');
    run.order({ order, reason: 'x' });
    const { state } = run;
    expect(outstanding(state!, 1).map(({ name }) => name)).toEqual(['UndoStep']);
    expect(run.decided().state).toBe(state);
    expect(run.report('a', 'succeeded').decided().statusOf('b')).toBe('skipped');
  });
  it('may want people for several steps: it waits until the last is decided', () => {
    const run = begun([aStep('a'), aStep('b'), aStep('c')]).decided(step => (step === 'c' ? {} : { outcome: 'approve' }));
    expect([run.status, run.commands('ExecuteStep')]).toEqual(['awaitingApproval', ['c']]);
    const answer = (step: string, outcome: StepDecision['outcome']) => {
      const lease = { policyVersion: '1', controlEpoch: 1, expiresAt: Number.MAX_SAFE_INTEGER, mac: 'mac' };
      return run.bring({ type: 'Decided', decided: { workflow: run.state!.id, question: 1, action: 'execute', controlEpoch: 1, decisions: [{ step, generation: 1, outcome, policies: [], policyVersion: '1', reason: '', risk: { level: 'low', score: 0 }, lease, undoLease: lease }] } });
    };
    const before = run.facts.length;
    expect(answer('a', 'approve').facts).toHaveLength(before);
    expect(answer('a', 'allow').status).toBe('awaitingApproval');
    expect(answer('b', 'allow').status).toBe('running');
    expect(run.report('a', 'succeeded').report('b', 'succeeded').report('c', 'succeeded').status).toBe('completed');
  });
  it('that wants people is asked again, as its answer may have been lost', () => {
    const run = begun([aStep('a')]).decided(() => ({ outcome: 'approve' }));
    expect([outstanding(run.state!, 1).map(({ name }) => name), nextResendAt(run.state!, 0, run.at)]).toEqual([['DecidePlan'], run.at + 5_000]);
  });
  it('defers all steps for a hold: they are asked about together afterwards', () => {
    const run = begun(chain('a', 'b', 'c')).decided(() => ({ outcome: 'defer', code: 'KILL_SWITCH' }));
    run.control = lift(2);
    run.wait(1);
    expect(run.sent.at(-1)).toMatchObject({ name: 'DecidePlan', data: { steps: [{ step: 'a' }, { step: 'b' }, { step: 'c' }] } });
  });
});

describe('what is not known', () => {
  it('as no report came is no failure, once it is known that it did not happen', () => {
    const run = begun(chain('a')).decided().wait(40_000);
    expect(run.state!.steps[0]!.error!.code).toBe('INTERRUPTED');
    run.report('a', 'didNotHappen').decided();
    expect(run.commands('ExecuteStep')).toEqual(['a', 'a']);
    expect([run.state!.steps[0]!.failures, run.report('a', 'succeeded').status]).toEqual([0, 'completed']);
  });
  it('of an undo is asked three times, with pauses, whatever is repeated', () => {
    const run = begun(chain('a', 'b')).decided().report('a', 'succeeded').report('b', 'failed').report('a', 'unknown').report('a', 'unknown').report('a', 'unknown');
    expect(run.commands('ProbeStep')).toHaveLength(1);
    run.report('a', 'cannotTell').report('a', 'cannotTell');
    expect([run.status, wakeAt(run.state!, run.at)]).toEqual(['rollingBack', run.at + 500]);
    run.wait(500).report('a', 'cannotTell').wait(2_000);
    expect(run.commands('ProbeStep')).toHaveLength(3);
    expect(run.report('a', 'cannotTell').status).toBe('rollbackBlocked');
  });
  it('of an undo a person may settle either way', () => {
    const run = unknownFor(begun(chain('a', 'b')).decided().report('a', 'succeeded').report('b', 'failed'), 'a');
    run.order({ order: 'resolve', step: 'a', outcome: 'didNotHappen', reason: 'looked' });
    expect(run.sent.at(-1)).toMatchObject({ name: 'UndoStep', data: { attempt: 2 } });
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('is asked again when somebody wants it all back', () => {
    const run = unknownFor(begun(chain('a', 'b')).decided(), 'a');
    expect(run.status).toBe('paused');
    run.order({ order: 'rollback', reason: 'enough' });
    expect(run.sent.at(-1)).toMatchObject({ name: 'ProbeStep', data: { probe: 4 } });
    expect(run.report('a', 'succeeded').report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('of what only reads holds no rollback up', () => {
    const run = begun([write('a', 'x'), aStep('read', { after: [0], reversibility: 'readOnly' }), aStep('c', { after: [0] })]).decided().report('a', 'succeeded');
    unknownFor(run, 'read').report('c', 'failed');
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('and was settled by a person is taken back before what it acted on', () => {
    const run = unknownFor(begun([write('a', 'd'), write('u', 'd/f', { after: [] }), aStep('c', { after: [0, 1] })]).decided().report('a', 'succeeded'), 'u');
    run.order({ order: 'resolve', step: 'u', outcome: 'succeeded', reason: 'seen' }).report('c', 'failed');
    expect(run.commands('UndoStep')).toEqual(['u']);
    expect(run.report('u', 'succeeded').commands('UndoStep')).toEqual(['u', 'a']);
  });
  it('while a sibling fails, what can be is undone and the rest waits for a person', () => {
    const run = unknownFor(begun([write('a', 'x'), aStep('u'), aStep('f')]).decided().report('a', 'succeeded'), 'u').report('f', 'failed');
    expect([run.status, run.commands('UndoStep')]).toEqual(['rollingBack', ['a']]);
    expect(run.report('a', 'succeeded').status).toBe('rollbackBlocked');
    expect(run.order({ order: 'resolve', step: 'u', outcome: 'succeeded', reason: 'seen' }).commands('UndoStep')).toEqual(['a', 'u']);
    expect(run.report('u', 'succeeded').status).toBe('rolledBack');
  });
});

describe('people', () => {
  it('who take longer than the deadline to decide on a failure get the time anew', () => {
    const run = begun(chain('a', 'b'), { onFailure: 'pause', deadlineMs: 60_000 }).decided().report('a', 'succeeded').report('b', 'failed').wait(3_600_000);
    expect(run.order({ order: 'resume', failedStep: 'retry' }).status).toBe('running');
    expect(run.decided().report('b', 'succeeded').status).toBe('completed');
  });
  it('who skip a step make those fail that need its output, and no others', () => {
    const needs = aStep('c', { after: [1], hasReferences: true, input: { value: { $ref: '#/steps/b/output/value' } } });
    const run = begun([...chain('a', 'b'), needs], { onFailure: 'pause' }).decided().report('a', 'succeeded').report('b', 'failed').order({ order: 'resume', failedStep: 'skip' });
    expect([run.status, run.statusOf('b'), run.state!.steps[2]!.error!.code]).toEqual(['paused', 'skipped', 'REFERENCE_UNRESOLVED']);
    expect(run.order({ order: 'resume', failedStep: 'skip' }).status).toBe('completed');
  });
  it('who keep or pause while siblings run wait for these', () => {
    for (const onFailure of ['keep', 'pause'] as const) {
      const run = begun([aStep('a'), aStep('b')], { onFailure }).decided().report('a', 'failed');
      expect(run.status).toBe('running');
      expect(run.report('b', 'succeeded').status).toBe(onFailure === 'keep' ? 'failed' : 'paused');
    }
  });
  it('read on: a workflow of readers whose last one fails has nothing to take back', () => {
    const readers = chain('a', 'b').map(step => ({ ...step, reversibility: 'readOnly' as const }));
    const run = begun(readers).decided().report('a', 'succeeded').report('b', 'failed');
    expect([run.status, run.commands('UndoStep')]).toEqual(['rolledBack', []]);
  });
});

describe('locks', () => {
  const late = () => {
    const run = begun([write('a', 'x'), write('b', { $ref: '#/steps/a/output/value' }, { after: [0], hasReferences: true })]).decided();
    run.grantLocks = false;
    return run;
  };
  it.each([['granted', { type: 'LocksGranted', locks: [] }], ['refused', { type: 'LocksRefused', holder: 'older', locks: [] }]] as const)('that are %s to what wants none any more change nothing', (_, input) => {
    const paused = late().report('a', 'succeeded').decided().order({ order: 'pause' });
    const { state } = paused;
    expect(paused.bring(input).state).toBe(state);
    const blocked = late().report('a', 'succeeded').decided().order({ order: 'rollback', reason: 'x' }).report('a', 'blocked');
    expect(blocked.status).toBe('rollbackBlocked');
    expect(blocked.bring(input).status).toBe('rollbackBlocked');
  });
  it('of a running step are among those that a rollback takes again', () => {
    const run = begun([write('a', 'x'), write('b', 'y'), aStep('c')]).decided().report('a', 'succeeded');
    run.bring({ type: 'LocksTakenAway', code: 'BROKEN', reason: 'x', by: 'admin' });
    run.grantLocks = false;
    run.report('c', 'failed');
    expect([run.commands('UndoStep'), run.wants.map(({ resource }) => resource)]).toEqual([[], ['file://w', 'file://w/x', 'file://w/y']]);
  });
  it('that can’t be had after five new beginnings fail the step that wants them', () => {
    const run = begun([write('a', 'x'), write('b', { $ref: '#/steps/a/output/value' }, { after: [0], hasReferences: true })]).decided();
    for (let restarts = 0; restarts < 6; restarts++) {
      run.report('a', 'succeeded').bring({ type: 'LocksRefused', holder: 'older', locks: [] });
      if (restarts < 5) run.report('a', 'succeeded').decided();
    }
    expect([run.statusOf('b'), run.state!.steps[1]!.error!.code, run.report('a', 'succeeded').status]).toEqual(['failed', 'LOCKED', 'rolledBack']);
  });
});

describe('reckoning', () => {
  it('sends again at 5, 15, 35 and 75 s and every minute then, over a bus that loses sooner', () => {
    const naive = (sent: number, after: number): number => {
      let at = sent + 5_000;
      for (let pause = 10_000; at <= after; pause = Math.min(60_000, pause * 2)) at += pause;
      return at;
    };
    expect([0, 1.5, 12, 15, 21, 33, 57, 87].map(seconds => resendAt(0, seconds * 1_000, LOSSY_PACE))).toEqual([1_500, 3_000, 15_000, 21_000, 33_000, 57_000, 87_000, 117_000]);
    expect([0, 5, 15, 35, 75, 135].map(seconds => resendAt(0, seconds * 1_000))).toEqual([5_000, 15_000, 35_000, 75_000, 135_000, 195_000]);
    fc.assert(fc.property(fc.nat(1e6), fc.integer({ min: -1e6, max: 3e6 }), (sent, after) => { expect(resendAt(sent, after)).toBe(naive(sent, after)); }));
  });
  it('finds in the way exactly what touches the same thing, unless both only read', () => {
    const path = fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 }).map(parts => parts.join('/'));
    const steps = fc.array(fc.record({ path, reads: fc.boolean(), base: fc.constantFrom(undefined, 'file:///srv') }), { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(steps, given => {
      const { state } = begun(given.map(({ path: at, reads, base }, index) => write(`s${index}`, at, { ...(reads ? { reversibility: 'readOnly' } : {}), ...(base === undefined ? {} : { lockBase: base }) })));
      const last = given.length - 1;
      const busy = new Busy();
      for (let index = 0; index < last; index++) busy.add(state!, index);
      const collides = given.slice(0, last).some(({ reads }, index) => !(reads && given[last]!.reads) && touched(state!, index).some(one => touched(state!, last).some(other => overlap(one, other))));
      expect(busy.isInTheWayOf(state!, last)).toBe(collides);
    }), { numRuns: 300 });
  });
});
