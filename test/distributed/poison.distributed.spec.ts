import { stepCommandsTopic, TOPICS } from '@aifirst/contracts';
import { noop, type AgentClient } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import type { Body } from '../support/http';
import { envelope, Records, seriesOf } from '../support/records';
import { useStack } from '../support/stack';
import { sizeOf, until } from '../support/wait';

const GOOD = sizeOf('AIFIRST_POISON_MESSAGES', 1_000);
const IN_FLIGHT = 16;
const WITHIN_MS = 60_000;
const COMMANDS = stepCommandsTopic('adapter-os');

/** What nobody can make sense of, though it comes under the MAC of services. Each: its topic, its type, who chokes on it. */
const POISON = {
  start: { topic: TOPICS.workflowCommands, type: 'aifirst.orchestration.start-workflow.v1', service: 'orchestrator', code: 'MALFORMED_MESSAGE' },
  question: { topic: TOPICS.decisionCommands, type: 'aifirst.policy.decide-plan.v1', service: 'policy', code: 'INVARIANT_VIOLATED' },
  command: { topic: COMMANDS, type: 'aifirst.execution.execute-step.v1', service: 'adapter-os', code: 'MALFORMED_COMMAND' },
} as const;

describe(`one message that nobody can handle, in the middle of ${GOOD} good workflows`, () => {
  const test = useStack();
  let agent: AgentClient;
  let records: Records;
  /** A workflow whose first step sleeps while its key is poisoned, so that all that comes of it is a successor. */
  let victim: string;
  let good: string[];
  const { start, question, command } = POISON;

  const letters = (status = 'parked'): Promise<Body[]> => test.stack.admin.all(`/v1/dead-letters?status=${status}`);
  const ofVictim = async (status = 'parked'): Promise<Body[]> => (await letters(status)).filter(({ key, service }) => key === victim && service === start.service);
  const poison = ({ topic, type }: typeof POISON[keyof typeof POISON], key: string): Promise<void> =>
    records.put(topic, records.sealed(topic, key, envelope({ type, subject: key, data: { workflow: key, steps: 'none that make sense' } })));
  const settle = (what: 'replay' | 'discard', { id }: Body): Promise<Body> => test.stack.admin.must(200, 'POST', `/v1/dead-letters/${encodeURIComponent(id)}/${what}`, { body: {} });

  beforeAll(async () => {
    agent = await test.stack.agent();
    records = await Records.of(test.stack);
  });
  afterAll(async () => { await records?.close(); });

  it('those of other keys flow on', async () => {
    good = [];
    let sent = 0;
    const send = async (upTo: number): Promise<void> => {
      await Promise.all(Array.from({ length: IN_FLIGHT }, async () => { while (sent < upTo) { sent++; good.push(await agent.start([noop('a')])); } }));
    };
    const startedAt = Date.now();
    await send(GOOD / 2);
    victim = await agent.start([{ id: 'nap', capability: 'timer.sleep', input: { ms: 2_000 } }, noop('then', {}, { dependsOn: ['nap'] })]);
    await agent.reaches(victim, ['running']);
    await until('the nap has begun', async () => (await agent.workflow(victim)).steps[0].status === 'running');
    await poison(start, victim);
    await poison(question, crypto.randomUUID());
    await poison(command, crypto.randomUUID());
    await send(GOOD);
    const open = new Set(good);
    await until(`all ${GOOD} are completed`, async () => {
      for (const { id, status } of await agent.all('/v1/workflows?status=completed')) if (status === 'completed') open.delete(id);
      if (open.size > 0) throw new Error(`${open.size} are not`);
      return true;
    }, WITHIN_MS, 250);
    console.log(`${GOOD} good workflows, with three bad messages in their middle, took ${Date.now() - startedAt} ms`);
  }, WITHIN_MS + 60_000);

  it('it is seen among the dead letters of who choked on it, counted, and told of in the log', async () => {
    const parked = await until('all three are parked', async () => {
      const found = (await letters()).filter(({ code }) => code !== 'BEHIND_PARKED');
      return found.length >= 3 ? found : undefined;
    });
    expect(parked).toHaveLength(3);
    for (const { service, code, topic } of Object.values(POISON)) expect(parked).toContainEqual(expect.objectContaining({ service, code, topic, tenant: 'default', status: 'parked' }));
    const page = await test.stack.metrics();
    for (const { service } of Object.values(POISON)) expect(seriesOf(page, 'aifirst_dead_letters_parked', { service })).toBeGreaterThanOrEqual(1);
    expect(test.stack.output.split('\n').filter(line => line.includes('"messages were parked"')).map(line => JSON.parse(line) as Body)).toContainEqual(expect.objectContaining({ level: 'error', service: 'orchestrator', key: victim, code: start.code }));
  });

  it('what comes of its key after it is parked behind it', async () => {
    await until('the report of the nap is parked', async () => (await ofVictim()).some(({ code, topic }) => code === 'BEHIND_PARKED' && topic === TOPICS.stepEvents), 20_000);
    expect((await ofVictim())[0]).toMatchObject({ code: start.code, topic: start.topic });
    expect((await agent.workflow(victim)).status).toBe('running');
  });

  it('replay hands it over again: it fails again, and stays with all behind it', async () => {
    const [first, ...behind] = await ofVictim();
    const answer = await settle('replay', first);
    expect(answer).toMatchObject({ replayed: [], failed: { code: start.code }, letter: { id: first.id, status: 'parked' } });
    expect(answer.left).toBeGreaterThan(behind.length);
    expect((await ofVictim()).map(({ id }) => id)).toEqual(expect.arrayContaining([first.id, ...behind.map(({ id }) => id)]));
    expect((await agent.workflow(victim)).status).toBe('running');
  });

  it('discard gives it up, replay of what waits behind it lets the key flow again', async () => {
    const [first] = await ofVictim();
    expect(await settle('discard', first)).toMatchObject({ letter: { id: first.id, status: 'discarded' } });
    expect((await ofVictim('discarded')).map(({ id }) => id)).toEqual([first.id]);
    expect((await test.stack.admin.call('POST', `/v1/dead-letters/${encodeURIComponent(first.id)}/replay`, { body: {} })).body).toMatchObject({ code: 'WRONG_STATE' });
    const [next] = await ofVictim();
    const answer = await settle('replay', next);
    expect(answer).toMatchObject({ failed: null, left: 0, letter: { id: next.id, status: 'replayed' } });
    expect((await agent.rest(victim)).status).toBe('completed');
    expect(await ofVictim()).toEqual([]);
  });

  it('one with nothing behind it is settled by discarding it alone', async () => {
    for (const letter of await letters()) expect(await settle('discard', letter)).toMatchObject({ left: 0 });
    expect(await letters()).toEqual([]);
    expect((await agent.run([noop('a')])).status).toBe('completed');
    await new AuditLog(test.stack.admin).settled([victim, ...good]);
  }, 60_000);
});
