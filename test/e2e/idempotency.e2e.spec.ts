import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectStatus, noop, type AgentClient } from '../support/agent';
import { useStack } from '../support/stack';

describe('an idempotency key', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeEach(async () => { agent = await world.stack.agent(); });
  const append = (line: string): object[] => [agent.fs('append', 'a', { path: 'log.txt', content: `${line}\n` })];

  it('makes fifty concurrent repeats one workflow', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => agent.submit(append('once') as never, {}, { 'idempotency-key': 'fifty' })));
    expect([...new Set(answers.map(({ status }) => status))]).toEqual([202]);
    expect(new Set(answers.map(({ body }) => `${body.intentId} ${body.workflowId}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === 'true')).toHaveLength(49);
    expect(new Set(answers.map(({ headers }) => headers['location']))).toEqual(new Set([`/v1/workflows/${answers[0]!.body.workflowId}`]));
    expectStatus(await agent.rest(answers[0]!.body.workflowId), 'completed');
    expect(readFileSync(join(agent.root, 'log.txt'), 'utf8')).toBe('once\n');
    expect(await agent.all('/v1/workflows')).toHaveLength(1);
    // Long after, the same answer still.
    const late = await agent.submit(append('once') as never, {}, { 'idempotency-key': 'fifty' });
    expect([late.status, late.body.workflowId, late.headers['idempotent-replayed']]).toEqual([202, answers[0]!.body.workflowId, 'true']);
  });

  it('with another intent is a conflict, and nothing is done', async () => {
    const first = await agent.start(append('first') as never, {}, { 'idempotency-key': 'key' });
    for (const [steps, more] of [[append('second'), {}], [append('first'), { goal: 'another' }], [append('first'), { onFailure: 'keep' }]] as const) {
      const other = await agent.submit(steps as never, more, { 'idempotency-key': 'key' });
      expect([other.status, other.body.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT']);
    }
    expectStatus(await agent.rest(first), 'completed');
    expect(readFileSync(join(agent.root, 'log.txt'), 'utf8')).toBe('first\n');
  });

  it('compares what was meant, not how it was written', async () => {
    const written = await agent.call('POST', '/v1/intents', { raw: '{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":1.0}}]}', headers: { 'idempotency-key': 'same' } });
    const again = await agent.call('POST', '/v1/intents', { raw: '{ "steps": [ {"input":{"value":1},"capability":"noop","id":"\\u0061"} ], "mode": "saga", "goal":"g" }', headers: { 'idempotency-key': 'same' } });
    expect([written.status, again.status, again.body.workflowId]).toEqual([202, 202, written.body.workflowId]);
  });

  it("is the principal's own: another agent's same key is another intent", async () => {
    const other = await world.stack.agent();
    const [mine, theirs] = await Promise.all([agent.start([noop('a')], {}, { 'idempotency-key': 'k' }), other.start([noop('a')], {}, { 'idempotency-key': 'k' })]);
    expect(mine).not.toBe(theirs);
  });

  it('is not used up by an intent that was refused', async () => {
    const refused = await agent.submit([{ id: 'a', capability: 'nope' }], {}, { 'idempotency-key': 'r' });
    expect(refused.status).toBe(422);
    const accepted = await agent.submit([noop('a')], {}, { 'idempotency-key': 'r' });
    expect([accepted.status, accepted.headers['idempotent-replayed']]).toEqual([202, undefined]);
  });

  it('without one, every intent is a new one', async () => {
    const [one, two] = await Promise.all([agent.start([noop('a')]), agent.start([noop('a')])]);
    expect(one).not.toBe(two);
  });

  it('is remembered across a kill and a restart', async () => {
    const first = await agent.submit(append('kept') as never, {}, { 'idempotency-key': 'kept' });
    await world.stack.kill9();
    await world.stack.restart();
    const again = await agent.submit(append('kept') as never, {}, { 'idempotency-key': 'kept' });
    expect([again.status, again.body, again.headers['idempotent-replayed']]).toEqual([202, first.body, 'true']);
    const other = await agent.submit(append('other') as never, {}, { 'idempotency-key': 'kept' });
    expect(other.status).toBe(409);
    expectStatus(await agent.rest(first.body.workflowId), 'completed');
    expect(readFileSync(join(agent.root, 'log.txt'), 'utf8')).toBe('kept\n');
  });

  it('answers a waiting repeat with the same workflow', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => agent.submit([noop('a', { value: 1 })], {}, { 'idempotency-key': 'wait', prefer: 'wait=20' })));
    expect([one!.status, two!.status, one!.body.id]).toEqual([200, 200, two!.body.id]);
  });
});
