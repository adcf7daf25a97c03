import { aStep, aWorkflow, WorkflowHarness } from '../testing';
import { wakeAt } from './wake';

const FILE = [{ uri: 'file://{connection}/{path}', access: 'write' as const }];
const write = (id: string, connection: string, path: string) => aStep(id, { capability: 'fs.write', adapter: 'os', connection, input: { connection, path }, resources: FILE, lockBase: 'file:///srv/data' });
const NO_HOLD = { epoch: 1, hold: null };
const HOLD = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'k', includeUndo: false, rollback: false } as const };

describe('a step whose outcome is unknown', () => {
  const unknown = () => new WorkflowHarness().submit(aWorkflow([aStep('a')])).decided().report('a', 'unknown');

  it('is probed anew once its workflow is resumed', () => {
    const run = unknown().order({ order: 'pause' });
    expect(run.commands('ProbeStep')).toHaveLength(1);
    run.order({ order: 'resume' });
    expect(run.commands('ProbeStep')).toHaveLength(2);
    expect(wakeAt(run.state!, run.at)).toBeGreaterThan(run.at);
  });

  it('is probed anew after a resume although the clock went back meanwhile', () => {
    const run = unknown().order({ order: 'pause' });
    run.at -= 60_000;
    run.order({ order: 'resume' });
    expect(run.sent.at(-1)).toMatchObject({ name: 'ProbeStep', data: { probe: 1 } });
  });

  it('is probed while the rest is held', () => {
    const run = unknown();
    run.control = HOLD;
    run.wait(1).wait(600);
    expect([run.status, run.commands('ProbeStep').length]).toEqual(['paused', 2]);
    expect(wakeAt(run.state!, run.at)).toBeGreaterThan(run.at);
    run.report('a', 'succeeded');
    run.control = { ...NO_HOLD, epoch: 3 };
    expect(run.wait(1).status).toBe('completed');
  });

  it.each(['keep', 'pause'] as const)('is probed after the deadline with `onFailure` %s', onFailure => {
    const run = new WorkflowHarness().submit(aWorkflow([aStep('a')], { onFailure, deadlineMs: 1_000 })).decided().report('a', 'unknown');
    run.wait(1_001);
    expect(run.commands('ProbeStep')).toHaveLength(2);
    run.report('a', 'succeeded').wait(1);
    expect(run.status).toBe(onFailure === 'keep' ? 'failed' : 'paused');
  });
});

describe('two connections to one target', () => {
  const both = () => new WorkflowHarness().submit(aWorkflow([write('a', 'docs', 'd'), write('b', 'files', 'd/f'), aStep('c', { after: [0, 1] })])).decided();

  it('are one where steps take turns', () => {
    expect(both().commands('ExecuteStep')).toEqual(['a']);
  });

  it('are one where steps are undone against their order', () => {
    const run = both().report('a', 'succeeded').report('b', 'succeeded').report('c', 'failed');
    expect(run.commands('UndoStep')).toEqual(['b']);
    expect(run.report('b', 'succeeded').commands('UndoStep')).toEqual(['b', 'a']);
  });
});

describe('a blocked rollback that is ordered again', () => {
  const blocked = () => new WorkflowHarness().submit(aWorkflow([write('a', 'docs', 'd'), aStep('b', { after: [0] })])).decided().report('a', 'succeeded').report('b', 'failed').report('a', 'blocked');

  it('undoes nothing before it has its locks again', () => {
    const run = blocked().wait(15 * 60_000).bring({ type: 'LocksTakenAway', code: 'PARKED', reason: 'parked for 15 minutes', by: 'aifirst' });
    run.grantLocks = false;
    run.order({ order: 'rollback', reason: 'again' });
    expect([run.status, run.commands('UndoStep').length]).toEqual(['rollingBack', 1]);
    run.bring({ type: 'LocksGranted', locks: run.wants as never });
    expect(run.sent.findLast(command => command.name === 'UndoStep')).toMatchObject({ data: { attempt: 2 } });
    expect(run.report('a', 'succeeded').status).toBe('rolledBack');
  });

  it('goes on at once where it holds them', () => {
    expect(blocked().order({ order: 'rollback', reason: 'again' }).commands('UndoStep')).toEqual(['a', 'a']);
  });
});
