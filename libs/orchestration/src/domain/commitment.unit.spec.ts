import { aStep, aWorkflow, WorkflowHarness } from '../testing';
import { wakeAt } from './wake';

const work = (id: string, connection: string, change = {}) => aStep(id, { capability: 'sql.execute', adapter: 'sql', connection, phase: 'work', input: { connection }, ...change });
const own = (id: string, phase: 'prepare' | 'commit', connection: string, after: readonly number[]) => aStep(id, { capability: `sql.${phase}`, adapter: 'sql', connection, phase, input: { connection }, after });
/** Two databases and a file: a0, a1 on one, b on the other. */
const start = (change = {}) => aWorkflow([
  work('a0', 'crm'), work('a1', 'crm'), work('b', 'erp'), aStep('file', { after: [0, 1, 2, 4, 5] }),
  own('~prepare-1', 'prepare', 'crm', [0, 1, 2]), own('~prepare-2', 'prepare', 'erp', [0, 1, 2]),
  own('~commit-1', 'commit', 'crm', [0, 1, 2, 3, 4, 5]), own('~commit-2', 'commit', 'erp', [0, 1, 2, 3, 4, 5]),
], { mode: 'atomic', ...change });
const begun = (change = {}) => new WorkflowHarness().submit(start(change)).decided();
const worked = (run = begun()) => run.report('a0', 'succeeded').report('a1', 'succeeded').report('b', 'succeeded');
const prepared = () => worked().report('~prepare-1', 'succeeded').report('~prepare-2', 'succeeded');
const committing = () => prepared().report('file', 'succeeded');
const heldOf = (run: WorkflowHarness, step: string) => run.sent.findLast(({ data }) => 'step' in data && data.step === step)!.data as { held?: readonly string[]; phase?: string };

describe('an atomic workflow', () => {
  it('acts, one statement at a time on a connection, prepares, runs the rest, decides and commits', () => {
    const run = begun();
    expect(run.commands('ExecuteStep')).toEqual(['a0', 'b']);
    run.report('a0', 'succeeded');
    expect(run.commands('ExecuteStep')).toEqual(['a0', 'b', 'a1']);
    expect([heldOf(run, 'a0'), heldOf(run, 'a1')]).toMatchObject([{ phase: 'work', held: [] }, { phase: 'work', held: ['a0/1'] }]);
    run.report('a1', 'succeeded').report('b', 'succeeded');
    expect(run.commands('ExecuteStep').slice(3)).toEqual(['~prepare-1', '~prepare-2']);
    expect(heldOf(run, '~prepare-1')).toMatchObject({ phase: 'prepare', held: ['a0/1', 'a1/1'] });
    run.report('~prepare-1', 'succeeded').report('~prepare-2', 'succeeded');
    expect(run.commands('ExecuteStep').slice(5)).toEqual(['file']);
    expect(run.names()).not.toContain('WorkflowCommitting');
    run.report('file', 'succeeded');
    expect([run.status, run.commands('ExecuteStep').slice(6)]).toEqual(['committing', ['~commit-1', '~commit-2']]);
    expect(run.report('~commit-2', 'succeeded').status).toBe('committing');
    expect(run.report('~commit-1', 'succeeded').status).toBe('completed');
  });

  it.each([['a statement', 'a1', () => begun().report('a0', 'succeeded').report('b', 'succeeded')], ['a prepare', '~prepare-2', () => worked().report('~prepare-1', 'succeeded')], ['what runs last', 'file', prepared]] as const)('takes all back when %s fails, and commits nothing', (_, step, until) => {
    const run = until().report(step, 'failed');
    for (let left = 20; run.status === 'rollingBack' && left > 0; left--) {
      for (const { id } of run.state!.start.steps) if (run.statusOf(id) === 'undoing') run.report(id, 'succeeded');
    }
    expect([run.status, run.names().includes('WorkflowCommitting'), run.commands('ExecuteStep').filter(id => id.startsWith('~commit'))]).toEqual(['rolledBack', false, []]);
  });

  it('does not let go of a transaction before what acted in it later is taken back', () => {
    const run = prepared().report('file', 'failed');
    expect(run.commands('UndoStep')).toEqual(['~prepare-1', '~prepare-2']);
  });
});

describe('once it is decided', () => {
  it.each(['rollback', 'cancel', 'pause'] as const)('%s comes too late', order => {
    const run = committing();
    expect(() => run.order(order === 'rollback' ? { order, reason: 'r' } : { order })).toThrow('committing');
  });

  it('neither the deadline nor a kill switch keeps it from being carried out', () => {
    const run = committing();
    run.control = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'k', includeUndo: false, rollback: true } };
    run.wait(700_000);
    run.report('~commit-1', 'succeeded').report('~commit-2', 'refused').decided();
    expect(run.commands('ExecuteStep').filter(id => id === '~commit-2')).toHaveLength(2);
    expect(run.report('~commit-2', 'succeeded').status).toBe('completed');
  });

  it('a target that can\'t be reached is asked again for as long as it takes, and committed then', () => {
    const run = committing().report('~commit-1', 'succeeded').report('~commit-2', 'unknown');
    for (let round = 0; round < 50; round++) {
      run.report('~commit-2', 'cannotTell');
      const next = wakeAt(run.state!, run.at);
      expect(next).not.toBeNull();
      run.wait(next! - run.at);
    }
    expect([run.status, run.commands('ProbeStep').length > 20]).toEqual(['committing', true]);
    run.report('~commit-2', 'didNotHappen').decided();
    expect(run.commands('ExecuteStep').filter(id => id === '~commit-2')).toHaveLength(2);
    expect(run.report('~commit-2', 'succeeded').status).toBe('completed');
  });

  it('what a target has undone by itself has the others taken back', () => {
    const run = committing().report('~commit-1', 'succeeded').report('~commit-2', 'failed', { error: { code: 'TRANSACTION_LOST', detail: 'rolled back by hand', clean: true } });
    expect(run.status).toBe('rollingBack');
    for (let left = 20; run.status === 'rollingBack' && left > 0; left--) {
      for (const { id } of run.state!.start.steps) if (run.statusOf(id) === 'undoing') run.report(id, 'succeeded');
    }
    expect(run.status).toBe('rolledBack');
  });

  it('it is undone like any other when that is ordered later', () => {
    const run = committing().report('~commit-1', 'succeeded').report('~commit-2', 'succeeded').order({ order: 'rollback', reason: 'r' });
    for (let left = 20; run.status === 'rollingBack' && left > 0; left--) {
      for (const { id } of run.state!.start.steps) if (run.statusOf(id) === 'undoing') run.report(id, 'succeeded');
    }
    expect([run.status, ...['a0', 'a1', 'b', 'file'].map(id => run.statusOf(id))]).toEqual(['rolledBack', 'undone', 'undone', 'undone', 'undone']);
  });
});

it('a hold keeps what is not prepared yet from being prepared', () => {
  const run = begun().report('a0', 'succeeded').report('a1', 'succeeded');
  run.control = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'k', includeUndo: false, rollback: false } };
  run.wait(1).report('b', 'succeeded');
  expect([run.status, run.commands('ExecuteStep').filter(id => id.startsWith('~'))]).toEqual(['paused', []]);
});

it('an undo of what was not committed is asked for until the target tells', () => {
  const run = worked().report('~prepare-1', 'succeeded').report('~prepare-2', 'failed').report('~prepare-1', 'unknown');
  for (let round = 0; round < 20; round++) {
    run.report('~prepare-1', 'cannotTell');
    run.wait(wakeAt(run.state!, run.at)! - run.at);
  }
  expect([run.status, run.statusOf('~prepare-1')]).toEqual(['rollingBack', 'undoing']);
});
