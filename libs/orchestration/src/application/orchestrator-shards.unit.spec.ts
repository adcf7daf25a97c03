import type { PlannedStep, StepReported } from '@aifirst/contracts';
import { ADMIN, aStep, aWorkflow, MemoryLockLog, OrchestratorStand, workflowId } from '../testing';

const [A, B, C, D] = [workflowId(1), workflowId(2), workflowId(3), workflowId(4)] as const;
const write = (id: string, path: PlannedStep['input'][string], change: Partial<PlannedStep> = {}) => aStep(id, {
  capability: 'fs.write', adapter: 'os', connection: 'w', input: { connection: 'w', path }, resources: [{ uri: 'file://{connection}/{path}', access: 'write' }], ...change,
});
const done = (workflow: string, step: string): StepReported => ({ workflow, step, index: 0, generation: 1, direction: 'forward', attempt: 1, probe: 0, outcome: 'succeeded', output: null, actSequence: 1 });

/** Two orchestrators, each with workflows of its own, on one set of locks. */
class Shards {
  readonly zero = new OrchestratorStand();
  readonly one = new OrchestratorStand();
  readonly log = new MemoryLockLog({ epochOf: shard => this.stands[shard]!.log.epoch });
  readonly stands = [this.zero, this.one];
  /** Acts, in order, of both. */
  readonly acts: string[] = [];
  /** What of these never reports. */
  silent = new Set<string>();

  async start(): Promise<this> {
    for (const [shard, stand] of this.stands.entries()) {
      Object.assign(stand, { shard, lockLog: this.log, looks: { pollMs: 50, idleMs: 2_000 } });
      stand.adapter = ({ workflow, kind, step }) => {
        this.acts.push(`${workflow === A ? 'A' : workflow === B ? 'B' : workflow === C ? 'C' : 'D'} ${kind} ${step}`);
        return this.silent.has(workflow) && kind !== 'undo' ? null : { outcome: 'succeeded', verified: true, output: { value: step === 'name' ? (workflow === A ? 'y' : 'x') : 'x' } };
      };
      await stand.start();
    }
    return this;
  }
  /** Until nobody moves any more. */
  async run(...stands: readonly OrchestratorStand[]): Promise<this> {
    for (let before = ''; ;) {
      for (const stand of stands.length > 0 ? stands : this.stands) await stand.run();
      const now = [this.log.head, ...this.stands.map(({ log }) => log.head())].join();
      if (now === before) return this;
      before = now;
    }
  }
  async statuses(...of: readonly (readonly [OrchestratorStand, string])[]): Promise<readonly string[]> { return Promise.all(of.map(async ([stand, id]) => (await stand.workflow(id)).status)); }
  get trouble(): readonly unknown[] { return this.stands.flatMap(({ fatal, defects }) => [...fatal, ...defects]); }
}

describe('workflows of two shards', () => {
  it('on one file take turns, and are shown each by its own shard, with who waits and for whom', async () => {
    const shards = await new Shards().start();
    const { zero, one } = shards;
    shards.silent.add(A);
    zero.submit(aWorkflow([write('a', 'x')], { workflow: A }));
    await shards.run();
    one.submit(aWorkflow([write('b', 'x')], { workflow: B }));
    await shards.run();
    await zero.pass(2_000);
    expect(zero.orchestrator.locks(null)).toMatchObject([{ workflow: A, resource: 'file://w/x', waiting: [B] }]);
    expect([one.orchestrator.locks(null), (await one.orchestrator.heads([B]))[0]]).toMatchObject([[], { waitsFor: { resource: 'file://w/x', holder: A } }]);
    zero.reported(done(A, 'a'));
    await shards.run();
    expect([await shards.statuses([zero, A], [one, B]), shards.acts, zero.orchestrator.locks(null), one.orchestrator.locks(null)]).toEqual([['completed', 'completed'], ['A execute a', 'B execute b'], [], []]);
  });

  it('take turns in order of age, whoever asked first', async () => {
    const shards = await new Shards().start();
    const { zero, one } = shards;
    shards.silent.add(A);
    zero.submit(aWorkflow([write('a', 'x')], { workflow: A }));
    await shards.run();
    one.submit(aWorkflow([write('d', 'x')], { workflow: D }));
    await shards.run();
    zero.submit(aWorkflow([write('c', 'x')], { workflow: C }));
    await shards.run();
    one.submit(aWorkflow([write('b', 'x')], { workflow: B }));
    await shards.run();
    zero.reported(done(A, 'a'));
    await shards.run();
    expect([shards.acts, shards.trouble]).toEqual([['A execute a', 'B execute b', 'C execute c', 'D execute d'], []]);
  });

  it('that cross on two files both end, the younger one after it has begun again', async () => {
    const shards = await new Shards().start();
    const { zero, one } = shards;
    const crossing = (first: string) => [write('first', first), aStep('name', { after: [0] }), write('second', { $ref: '#/steps/name/output/value' }, { hasReferences: true, after: [1] })];
    const names = [A, B];
    for (const id of names) shards.silent.add(id);
    zero.submit(aWorkflow(crossing('x'), { workflow: A }));
    one.submit(aWorkflow(crossing('y'), { workflow: B }));
    await shards.run();
    shards.silent.clear();
    zero.reported(done(A, 'first'));
    one.reported(done(B, 'first'));
    await shards.run();
    expect(await shards.statuses([zero, A], [one, B])).toEqual(['completed', 'completed']);
    expect([(await zero.workflow(A)).restarts, (await one.workflow(B)).restarts, shards.trouble]).toEqual([0, 1, []]);
    expect([...zero.standing(), ...one.standing()]).toHaveLength(4);
  });

  it('go on when an administrator breaks what the other shard’s holds', async () => {
    const shards = await new Shards().start();
    const { zero, one } = shards;
    shards.silent.add(A);
    zero.submit(aWorkflow([write('a', 'x')], { workflow: A }));
    await shards.run();
    one.submit(aWorkflow([write('b', 'x')], { workflow: B }));
    await shards.run();
    await zero.orchestrator.breakLock(null, zero.orchestrator.locks(null)[0]!.id, ADMIN, 'A is asleep');
    await shards.run();
    expect(await shards.statuses([zero, A], [one, B])).toEqual(['running', 'completed']);
  });
});

describe('a shard that is killed', () => {
  it('between a grant and its fact asks again, behind whoever got it meanwhile', async () => {
    const shards = await new Shards().start();
    const { zero, one } = shards;
    shards.silent.add(A);
    zero.submit(aWorkflow([write('a', 'x')], { workflow: A }));
    await shards.run();
    one.submit(aWorkflow([write('b', 'x')], { workflow: B }));
    zero.submit(aWorkflow([write('c', 'x')], { workflow: C }));
    await shards.run();
    one.store.crash();
    zero.reported(done(A, 'a'));
    await shards.run(zero);
    expect(await shards.statuses([zero, A], [zero, C])).toEqual(['completed', 'pending']);
    await one.restart();
    await shards.run();
    expect([await shards.statuses([one, B], [zero, C]), shards.acts, shards.trouble]).toEqual([['completed', 'completed'], ['A execute a', 'C execute c', 'B execute b'], []]);
    expect((await one.facts(B)).filter(name => name === 'locks-taken')).toHaveLength(1);
  });

  it('between an end and its release holds up the others until it is back, and no longer', async () => {
    const shards = await new Shards().start();
    const { zero, one } = shards;
    shards.silent.add(A);
    zero.submit(aWorkflow([write('a', 'x')], { workflow: A }));
    await shards.run();
    one.submit(aWorkflow([write('b', 'x')], { workflow: B }));
    await shards.run();
    shards.log.fate = ({ shard }) => (shard === 0 ? 'refused' : 'stored');
    zero.reported(done(A, 'a'));
    await shards.run();
    expect(await shards.statuses([zero, A], [one, B])).toEqual(['completed', 'pending']);
    shards.log.fate = () => 'stored';
    await zero.restart();
    await shards.run();
    expect([await shards.statuses([one, B]), shards.trouble]).toEqual([['completed'], []]);
  });

  it('keeps what its workflows hold', async () => {
    const shards = await new Shards().start();
    const { zero, one } = shards;
    shards.silent.add(A);
    zero.submit(aWorkflow([write('a', 'x')], { workflow: A }));
    await shards.run();
    one.submit(aWorkflow([write('b', 'x')], { workflow: B }));
    await shards.run();
    await zero.restart();
    await one.restart();
    await shards.run();
    expect([await shards.statuses([zero, A], [one, B]), (await zero.facts(A)).filter(name => name === 'locks-taken')]).toEqual([['running', 'pending'], ['locks-taken']]);
    zero.reported(done(A, 'a'));
    await shards.run();
    expect(await shards.statuses([zero, A], [one, B])).toEqual(['completed', 'completed']);
  });

  it('and was replaced meanwhile ends when it asks for something', async () => {
    const shards = await new Shards().start();
    const { zero } = shards;
    await zero.store.open({ log: 'orchestrator', shard: 0, owner: 'other', takeOver: true });
    zero.submit(aWorkflow([write('a', 'x')], { workflow: A }));
    await shards.run();
    expect(zero.fatal).toMatchObject([{ code: 'FENCED' }]);
  });
});
