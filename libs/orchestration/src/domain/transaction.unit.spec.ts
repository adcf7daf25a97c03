import fc from 'fast-check';
import type { AddedStep, PlannedStep, WorkflowOrder } from '@aifirst/contracts';
import { Refusal } from '@aifirst/kernel';
import { evolve } from './evolve';
import { idleAt } from './transaction';
import { wakeAt } from './wake';
import { aStep, aWorkflow, TENANT, WorkflowHarness } from '../testing';
import type { Workflow } from './workflow';

const IDLE_MS = 60_000;
const AGENT = { kind: 'agent', id: 'agent', tenant: TENANT } as const;

const added = (id: string, change: Partial<PlannedStep> & { restsOn?: readonly string[] } = {}): AddedStep => {
  const { restsOn = [], ...rest } = change;
  const { after: _, ...step } = aStep(id, rest);
  return { digest: `sha256:${id}`, ...step, restsOn: restsOn.map((step, place) => ({ step, at: `/dependsOn/${place}` })) };
};
const file = (path: string): Partial<PlannedStep> => ({ capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }] });

class Transaction extends WorkflowHarness {
  say(order: WorkflowOrder, by: { kind: 'agent' | 'person'; id: string; tenant: string } = AGENT): this { return this.bring({ type: 'Ordered', order, by }); }
  add(id: string, change: Parameters<typeof added>[1] = {}): this { return this.say({ order: 'addStep', step: added(id, change) }); }
  /** Adds it, and it succeeds. */
  done(id: string, change: Parameters<typeof added>[1] = {}): this { return this.add(id, change).decided().report(id, 'succeeded'); }
  commit(): this { return this.say({ order: 'commit' }); }
  refused(act: () => unknown): string {
    try { act(); } catch (error) {
      if (error instanceof Refusal) return `${error.problems[0].code} ${String(error.extra['status'] ?? '')}`.trim();
      throw error;
    }
    return 'taken';
  }
}
const begun = (change: Parameters<typeof aWorkflow>[1] = {}): Transaction => new Transaction().submit(aWorkflow([], { interactive: { idleTimeoutMs: IDLE_MS }, deadlineMs: 86_400_000, ...change })) as Transaction;

describe('an interactive transaction', () => {
  it('runs at once, asks nothing, and ends by its own word', () => {
    const tx = begun();
    expect([tx.status, tx.names(), tx.sent]).toEqual(['running', ['IntentSubmitted'], []]);
    expect([tx.commit().status, tx.names()]).toEqual(['completed', ['IntentSubmitted', 'WorkflowCommitting', 'WorkflowEnded']]);
  });

  it('asks about each step when it is added, starts it when it may, and says what came of it', () => {
    const tx = begun().add('a');
    expect(tx.commands('DecidePlan')).toHaveLength(1);
    tx.decided();
    expect(tx.commands('ExecuteStep')).toEqual(['a']);
    tx.report('a', 'succeeded').done('b', { restsOn: ['a'] });
    expect([tx.statusOf('a'), tx.statusOf('b'), tx.status, tx.state!.start.steps[1]!.after]).toEqual(['succeeded', 'succeeded', 'running', [0]]);
    expect(tx.commit().status).toBe('completed');
    expect(tx.facts.at(-1)!.fact).toMatchObject({ code: null, reason: null });
  });

  it('stands when steps fail or are denied, does not start what rests on them, and says so at its end', () => {
    const tx = begun().add('a').decided().add('b', { restsOn: ['a'] }).add('c', { restsOn: ['b'] }).report('a', 'failed');
    expect([tx.status, tx.statusOf('a'), tx.statusOf('b'), tx.statusOf('c')]).toEqual(['running', 'failed', 'skipped', 'skipped']);
    tx.add('d').decided(() => ({ outcome: 'deny', code: 'POLICY_DENIED', reason: 'no' } as const)).add('e', { restsOn: ['d'] });
    expect([tx.status, tx.statusOf('d'), tx.statusOf('e')]).toEqual(['running', 'failed', 'skipped']);
    expect(tx.done('f').commit().status).toBe('completed');
    expect(tx.facts.at(-1)!.fact).toMatchObject({ code: 'STEPS_FAILED', reason: expect.stringContaining('`a`, `b`, `c`, `d`, `e`') as string });
  });

  it('fails a step whose reference leads nowhere, and goes on', () => {
    const tx = begun().done('a').add('b', { input: { value: { $ref: '#/steps/a/output/nothing' } }, hasReferences: true, restsOn: ['a'] }).decided();
    expect([tx.statusOf('b'), tx.state!.steps[1]!.error!.code, tx.status]).toEqual(['failed', 'REFERENCE_UNRESOLVED', 'running']);
    expect(tx.done('c', { input: { value: { $ref: '#/steps/a/output/value' } }, hasReferences: true, restsOn: ['a'] }).statusOf('c')).toBe('succeeded');
  });

  it('takes the same step again for the same, and another under its id for a conflict, also when it is over', () => {
    const tx = begun().done('a');
    const facts = tx.facts.length;
    expect([tx.add('a').facts.length, tx.commands('ExecuteStep')]).toEqual([facts, ['a']]);
    expect(tx.refused(() => tx.say({ order: 'addStep', step: { ...added('a'), digest: 'sha256:other' } }))).toBe('IDEMPOTENCY_CONFLICT');
    tx.commit();
    expect([tx.refused(() => tx.add('a')), tx.refused(() => tx.add('b')), tx.refused(() => tx.commit())]).toEqual(['taken', 'WRONG_STATE completed', 'taken']);
  });

  it('is its agent\'s alone, and no other workflow is one', () => {
    const tx = begun();
    const admin = { kind: 'person', id: 'admin', tenant: TENANT } as const;
    expect([tx.refused(() => tx.say({ order: 'commit' }, admin)), tx.refused(() => tx.say({ order: 'addStep', step: added('a') }, { ...AGENT, kind: 'person' }))]).toEqual(['FORBIDDEN', 'FORBIDDEN']);
    const batch = new Transaction().submit(aWorkflow([aStep('a')])) as Transaction;
    expect([batch.refused(() => batch.commit()), batch.refused(() => batch.add('b'))]).toEqual(['WRONG_STATE pending', 'WRONG_STATE pending']);
  });

  it('knows no step that was not added before, and takes a thousand', () => {
    const tx = begun();
    expect(tx.refused(() => tx.add('a', { restsOn: ['b'] }))).toBe('UNKNOWN_STEP');
    for (let n = 0; n < 1_000; n++) tx.say({ order: 'addStep', step: added(`s${n}`) });
    expect([tx.refused(() => tx.add('more')), tx.refused(() => tx.add('s7'))]).toEqual(['TOO_LARGE', 'taken']);
    const large = { value: 'x'.repeat(1_000_000) };
    const heavy = begun();
    for (let n = 0; n < 16; n++) heavy.add(`s${n}`, { input: large });
    expect(heavy.refused(() => heavy.add('s16', { input: large }))).toBe('TOO_LARGE');
  });

  it('waits with its commit for what runs, and takes no step more; until then it can be taken back', () => {
    const tx = begun().add('a').decided().commit();
    expect([tx.status, tx.refused(() => tx.add('b')), tx.refused(() => tx.commit())]).toEqual(['running', 'WRONG_STATE committing', 'taken']);
    expect(tx.report('a', 'succeeded').status).toBe('completed');
    const back = begun().done('a').add('b').decided().commit().order({ order: 'rollback', reason: 'no' }).report('b', 'succeeded').report('b', 'succeeded').report('a', 'succeeded');
    expect([back.status, back.refused(() => (back as Transaction).commit())]).toEqual(['rolledBack', 'WRONG_STATE rolledBack']);
  });

  it('pauses, and then takes neither step nor commit; a commit that was said before holds', () => {
    const tx = begun().add('a').decided().commit().order({ order: 'pause' }) as Transaction;
    expect([tx.refused(() => tx.add('b')), tx.refused(() => tx.commit())]).toEqual(['WRONG_STATE paused', 'taken']);
    expect([tx.report('a', 'succeeded').status, tx.order({ order: 'resume' }).status]).toEqual(['paused', 'completed']);
    const other = begun().order({ order: 'pause' }) as Transaction;
    expect([other.refused(() => other.commit()), other.order({ order: 'resume' }).status]).toEqual(['WRONG_STATE paused', 'running']);
  });

  it.each([['cancelled without an effect', 'cancelled', (tx: Transaction) => tx.order({ order: 'cancel' })], ['cancelled', 'rolledBack', (tx: Transaction) => tx.done('a').order({ order: 'cancel' }).report('a', 'succeeded')],
    ['rolled back when it is empty', 'rolledBack', (tx: Transaction) => tx.order({ order: 'rollback', reason: 'no' })]])('is %s', (_, status, act) => {
    expect(act(begun()).status).toBe(status);
  });

  it('takes itself back when its deadline is over, whatever it waits for', () => {
    const tx = begun({ deadlineMs: 100_000 }).done('a').add('b') as Transaction;
    tx.wait(100_000).report('a', 'succeeded');
    expect([tx.status, tx.state!.rollback!.code]).toEqual(['rolledBack', 'DEADLINE_EXCEEDED']);
    const paused = begun({ deadlineMs: 100_000 }).order({ order: 'pause' }).wait(100_000);
    expect(paused.status).toBe('rolledBack');
  });

  it('is held by a kill switch and goes on when that is lifted', () => {
    const tx = begun();
    tx.control = { epoch: 2, hold: { code: 'KILL_SWITCH', reason: 'stop', includeUndo: false, rollback: false } };
    expect(tx.wait(1).status).toBe('paused');
    tx.control = { epoch: 3, hold: null };
    expect(tx.wait(10 * IDLE_MS).status).toBe('running');
    expect(tx.done('a').status).toBe('running');
  });
});

describe('an idle transaction', () => {
  const isIdle = (tx: WorkflowHarness): boolean => tx.state!.rollback?.code === 'IDLE';

  it('takes itself back when it was left alone for its time, not before, and a step in between begins it anew', () => {
    const tx = begun();
    expect([wakeAt(tx.state!, tx.at), tx.wait(IDLE_MS - 1).status]).toEqual([tx.at - (IDLE_MS - 1) + IDLE_MS, 'running']);
    tx.done('a').wait(IDLE_MS - 1);
    expect([tx.status, isIdle(tx.wait(1)), tx.status]).toEqual(['running', true, 'rollingBack']);
    expect(tx.report('a', 'succeeded').status).toBe('rolledBack');
    expect(tx.facts.at(-1)!.fact).toMatchObject({ name: 'WorkflowEnded', code: 'IDLE' });
  });
  it.each([
    ['policy is asked', (tx: Transaction) => tx.add('a')], ['a step runs', (tx: Transaction) => tx.add('a', { timeoutMs: 10 * IDLE_MS }).decided()], ['a step is to be tried again', (tx: Transaction) => tx.add('a', { attemptsMax: 2 }).decided().report('a', 'failed')],
    ['an outcome is unknown', (tx: Transaction) => tx.add('a').decided().report('a', 'unknown')], ['a person is asked', (tx: Transaction) => tx.add('a').decided(() => ({ outcome: 'approve' }) as never)], ['it is paused', (tx: Transaction) => tx.order({ order: 'pause' })],
    ['it waits for a lock', (tx: Transaction) => { tx.grantLocks = false; return tx.add('a', file('x')).decided(); }],
  ])('is none while %s', (_, act) => {
    const tx = begun();
    act(tx);
    expect(idleAt(tx.state!)).toBe(Infinity);
    expect(isIdle(tx.wait(2 * IDLE_MS))).toBe(false);
  });
  it('is not blamed for the time in which nobody drove it', () => {
    const tx = begun();
    tx.at += 10 * IDLE_MS;
    const drivenSince = tx.at - 1;
    expect([idleAt(tx.state!, drivenSince), wakeAt(tx.state!, tx.at, drivenSince)]).toEqual([drivenSince + IDLE_MS, drivenSince + IDLE_MS]);
  });
});

describe('the locks of a transaction', () => {
  it('are taken for each step as it comes, the first without holding any, later ones at its own age', () => {
    const tx = begun();
    tx.grantLocks = false;
    tx.add('a', file('x')).decided();
    expect([tx.statusOf('a'), tx.wants.map(({ resource }) => resource)]).toEqual(['pending', ['file://w', 'file://w/x']]);
    tx.grantLocks = true;
    tx.wait(1).report('a', 'succeeded').done('b', file('y'));
    expect(tx.wants.map(({ resource }) => resource)).toEqual(['file://w/y']);
    expect(tx.state!.locks.map(({ resource }) => resource)).toEqual(['file://w', 'file://w/x', 'file://w/y']);
    const wants = tx.wants;
    expect(tx.done('c', file('x')).wants).toBe(wants);
  });
  it('that an older one holds fail the step that needs them, and nothing else', () => {
    const tx = begun().done('a', file('x')) as Transaction;
    tx.grantLocks = false;
    tx.add('b', file('y')).decided().add('c').decided();
    tx.bring({ type: 'LocksRefused', holder: 'older', locks: tx.wants as never });
    expect([tx.status, tx.statusOf('a'), tx.statusOf('b'), tx.statusOf('c')]).toEqual(['running', 'succeeded', 'failed', 'running']);
    expect(tx.state!.steps[1]!.error).toMatchObject({ code: 'LOCKED', clean: true, detail: expect.stringContaining('older') as string });
    const before = tx.state;
    expect(tx.bring({ type: 'LocksRefused', holder: 'older', locks: tx.wants as never }).state).toBe(before);
  });
  it('do not hold up a step that needs none', () => {
    const tx = begun();
    tx.grantLocks = false;
    expect(tx.add('a', file('x')).decided().add('b').decided().statusOf('b')).toBe('running');
  });
  it('that were lost are all taken again before the next step', () => {
    const tx = begun().done('a', file('x')) as Transaction;
    tx.bring({ type: 'LocksTakenAway', code: 'BROKEN', reason: 'r', by: 'admin' });
    expect(tx.state!.locks).toEqual([]);
    expect(tx.done('b', file('y')).state!.locks.map(({ resource }) => resource)).toEqual(['file://w', 'file://w/x', 'file://w/y']);
  });
});

describe('whatever happens to a transaction', () => {
  type Op = { readonly op: string; readonly n: number; readonly ms: number };
  const OPS = ['add', 'add', 'add', 'again', 'other', 'allow', 'allow', 'deny', 'succeed', 'succeed', 'fail', 'unknown', 'happened', 'didNotHappen', 'tick', 'tick', 'commit', 'pause', 'resume', 'rollback', 'hold', 'lift', 'refuse', 'grant', 'grant'];
  const ops = fc.array(fc.record({ op: fc.constantFrom(...OPS), n: fc.nat(11), ms: fc.constantFrom(0, 10, 1_000, IDLE_MS / 2, IDLE_MS) }), { maxLength: 60 });

  /** As a fold of its facts from the beginning. */
  const folded = (tx: WorkflowHarness): Workflow | null => tx.facts.reduce<Workflow | null>((state, fact) => evolve(state, fact, TENANT), null);

  it('no step is lost or done twice, idle never ends it while something is pending, and left alone it ends', () => {
    fc.assert(fc.property(ops, list => {
      const tx = begun();
      tx.grantLocks = false;
      const accepted: string[] = [];
      for (const op of list) {
        const before = tx.state!;
        const facts = tx.facts.length;
        try { act(tx, op, accepted); } catch (error) { if (!(error instanceof Refusal)) throw error; }
        check(tx, before, facts, accepted);
      }
      // Left alone by all but time and services it ends; what was taken back stands nowhere.
      tx.control = { epoch: 9, hold: null };
      tx.grantLocks = true;
      tx.wait(1);
      if (tx.status === 'paused') tx.order({ order: 'resume' });
      for (let rounds = 0; tx.state!.endedAt === null && rounds < 300; rounds++) serve(tx);
      expect([tx.status, tx.status === 'rolledBack' ? tx.state!.steps.filter(({ status }) => ['succeeded', 'running', 'unknown'].includes(status)) : []]).toEqual([expect.stringMatching(/^(completed|rolledBack|cancelled)$/), []]);
      expect(folded(tx)).toEqual(tx.state);
      // Once each, and none of a step that was not added.
      const keys = tx.facts.flatMap(({ fact }) => (fact.name === 'StepStarted' ? [`${fact.step}/${fact.generation}`] : []));
      expect(new Set(keys).size).toBe(keys.length);
    }), { numRuns: 300 });
  });

  function act(tx: Transaction, { op, n, ms }: Op, accepted: string[]): void {
    tx.at += ms;
    const of = (...statuses: readonly string[]): string | undefined => { const found = tx.state!.start.steps.filter((_, index) => statuses.includes(tx.state!.steps[index]!.status)); return found[n % Math.max(1, found.length)]?.id; };
    const report = (step: string | undefined, ...rest: [Parameters<Transaction['report']>[1]]): void => { if (step !== undefined) tx.report(step, ...rest); };
    switch (op) {
      case 'add': {
        const id = `s${tx.state!.steps.length}-${n}`;
        const restsOn = n % 3 === 0 && accepted.length > 0 ? [accepted[n % accepted.length]!] : [];
        tx.add(id, { restsOn, ...(n % 2 === 0 ? {} : file(`f${n % 4}`)) });
        accepted.push(id);
        return;
      }
      case 'again': case 'other': {
        const id = accepted[n % Math.max(1, accepted.length)];
        const at = tx.state!.start.steps.find(step => step.id === id);
        if (at !== undefined) tx.say({ order: 'addStep', step: { ...added(at.id), digest: op === 'again' ? at.digest! : 'sha256:other' } });
        return;
      }
      case 'allow': case 'deny': {
        if (tx.state!.questions > 0) tx.decided(() => (op === 'allow' ? {} : { outcome: 'deny', code: 'POLICY_DENIED', reason: 'no' } as const), 1 + (n % tx.state!.questions));
        return;
      }
      case 'succeed': return report(of('running', 'undoing'), 'succeeded');
      case 'fail': return report(of('running'), 'failed');
      case 'unknown': return report(of('running'), 'unknown');
      case 'happened': return report(of('unknown'), 'succeeded');
      case 'didNotHappen': return report(of('unknown'), 'didNotHappen');
      case 'tick': tx.wait(0); return;
      case 'commit': tx.commit(); return;
      case 'pause': tx.order({ order: 'pause' }); return;
      case 'resume': tx.order({ order: 'resume' }); return;
      case 'rollback': if (n === 0) tx.order({ order: 'rollback', reason: 'no' }); return;
      case 'hold': tx.control = { epoch: tx.control.epoch! + 1, hold: { code: 'KILL_SWITCH', reason: 'stop', includeUndo: false, rollback: false } }; tx.wait(0); return;
      case 'lift': tx.control = { epoch: tx.control.epoch! + 1, hold: null }; tx.wait(0); return;
      case 'refuse': if (tx.wants.length > 0) tx.bring({ type: 'LocksRefused', holder: 'older', locks: tx.wants as never }); return;
      case 'grant': tx.grantLocks = true; tx.wait(0); tx.grantLocks = false; return;
    }
  }

  function check(tx: Transaction, before: Workflow, facts: number, accepted: readonly string[]): void {
    const state = tx.state!;
    expect(state.start.steps.map(({ id }) => id)).toEqual(accepted.slice(0, state.steps.length));
    expect([state.steps.length, accepted.length]).toEqual([state.start.steps.length, state.start.steps.length]);
    for (const { fact, at } of tx.facts.slice(facts)) {
      if (fact.name === 'StepAdded') expect([before.closing, ['running', 'awaitingApproval'].includes(before.status)]).toEqual([false, true]);
      if (fact.name === 'RollbackStarted' && fact.code === 'IDLE') {
        expect([before.steps.filter(({ status }) => !['succeeded', 'failed', 'skipped'].includes(status)), before.closing, at - before.movedAt >= IDLE_MS]).toEqual([[], false, true]);
      }
      if (fact.name === 'WorkflowEnded' && fact.status === 'completed') expect([state.closing, state.steps.every(({ status }) => ['succeeded', 'failed', 'skipped'].includes(status))]).toEqual([true, true]);
    }
  }

  /** One round in which every service answers what it was asked. */
  function serve(tx: Transaction): void {
    tx.state!.steps.forEach((step, index) => {
      const { id } = tx.state!.start.steps[index]!;
      const { asked } = tx.state!.steps[index]!;
      if (asked !== null) tx.decided(() => ({}), asked);
      if (['running', 'unknown', 'undoing'].includes(step.status) && tx.statusOf(id) === step.status) tx.report(id, 'succeeded');
    });
    tx.wait(IDLE_MS / 4);
  }
});
