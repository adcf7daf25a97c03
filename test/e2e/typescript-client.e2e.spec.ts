import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Intent, StepFailed, WorkflowFailed, type Task } from '@aifirst/client';
import { stepOf, type AgentClient } from '../support/agent';
import { useStack } from '../support/stack';

describe('the TypeScript client on the whole runtime', () => {
  const world = useStack();
  let agent: AgentClient;
  let client: Client;
  const clientOf = (of: AgentClient): Client => new Client({ url: world.stack.url, token: of.token ?? '' });
  beforeEach(async () => { agent = await world.stack.agent(); client = clientOf(agent); });
  const has = (name: string): boolean => existsSync(join(agent.root, name));
  const file = (path: string, content = path): { connection: string; path: string; content: string } => ({ connection: agent.connection.name, path, content });

  it('runs an intent whose steps rest on each other', async () => {
    const intent = new Intent('copy');
    const draft = intent.step('fs.write', file('draft', 'words'));
    const read = intent.step('fs.read', { connection: agent.connection.name, path: 'draft' }, { dependsOn: draft });
    intent.step('noop', { value: read.output('content') }, { id: 'last' });
    const done = await client.run(intent);
    expect([done.status, stepOf(done, 'last').output]).toEqual(['completed', { value: 'words' }]);
  });

  it('throws what a model can act on where it is taken back', async () => {
    const intent = new Intent('fails');
    intent.step('fs.write', file('gone'), { id: 'write' });
    intent.step('fs.read', { connection: agent.connection.name, path: 'nowhere' }, { id: 'read', dependsOn: 'write' });
    const error = await client.run(intent).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WorkflowFailed);
    expect([(error as WorkflowFailed).message, has('gone')]).toEqual([expect.stringContaining('NOT_FOUND'), false]);
  });

  it('commits a transaction whose block returns, and takes back one whose block throws', async () => {
    const kept = await client.transaction('keep', async tx => {
      await tx.call('fs.write', file('kept'));
      await expect(tx.call('fs.read', { connection: agent.connection.name, path: 'nowhere' })).rejects.toBeInstanceOf(StepFailed);
      return (await tx.call('fs.read', { connection: agent.connection.name, path: 'kept' })).content as string;
    });
    expect([kept, has('kept')]).toEqual(['kept', true]);
    await expect(client.transaction('drop', async tx => { await tx.call('fs.write', file('dropped')); throw new Error('thought better of it'); })).rejects.toThrow('thought better of it');
    expect(has('dropped')).toBe(false);
  });

  it('works tasks within the transaction that gave them', async () => {
    const clerk = await world.stack.agent({ connection: agent.connection });
    const stop = new AbortController();
    const seen: Task[] = [];
    const working = clientOf(clerk).work(async (task, within) => {
      seen.push(task);
      await within.call('fs.write', file(task.task.name as string));
      return { wrote: task.task.name as string };
    }, { signal: stop.signal, waitMs: 5_000 });
    const intent = new Intent('delegate');
    intent.step('agent.task', { agent: clerk.id, task: { name: 'by-the-clerk' } }, { id: 't' });
    const done = await client.run(intent);
    expect([done.status, stepOf(done, 't').output, has('by-the-clerk'), seen.length]).toEqual(['completed', { result: { wrote: 'by-the-clerk' }, agent: clerk.id }, true, 1]);
    stop.abort();
    await working;
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${done.id}/rollback`, { body: { reason: 'no' } });
    expect([(await agent.reaches(done.id, ['rolledBack', 'rollbackBlocked'])).status, has('by-the-clerk')]).toEqual(['rolledBack', false]);
  }, 60_000);
});
