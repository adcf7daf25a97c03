import fc from 'fast-check';
import type { PlannedStep, StepReported, WorkflowFact } from '@aifirst/contracts';
import { aStep, aWorkflow, TENANT, WorkflowHarness } from '../testing/workflow-harness';
import { evolve } from './evolve';
import { hasEnded, isLeftStanding, type Workflow } from './workflow';

const begun = (steps: readonly PlannedStep[], change = {}) => new WorkflowHarness().submit(aWorkflow(steps, change)).decided();
const write = (id: string, path: string, change: Partial<PlannedStep> = {}) => aStep(id, {
  capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change,
});
const SKIP = { order: 'rollback', reason: 'as far as it goes', onConflict: 'skip' } as const;
const BLOCK = { order: 'rollback', reason: 'again' } as const;
const conflict = { resource: 'file://w/b', what: 'content', expected: 'sha256:1', found: 'sha256:2' };
const ended = (run: WorkflowHarness) => run.facts.at(-1)!.fact as Extract<WorkflowFact, { name: 'WorkflowEnded' }>;
/** Completed: `a` and `b` apart, `c` on both. */
const three = () => begun([write('a', 'a'), write('b', 'b'), write('c', 'c', { after: [0, 1] })]).report('a', 'succeeded').report('b', 'succeeded').report('c', 'succeeded');

describe('a rollback that leaves out what is in the way', () => {
  it('lets a blocked step stand, undoes the others, and ends with what stands and why', () => {
    const run = three().order(SKIP).report('c', 'succeeded').report('b', 'blocked', { conflict });
    expect([run.status, run.statusOf('b')]).toEqual(['rollingBack', 'succeeded']);
    run.report('a', 'succeeded');
    expect(run.state!.steps.map(({ status, undo }) => [status, undo?.status])).toEqual([['undone', 'done'], ['succeeded', 'skipped'], ['undone', 'done']]);
    expect(ended(run)).toMatchObject({ name: 'WorkflowEnded', status: 'rolledBack', residue: [{ step: 'b', resource: 'file://w/b', what: 'still stands', why: 'content', action: expect.stringContaining('rollback tries again') }] });
    expect(run.facts.map(({ fact }) => fact).filter(({ name }) => name === 'StepUndoSkipped')).toEqual([{ name: 'StepUndoSkipped', step: 'b', index: 1, generation: 1, code: 'TARGET_CHANGED', reason: 'content', conflict }]);
  });
  it('tells its adapters so', () => {
    const run = three().order(SKIP);
    expect(run.sent.at(-1)).toMatchObject({ name: 'UndoStep', data: { step: 'c', onConflict: 'skip' } });
    expect(three().order(BLOCK).sent.at(-1)).toMatchObject({ name: 'UndoStep', data: { onConflict: 'block' } });
  });
  it('tries also what the step rests on that stands: whether it may be undone its adapter says', () => {
    const run = three().order(SKIP).report('c', 'blocked', { conflict: { ...conflict, resource: 'file://w/c' } });
    expect(run.commands('UndoStep')).toEqual(['c', 'b']);
    run.report('b', 'succeeded');
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('leaves out what can not be undone at all, and goes on with the rest', () => {
    const run = begun([write('a', 'a'), aStep('mail', { reversibility: 'irreversible', adapter: 'os', connection: 'w' }), write('c', 'c', { after: [1] })]);
    const without = run.state!.steps[1]!.decision!;
    run.state = { ...run.state!, steps: run.state!.steps.with(1, { ...run.state!.steps[1]!, decision: { ...without, undoLease: undefined as never } }) };
    run.report('a', 'succeeded').report('mail', 'succeeded').report('c', 'succeeded').order(SKIP).report('c', 'succeeded').report('a', 'succeeded');
    expect([run.status, run.statusOf('mail')]).toEqual(['rolledBack', 'succeeded']);
  });
  it('settles what a rollback without it has left blocked', () => {
    const run = three().order(BLOCK).report('c', 'succeeded').report('b', 'blocked', { conflict }).report('a', 'succeeded');
    expect(run.status).toBe('rollbackBlocked');
    run.order(SKIP);
    expect(run.sent.at(-1)).toMatchObject({ name: 'UndoStep', data: { step: 'b', attempt: 2, onConflict: 'skip' } });
    run.report('b', 'blocked', { conflict });
    expect([run.status, ended(run).residue.map(({ step }) => step)]).toEqual(['rolledBack', ['b']]);
  });
  it('is tried again on demand: what stands may be in nobody’s way by now', () => {
    const run = three().order(SKIP).report('c', 'succeeded').report('b', 'blocked', { conflict }).report('a', 'succeeded');
    run.wait(3_600_000).order(BLOCK);
    expect([run.status, run.sent.at(-1)]).toMatchObject(['rollingBack', { name: 'UndoStep', data: { step: 'b', attempt: 2, onConflict: 'block' } }]);
    run.report('b', 'succeeded');
    expect([run.status, ended(run).residue]).toEqual(['rolledBack', []]);
    expect(() => run.order(SKIP)).toThrow('`rolledBack`');
  });
  it('may be blocked when it is tried again', () => {
    const run = three().order(SKIP).report('c', 'succeeded').report('b', 'blocked', { conflict }).report('a', 'succeeded').order(BLOCK).report('b', 'blocked', { conflict });
    expect([run.status, run.statusOf('b')]).toEqual(['rollbackBlocked', 'undoBlocked']);
  });
});

describe('what it does not leave out', () => {
  it('is an undo of which nobody can tell whether it happened: a person settles it, and then it goes on as it was asked for', () => {
    const run = three().order(SKIP).report('c', 'unknown').report('c', 'cannotTell').wait(500).report('c', 'cannotTell').wait(2_000).report('c', 'cannotTell');
    expect([run.status, run.statusOf('c')]).toEqual(['rollbackBlocked', 'undoBlocked']);
    run.order({ order: 'resolve', step: 'c', outcome: 'succeeded', reason: 'seen' });
    expect(run.state!.rollback).toMatchObject({ code: 'RESOLVED', onConflict: 'skip' });
    expect(run.report('b', 'blocked', { conflict }).report('a', 'succeeded').status).toBe('rolledBack');
  });
  it('is a step of which nobody can tell whether it happened', () => {
    const run = begun([write('a', 'a'), write('b', 'b')]).report('a', 'succeeded').report('b', 'unknown').report('b', 'cannotTell').wait(500).report('b', 'cannotTell').wait(2_000).report('b', 'cannotTell');
    run.order(SKIP).report('b', 'cannotTell').wait(2_000).report('b', 'cannotTell');
    expect([run.status, run.statusOf('b')]).toEqual(['rollbackBlocked', 'unknown']);
    run.order({ order: 'resolve', step: 'b', outcome: 'succeeded', reason: 'seen' }).report('b', 'blocked', { conflict });
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
  it.each(['failed', 'refused'] as const)('is what its adapter has not even looked at (%s)', outcome => {
    const run = begun([write('a', 'a')]).report('a', 'succeeded').order(SKIP).report('a', outcome);
    expect([run.status, run.statusOf('a')]).toEqual(['rollbackBlocked', 'undoBlocked']);
  });
  it('is what a crash cut off: that begins again', () => {
    const run = begun([write('a', 'a')]).report('a', 'succeeded').order(SKIP).report('a', 'didNotHappen');
    expect(run.sent.at(-1)).toMatchObject({ name: 'UndoStep', data: { attempt: 2, onConflict: 'skip' } });
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });
});

describe('a rollback of what was looked at', () => {
  it('is taken while nothing has moved, and refused else, with nothing done', () => {
    const run = three();
    const { facts } = run.state!;
    expect(() => run.order({ ...SKIP, facts: facts - 1 })).toThrow('has moved since');
    expect(run.status).toBe('completed');
    expect(run.order({ ...SKIP, facts }).status).toBe('rollingBack');
  });
});

describe('laws', () => {
  const OUTCOMES: readonly StepReported['outcome'][] = ['succeeded', 'failed', 'unknown', 'didNotHappen', 'refused', 'cannotTell', 'blocked'];
  const script = fc.array(fc.tuple(fc.nat(3), fc.constantFrom(...OUTCOMES, 'succeeded', 'blocked', 'tick', 'skip', 'block', 'happened', 'didNot', 'repeat')), { maxLength: 60 });
  const graph = fc.array(fc.tuple(fc.array(fc.nat(3), { maxLength: 2 }), fc.constantFrom('a', 'a/b', 'c')), { minLength: 1, maxLength: 4 });

  const play = (shape: readonly (readonly [readonly number[], string])[], moves: readonly (readonly [number, string])[]) => {
    const run = begun(shape.map(([after, path], index) => write(`s${index}`, path, { after: [...new Set(after.filter(at => at < index))].sort() })));
    for (let at = 0; at < shape.length; at++) for (let index = 0; index < shape.length; index++) if (run.statusOf(`s${index}`) === 'running') run.report(`s${index}`, 'succeeded');
    const attempt = (act: () => unknown) => { try { act(); } catch (error) { if (!(error as { code?: string }).code) throw error; } };
    for (const [at, move] of moves) {
      const step = `s${at % shape.length}`;
      if (move === 'tick') run.wait(15_000);
      else if (move === 'skip') attempt(() => run.order(SKIP));
      else if (move === 'block') attempt(() => run.order(BLOCK));
      else if (move === 'happened' || move === 'didNot') attempt(() => run.order({ order: 'resolve', step, outcome: move === 'happened' ? 'succeeded' : 'didNotHappen', reason: 'seen' }));
      else if (move === 'repeat') run.bring({ type: 'LocksGranted', locks: [] });
      else if (run.state!.steps[at % shape.length]!.undo !== null) run.report(step, move as StepReported['outcome']);
    }
    return run;
  };
  const check = (property: (run: WorkflowHarness) => void) => fc.assert(fc.property(graph, script, (shape, moves) => { property(play(shape, moves)); }), { numRuns: 500 });

  it('reads the same state back from its facts', () => {
    check(run => {
      const replayed = run.facts.reduce<Workflow | null>((state, fact) => evolve(state, JSON.parse(JSON.stringify(fact)), TENANT), null);
      expect(JSON.parse(JSON.stringify(replayed))).toEqual(JSON.parse(JSON.stringify(run.state)));
    });
  });
  it('ends rolled back only with every step undone, or named as standing; and leaves out nothing unless asked to', () => {
    check(run => {
      let onConflict = 'block';
      for (const { fact } of run.facts) {
        if (fact.name === 'RollbackStarted') onConflict = fact.onConflict ?? 'block';
        if (fact.name === 'StepUndoSkipped') { expect(onConflict).toBe('skip'); expect(fact.code).not.toBe('OUTCOME_UNKNOWN'); }
      }
      const { state } = run;
      if (state!.status !== 'rolledBack') return;
      const standing = state!.steps.flatMap((step, index) => (step.status === 'undone' || ['failed', 'skipped'].includes(step.status) ? [] : [state!.start.steps[index]!.id]));
      expect(state!.steps.filter(isLeftStanding).length).toBe(standing.length);
      expect([...new Set(ended(run).residue.map(({ step }) => step))]).toEqual(standing);
    });
  });
  it('comes to an end wherever it stands, once adapters answer and what nobody can tell is settled', () => {
    check(run => {
      for (let rounds = 0; rounds < 60 && !(hasEnded(run.state!) && run.status !== 'completed'); rounds++) {
        if (['completed', 'rollbackBlocked', 'paused'].includes(run.status)) {
          const unknown = run.state!.steps.findIndex(({ status, undo, parked }) => (status === 'undoBlocked' && undo?.code === 'OUTCOME_UNKNOWN') || (status === 'unknown' && parked));
          if (unknown >= 0) run.order({ order: 'resolve', step: `s${unknown}`, outcome: 'didNotHappen', reason: 'seen' }); else run.order(SKIP);
        }
        run.state!.steps.forEach(({ status }, index) => { if (status === 'undoing') run.report(`s${index}`, rounds % 2 === 0 ? 'blocked' : 'succeeded'); });
      }
      expect(run.status).toBe('rolledBack');
    });
  });
});
