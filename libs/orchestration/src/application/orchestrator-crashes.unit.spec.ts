import fc from 'fast-check';
import type { PlannedStep, StartWorkflow } from '@aifirst/contracts';
import { OperationalError, setCrashHook } from '@aifirst/kernel';
import type { Delivery } from '@aifirst/bus';
import { aStep, aWorkflow, MemoryLockLog, OrchestratorStand, workflowId, type Outcome, type StepCommandSent } from '../testing';

const write = (id: string, path: string, change: Partial<PlannedStep> = {}) => aStep(id, {
  capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change,
});
const HOUR_MS = 3_600_000;
/** With locks of its own, or of several shards, one of which it is. */
const standWith = (locks: 'own' | 'shared'): OrchestratorStand => {
  const stand = new OrchestratorStand();
  if (locks === 'own') return stand;
  stand.lockLog = new MemoryLockLog({ epochOf: () => stand.log.epoch });
  // Why: nobody else is there to be looked for, and days go by here.
  stand.looks = { pollMs: HOUR_MS, idleMs: HOUR_MS };
  return stand;
};
/** Whatever is lost is found out about by time-outs, which add up. */
const DEADLINE_MS = 24 * HOUR_MS;

/** What a step's act does, by its id: the same however often and whenever. */
type Nature = 'succeeds' | 'fails' | 'unknownDone' | 'unknownNotDone' | 'undoUnknown';
function outcomeOf(nature: Nature, { kind }: StepCommandSent, isUndo: boolean): Outcome {
  const done = { outcome: 'succeeded', verified: true, output: { value: 1 } } as const;
  const unknown = { outcome: 'unknown', error: { code: 'LOST', detail: 'the answer is lost', clean: false } } as const;
  if (isUndo) return nature === 'undoUnknown' && kind === 'undo' ? unknown : done;
  if (nature === 'fails') return { outcome: 'failed', error: { code: 'NO', detail: 'no', clean: true } };
  if (nature === 'unknownDone') return kind === 'probe' ? done : unknown;
  if (nature === 'unknownNotDone') return kind === 'probe' ? { outcome: 'didNotHappen' } : unknown;
  return done;
}
const natures = (of: ReadonlyMap<string, Nature>) => (command: StepCommandSent): Outcome =>
  outcomeOf(of.get(`${command.workflow}/${command.step}`) ?? 'succeeds', command, command.kind === 'undo' || ('direction' in command && command.direction === 'undo'));

const crashed = () => new OperationalError('CRASHED', 'killed');
afterEach(() => { setCrashHook(undefined); });

/** Runs to the end, with a new start after each crash. */
async function survive(stand: OrchestratorStand): Promise<void> {
  for (let lives = 0; lives < 200; lives++) {
    await stand.settle(DEADLINE_MS);
    if (stand.fatal.length === 0) return;
    await stand.restart();
  }
}

/** Each step's effect stands once or not at all, and facts follow one another. */
async function expectWhole(stand: OrchestratorStand, ids: readonly string[]): Promise<void> {
  expect(stand.defects).toEqual([]);
  expect(stand.standing().filter(step => step.includes('×'))).toEqual([]);
  for (const id of ids) {
    const { start, steps, status } = await stand.workflow(id);
    const standing = new Set(stand.standing());
    const stands = start.steps.map(({ id: step }) => standing.has(`${id}/${step}`));
    if (status === 'completed') expect(stands).toEqual(steps.map(step => step.status === 'succeeded'));
    if (status === 'rolledBack') expect(stands).toEqual(steps.map(() => false));
  }
  const sequences = (await stand.rows()).flatMap(row => row.messages.flatMap(({ event: { sequence } }) => (sequence === undefined ? [] : [sequence])));
  expect(sequences).toEqual(sequences.map((_, i) => i + 1));
}

describe('a crash at each commit, one after the other', () => {
  const ids = [workflowId(1), workflowId(2), workflowId(3)] as const;
  const starts = [
    aWorkflow([write('a', 'x'), write('b', 'y', { after: [0] }), aStep('c', { after: [1] })], { workflow: ids[0], deadlineMs: DEADLINE_MS }),
    aWorkflow([write('a', 'x'), aStep('b', { after: [0] })], { workflow: ids[1], deadlineMs: DEADLINE_MS }),
    aWorkflow([aStep('a'), aStep('b', { after: [0], attemptsMax: 2 })], { workflow: ids[2], deadlineMs: DEADLINE_MS }),
  ];
  const of = new Map<string, Nature>([[`${ids[0]}/c`, 'fails'], [`${ids[1]}/b`, 'unknownDone'], [`${ids[2]}/a`, 'undoUnknown'], [`${ids[2]}/b`, 'fails']]);
  const ends = ['rolledBack', 'completed', 'rolledBack'];

  it.each([
    ['orchestrator.commit.before', 'own'], ['orchestrator.commit.after', 'own'], ['orchestrator.commit.before', 'shared'], ['orchestrator.commit.after', 'shared'],
  ] as const)('changes nothing in the end (%s, %s locks)', async (point, locks) => {
    for (let nth = 1; ; nth++) {
      const stand = standWith(locks);
      stand.adapter = natures(of);
      stand.batchMax = 1;
      await stand.start();
      let passes = 0;
      setCrashHook(name => { if (name === point && ++passes === nth) throw crashed(); });
      await survive(stand.submit(...starts));
      setCrashHook(undefined);
      expect([nth, await stand.statuses(...ids)]).toEqual([nth, ends]);
      await expectWhole(stand, ids);
      if (passes < nth) { expect(nth).toBeGreaterThan(15); return; }
    }
  });
  it('nor does one after a commit that was refused, or whose fate was unknown', async () => {
    for (const fate of ['refused', 'unknownStored', 'unknownAbsent'] as const) {
      for (let nth = 1; nth <= 20; nth++) {
        const stand = new OrchestratorStand();
        stand.adapter = natures(of);
        let commits = 0;
        let isKilled = false;
        stand.store.fate = () => (++commits === nth ? fate : 'stored');
        setCrashHook(name => { if (name === 'orchestrator.commit.before' && commits === nth && !isKilled) { isKilled = true; throw crashed(); } });
        await stand.start();
        await survive(stand.submit(...starts));
        setCrashHook(undefined);
        expect([fate, nth, await stand.statuses(...ids)]).toEqual([fate, nth, ends]);
        await expectWhole(stand, ids);
      }
    }
  });
});

describe('a crash at each commit of a rollback that leaves out what is in the way', () => {
  const id = workflowId(1);
  const SKIP = { order: 'rollback', reason: 'as far as it goes', onConflict: 'skip' } as const;
  const blocked: Outcome = { outcome: 'blocked', conflict: { resource: 'file://w/y', what: 'content', expected: '1', found: '2' } };

  it.each(['orchestrator.commit.before', 'orchestrator.commit.after'])('changes nothing in the end (%s)', async point => {
    for (let nth = 1; ; nth++) {
      const stand = new OrchestratorStand();
      stand.adapter = command => (command.kind === 'undo' && command.step === 'b' ? blocked : { outcome: 'succeeded', verified: true, output: { value: 1 } });
      stand.batchMax = 1;
      await stand.start();
      await survive(stand.submit(aWorkflow([write('a', 'x'), write('b', 'y'), write('c', 'z', { after: [0, 1] })], { workflow: id, deadlineMs: DEADLINE_MS })));
      let passes = 0;
      setCrashHook(name => { if (name === point && ++passes === nth) throw crashed(); });
      await stand.order(id, SKIP).catch(() => undefined);
      await survive(stand);
      setCrashHook(undefined);
      // Why: who was given no answer asks again.
      if ((await stand.statuses(id))[0] === 'completed') { await stand.order(id, SKIP); await survive(stand); }
      const { status, steps } = await stand.workflow(id);
      expect([nth, status, steps.map(step => [step.status, step.undo?.status])]).toEqual([nth, 'rolledBack', [['undone', 'done'], ['succeeded', 'skipped'], ['undone', 'done']]]);
      expect([stand.defects, stand.standing()]).toEqual([[], [`${id}/b`]]);
      if (passes < nth) { expect(nth).toBeGreaterThan(3); return; }
    }
  });
});

describe('crashes, losses and repeats', () => {
  const nature = fc.constantFrom<Nature>('succeeds', 'succeeds', 'succeeds', 'succeeds', 'fails', 'unknownDone', 'unknownNotDone', 'undoUnknown');
  const step = fc.record({ after: fc.array(fc.nat(4), { maxLength: 2 }), file: fc.option(fc.constantFrom('x', 'x/y', 'z')), attemptsMax: fc.constantFrom(1, 2), nature });
  const plans = fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 });
  const chaos = fc.record({ seed: fc.nat(), lose: fc.constantFrom(0, 0.1, 0.3), repeat: fc.constantFrom(0, 0.3), crash: fc.constantFrom(0, 0.1, 0.2), refuse: fc.constantFrom(0, 0.1), batchMax: fc.constantFrom(1, 3, 500) });

  const build = (given: readonly (readonly { after: readonly number[]; file: string | null; attemptsMax: number; nature: Nature }[])[]): { starts: StartWorkflow[]; of: Map<string, Nature> } => {
    const of = new Map<string, Nature>();
    const starts = given.map((steps, number) => {
      const workflow = workflowId(number + 1);
      return aWorkflow(steps.map(({ after, file, attemptsMax, nature: acts }, index) => {
        of.set(`${workflow}/s${index}`, acts);
        const change = { after: [...new Set(after.filter(at => at < index))].sort(), attemptsMax };
        return file === null ? aStep(`s${index}`, change) : write(`s${index}`, file, change);
      }), { workflow, deadlineMs: DEADLINE_MS });
    });
    return { starts, of };
  };
  /** mulberry32 */
  const randomOf = (seed: number) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  it.each(['own', 'shared'] as const)('bring every workflow to the same end as without (%s locks)', async locks => {
    await fc.assert(fc.asyncProperty(plans, chaos, async (given, { seed, lose, repeat, crash, refuse, batchMax }) => {
      const { starts, of } = build(given);
      const ids = starts.map(({ workflow }) => workflow);
      const calm = new OrchestratorStand();
      calm.adapter = natures(of);
      await (await calm.start()).submit(...starts).settle(DEADLINE_MS);

      const stand = standWith(locks);
      const random = randomOf(seed);
      stand.adapter = natures(of);
      stand.batchMax = batchMax;
      // Why not the start: the gateway sends that again, which is not played here.
      stand.lose = what => (typeof what === 'string' || !isStart(what)) && random() < lose;
      stand.repeat = () => random() < repeat;
      stand.store.fate = () => (random() < refuse ? 'refused' : 'stored');
      if (stand.lockLog instanceof MemoryLockLog) stand.lockLog.fate = () => (random() < refuse ? (random() < 0.5 ? 'refused' : 'unknownStored') : 'stored');
      let crashes = 0;
      setCrashHook(() => { if (random() < crash && ++crashes <= 30) throw crashed(); });
      await stand.start();
      await survive(stand.submit(...starts));
      setCrashHook(undefined);
      expect(await stand.statuses(...ids)).toEqual(await calm.statuses(...ids));
      expect(stand.standing()).toEqual(calm.standing());
      await expectWhole(stand, ids);
      expect([stand.orchestrator.openWorkflows, stand.orchestrator.locks(null)]).toEqual([0, []]);
    }), { numRuns: 80 });
  });
});

const isStart = ({ message: { event } }: Delivery): boolean => event.type.endsWith('start-workflow.v1');
