import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { noop, stepOf, type AgentClient } from '../support/agent';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';

describe('what is done on behalf of another agent', () => {
  const world = useStack();
  let leader: AgentClient;
  beforeEach(async () => { leader = await world.stack.agent({ capabilities: ['fs.write', 'agent.task', 'noop'] }); });

  const helper = (capabilities: readonly string[]): Promise<AgentClient> => world.stack.agent({ connection: leader.connection, capabilities });
  const give = (to: AgentClient): { id: string; capability: string; input: object } => ({ id: 't', capability: 'agent.task', input: { agent: to.id, task: 'work' } });
  const claim = async (agent: AgentClient): Promise<Body> => agent.must(200, 'POST', '/v1/tasks/claim', { body: { waitMs: 20_000 } });
  const complete = (agent: AgentClient, { id, token }: Body): Promise<Body> => agent.must(200, 'POST', `/v1/tasks/${id}/complete`, { body: { result: null, token } });
  const has = (name: string): boolean => existsSync(join(leader.root, name));

  it('is denied what that agent may not, however much the one that acts may, and the other way round', async () => {
    const strong = await helper(['fs.*']);
    const weak = await helper(['fs.read']);
    const id = await leader.start([{ ...give(strong), id: 'a' }, { ...give(weak), id: 'b' }]);
    const [ofStrong, ofWeak] = [await claim(strong), await claim(weak)];
    const made = await strong.run([strong.fs('mkdir', 'dir', { path: 'dir' })], { parent: ofStrong.token });
    expect([made.status, stepOf(made, 'dir').error.code, stepOf(made, 'dir').error.detail]).toEqual(['rejected', 'POLICY_DENIED', expect.stringContaining(`agent \`${leader.id}\`, on whose behalf it acts`)]);
    expect((await strong.run([strong.fs('mkdir', 'own', { path: 'own' })])).status).toBe('completed');
    const wrote = await weak.run([weak.fs('write', 'w', { path: 'f', content: 'x' })], { parent: ofWeak.token });
    expect([wrote.status, stepOf(wrote, 'w').error.code, has('dir'), has('f')]).toEqual(['rejected', 'POLICY_DENIED', false, false]);
    expect((await strong.run([strong.fs('write', 'w', { path: 'g', content: 'x' })], { parent: ofStrong.token })).status).toBe('completed');
    await complete(strong, ofStrong);
    await complete(weak, ofWeak);
    expect((await leader.rest(id)).status).toBe('completed');
  }, 60_000);

  it('is bound to all of a chain of tasks, belongs to one transaction, and goes back with it', async () => {
    const middle = await helper(['fs.read', 'agent.task']);
    const last = await helper(['fs.*']);
    const id = await leader.start([leader.fs('write', 'before', { path: 'f', content: 'one' }), { ...give(middle), dependsOn: ['before'] }]);
    const first = await claim(middle);
    const inner = await middle.start([give(last)], { parent: first.token });
    const second = await claim(last);
    const denied = await last.run([last.fs('write', 'w', { path: 'f', content: 'two' })], { parent: second.token });
    expect([denied.status, denied.parent.root, denied.parent.chain, stepOf(denied, 'w').error.detail]).toEqual(['rejected', id, [leader.id, middle.id], expect.stringContaining(middle.id)]);
    await complete(last, second);
    expect((await middle.rest(inner)).status).toBe('completed');
    await complete(middle, first);
    expect((await leader.rest(id)).status).toBe('completed');
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${id}/rollback`, { body: { reason: 'no' } });
    expect((await leader.reaches(id, ['rolledBack', 'rollbackBlocked'])).status).toBe('rolledBack');
    expect([(await middle.workflow(inner)).status, has('f')]).toEqual(['rolledBack', false]);
  }, 60_000);

  it('waits while that agent is suspended', async () => {
    const strong = await helper(['fs.*', 'noop']);
    const id = await leader.start([give(strong)]);
    const task = await claim(strong);
    await world.stack.admin.must(200, 'POST', `/v1/agents/${leader.id}/suspend`, { body: {} });
    const { workflowId } = await strong.must(202, 'POST', '/v1/intents', { body: { goal: 'test', steps: [noop('n')], parent: task.token } });
    const held = await strong.reaches(workflowId, ['paused']);
    expect([held.statusReason.code, stepOf(held, 'n').attempts]).toEqual(['AGENT_SUSPENDED', 0]);
    await world.stack.admin.must(200, 'POST', `/v1/agents/${leader.id}/resume`, { body: {} });
    expect((await strong.reaches(workflowId, ['completed', 'rejected', 'failed'])).status).toBe('completed');
    await complete(strong, task);
    expect((await leader.rest(id)).status).toBe('completed');
  }, 60_000);
});
