import { existsSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentClient } from '../support/agent';
import { after, briefly, expectStatus, noop, ref, sleep, stepOf } from '../support/agent';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';
import { treeOf } from '../support/tree';
import { until } from '../support/wait';

describe('an intent', () => {
  const world = useStack();
  let agent: AgentClient;
  const at = (path: string): string => join(agent.root, path);
  const before = (step: Body): Body => step.undo;

  beforeEach(async () => {
    agent = await world.stack.agent();
    mkdirSync(at('letters/old'), { recursive: true });
    writeFileSync(at('letters/1.txt'), 'one\n', { mode: 0o640 });
    writeFileSync(at('letters/old/0.txt'), 'zero\n');
    linkSync(at('letters/1.txt'), at('hard.txt'));
    symlinkSync('letters/1.txt', at('soft.txt'));
    writeFileSync(at('journal.log'), 'first line\n');
    for (const path of ['letters/1.txt', 'letters/old/0.txt', 'journal.log', 'letters/old', 'letters', '.']) utimesSync(at(path), 1_600_000_000.123, 1_600_000_000.456);
  });

  it('that is good ends completed, step by step, with what it was asked for in place', async () => {
    const workflow = await agent.run([
      agent.fs('write', 'write', { path: 'letters/2.txt', content: 'two\n', mode: '0600' }),
      agent.fs('append', 'note', { path: 'journal.log', content: 'second line\n' }, after('write')),
      agent.fs('read', 'read', { path: 'letters/1.txt' }),
      agent.fs('write', 'copy', { path: 'copies/deep/1.txt', content: ref('read', '/content') }),
      agent.fs('mkdir', 'folder', { path: 'new/sub', parents: true }),
      agent.fs('move', 'move', { path: 'letters/old/0.txt', to: 'new/sub/0.txt' }, after('folder')),
      agent.fs('list', 'list', { path: 'new', recursive: true }, after('move')),
      agent.fs('delete', 'delete', { path: 'letters/old', recursive: true }, after('move')),
    ], { goal: 'a walk', labels: { team: 'credit' } });
    expectStatus(workflow, 'completed');
    expect(workflow).toMatchObject({ goal: 'a walk', agent: agent.id, mode: 'saga', labels: { team: 'credit' }, statusReason: null, residue: [] });
    expect(Date.parse(workflow.endedAt)).toBeGreaterThanOrEqual(Date.parse(workflow.createdAt));
    for (const step of workflow.steps) {
      expect(step).toMatchObject({ status: 'succeeded', attempts: 1, error: null, risk: { level: step.id === 'delete' ? 'medium' : 'low' }, decision: { outcome: 'allow', policyVersion: expect.any(String) } });
      expect(step.decision.policies.join()).toMatch(/@/);
    }
    expect(stepOf(workflow, 'write').resources).toEqual([`file://${agent.connection.name}/letters/2.txt`]);
    expect(stepOf(workflow, 'write').output).toMatchObject({ path: 'letters/2.txt', created: true, digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
    expect(Date.parse(stepOf(workflow, 'write').undoableUntil)).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    expect(stepOf(workflow, 'read').output).toMatchObject({ content: 'one\n', encoding: 'utf8', size: 4, mode: expect.stringMatching(/640$/) });
    expect(stepOf(workflow, 'list').output.entries).toMatchObject([{ path: expect.stringMatching(/sub$/), type: 'directory' }, { path: expect.stringMatching(/sub\/0\.txt$/), type: 'file', size: 5 }]);
    expect(readFileSync(at('letters/2.txt'), 'utf8')).toBe('two\n');
    expect(statSync(at('letters/2.txt')).mode & 0o777).toBe(0o600);
    expect(readFileSync(at('journal.log'), 'utf8')).toBe('first line\nsecond line\n');
    expect(readFileSync(at('copies/deep/1.txt'), 'utf8')).toBe('one\n');
    expect(readFileSync(at('new/sub/0.txt'), 'utf8')).toBe('zero\n');
    expect(existsSync(at('letters/old'))).toBe(false);
  });

  it('whose last step fails ends rolledBack, every undo verified, and the tree is exactly as before', async () => {
    await agent.run([agent.fs('list', 'touch', { path: 'letters' })]);
    const tree = treeOf(agent.root);
    const workflow = await agent.run([
      agent.fs('write', 'replace', { path: 'letters/1.txt', content: 'changed' }),
      agent.fs('write', 'deep', { path: 'a/b/c/new.txt', content: 'new' }),
      agent.fs('append', 'append', { path: 'journal.log', content: 'more\n' }),
      agent.fs('append', 'made', { path: 'made/by-append.log', content: 'more\n' }),
      agent.fs('mkdir', 'mkdir', { path: 'letters/sub', mode: '0700' }),
      agent.fs('move', 'move', { path: 'letters/old', to: 'letters/sub/moved' }, after('mkdir')),
      agent.fs('delete', 'unlink', { path: 'hard.txt' }),
      noop('last', { fail: 'clean' }, after('replace', 'deep', 'append', 'made', 'move', 'unlink')),
    ]);
    expectStatus(workflow, 'rolledBack');
    expect(stepOf(workflow, 'last')).toMatchObject({ status: 'failed', error: { clean: true }, undo: null });
    for (const step of workflow.steps.slice(0, -1)) expect(`${step.id}: ${step.status} ${JSON.stringify(before(step))}`).toBe(`${step.id}: undone ${JSON.stringify({ status: 'done', verified: true, reason: null })}`);
    expect(treeOf(agent.root)).toEqual(tree);
  });

  it('whose file somebody else changed in between is rollbackBlocked, says what and who decides, and leaves that file alone', async () => {
    await agent.run([agent.fs('list', 'touch', { path: 'letters' })]);
    const tree = treeOf(agent.root);
    const id = await agent.start([
      agent.fs('write', 'mine', { path: 'letters/1.txt', content: 'ours' }),
      agent.fs('write', 'other', { path: 'other.txt', content: 'ours too' }),
      sleep('while', 1_500, after('mine', 'other')), noop('last', { fail: 'clean' }, after('while')),
    ]);
    await until('the sleep has begun', async () => stepOf(await agent.workflow(id), 'while').status === 'running');
    writeFileSync(at('letters/1.txt'), 'theirs');
    const foreign = treeOf(at('letters'))['1.txt'];
    const blocked = await agent.reaches(id, ['rollbackBlocked']);
    expect(stepOf(blocked, 'mine')).toMatchObject({ status: 'undoBlocked', undo: { status: 'blocked', verified: false, reason: expect.any(String) } });
    expect(stepOf(blocked, 'other')).toMatchObject({ status: 'undone', undo: { verified: true } });
    expect(blocked.endedAt).toBeNull();
    expect(blocked.statusReason).toMatchObject({ code: 'TARGET_CHANGED', detail: expect.stringContaining('letters/1.txt'), since: expect.any(String) });
    expect(blocked.statusReason.actions).toContainEqual(expect.objectContaining({ method: 'POST', path: `/v1/workflows/${id}/rollback`, by: expect.stringContaining('administrator') }));
    expect(blocked.residue).toContainEqual(expect.objectContaining({ step: 'mine', resource: `file://${agent.connection.name}/letters/1.txt` }));
    expect(existsSync(at('other.txt'))).toBe(false);
    expect(treeOf(at('letters'))['1.txt']).toBe(foreign);

    // Once the person has put back what the workflow had written, undo goes on.
    writeFileSync(at('letters/1.txt'), 'ours');
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${id}/rollback`, { body: { reason: 'they have put it back' } });
    const done = await agent.reaches(id, ['rolledBack', 'rollbackBlocked']);
    expectStatus(done, 'rolledBack');
    expect(stepOf(done, 'mine')).toMatchObject({ status: 'undone', undo: { status: 'done' } });
    expect(done.residue).toEqual([]);
    const now = treeOf(agent.root);
    expect(Object.keys(now)).toEqual(Object.keys(tree));
    expect(now['letters/1.txt']).toBe(tree['letters/1.txt']);
  });

  it('is undone on request after it completed, and the tree is as before', async () => {
    await agent.run([agent.fs('list', 'touch', { path: 'letters' })]);
    const tree = treeOf(agent.root);
    const workflow = await agent.run([
      agent.fs('write', 'write', { path: 'x/y.txt', content: 'y' }), agent.fs('append', 'append', { path: 'journal.log', content: 'z' }),
      agent.fs('move', 'move', { path: 'letters/1.txt', to: 'letters/one.txt' }), agent.fs('delete', 'delete', { path: 'letters/old/0.txt' }),
    ]);
    expectStatus(workflow, 'completed');
    await world.stack.admin.must(202, 'POST', `/v1/workflows/${workflow.id}/rollback`, { body: { reason: 'it was a mistake' } });
    const undone = await agent.reaches(workflow.id, ['rolledBack', 'rollbackBlocked']);
    expectStatus(undone, 'rolledBack');
    expect(undone.steps.map((step: Body) => step.undo)).toEqual(Array(4).fill({ status: 'done', verified: true, reason: null }));
    expect(treeOf(agent.root)).toEqual(tree);
    const again = await world.stack.admin.post(`/v1/workflows/${workflow.id}/rollback`, { reason: 'again' });
    expect([again.status, again.body.code]).toEqual([409, 'WRONG_STATE']);
  });

  it('does what a long-standing neighbour of its steps never notices: other files keep everything', async () => {
    const untouched = treeOf(at('letters'));
    const workflow = await agent.run([agent.fs('write', 'w', { path: 'elsewhere.txt', content: 'x' }), agent.fs('delete', 'd', { path: 'elsewhere.txt' }, after('w')), noop('f', { fail: 'clean' }, after('d'))]);
    expect(briefly(workflow)).toContain('rolledBack');
    expect(treeOf(at('letters'))).toEqual(untouched);
  });
});
