import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, expectStatus, noop, stepOf, type AgentClient } from '../support/agent';
import type { Answer, Body } from '../support/http';
import { useStack } from '../support/stack';
import { treeOf } from '../support/tree';

const ENDED = ['rolledBack', 'rollbackBlocked'];

describe('a rollback of what has long ended', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeEach(async () => { agent = await world.stack.agent(); });
  const at = (path: string): string => join(agent.root, path);
  const content = (path: string): string => readFileSync(at(path), 'utf8');
  const write = (path: string, text = `ours in ${path}`) => agent.fs('write', path.replaceAll(/[^a-z0-9]/g, '_'), { path, content: text });
  const done = async (...steps: Parameters<AgentClient['run']>[0]): Promise<Body> => {
    const workflow = await agent.run(steps);
    expectStatus(workflow, 'completed');
    return workflow;
  };
  const rollback = (id: string, body: object = {}, who: { post: AgentClient['post'] } = world.stack.admin): Promise<Answer> => who.post(`/v1/workflows/${id}/rollback`, { reason: 'a mistake', ...body });
  const preview = async (id: string, more: object = {}): Promise<Body> => {
    const answer = await rollback(id, { preview: true, ...more });
    if (answer.status !== 200) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };

  it('is shown beforehand: what would be undone in which order, the three sides of a conflict, and nothing changes', async () => {
    writeFileSync(at('a.txt'), 'before\n');
    const workflow = await done(write('a.txt', 'ours\n'), write('b.txt'), agent.fs('read', 'look', { path: 'b.txt' }, after('b_txt')), noop('nothing'));
    writeFileSync(at('a.txt'), 'theirs\n');
    const tree = treeOf(agent.root);
    const seen = await preview(workflow.id);
    expect(seen).toMatchObject({ workflow: workflow.id, status: 'completed', digest: expect.stringMatching(/^hmac-sha256:[0-9a-f]+$/), dependents: [] });
    expect(seen.steps.map(({ order }: Body) => order)).toEqual([1, 2, 3, 4]);
    expect(stepOf(seen, 'a_txt')).toMatchObject({ capability: 'fs.write', outcome: 'wouldBlock', summary: expect.any(String), reason: expect.any(String) });
    const [conflict] = stepOf(seen, 'a_txt').conflicts;
    expect(conflict).toMatchObject({ resource: `file://${agent.connection.name}/a.txt`, what: expect.any(String), expected: expect.any(String), found: expect.any(String) });
    expect([conflict.before, conflict.after, conflict.current].map(side => JSON.stringify(side))).toEqual([expect.stringContaining('before'), expect.stringContaining('ours'), expect.stringContaining('theirs')]);
    expect([stepOf(seen, 'b_txt').outcome, stepOf(seen, 'nothing').outcome, stepOf(seen, 'look').outcome]).toEqual(['wouldUndo', 'wouldUndo', 'nothingToDo']);
    expect(await agent.workflow(workflow.id)).toEqual(workflow);
    expect(treeOf(agent.root)).toEqual(tree);
    expect((await preview(workflow.id)).digest).toBe(seen.digest);
    // Why: what is sealed must have been opened for no one else on the way.
    expect(await world.stack.metrics()).not.toContain('theirs');
    expect(world.stack.output).not.toContain('theirs\\n');
  });

  it('leaves standing what others have changed where it is told to skip, undoes the rest, and says what stands', async () => {
    writeFileSync(at('a.txt'), 'before');
    const workflow = await done(write('a.txt'), write('b.txt'), write('c.txt'));
    writeFileSync(at('b.txt'), 'theirs');
    const answer = await rollback(workflow.id, { onConflict: 'skip' });
    expect(answer.status).toBe(202);
    const ended = await agent.reaches(workflow.id, ENDED);
    expectStatus(ended, 'rolledBack');
    expect(ended.residue).toEqual([{ step: 'b_txt', resource: `file://${agent.connection.name}/b.txt`, what: 'still stands', why: expect.any(String), action: expect.any(String) }]);
    expect(['a_txt', 'b_txt', 'c_txt'].map(id => [stepOf(ended, id).status, stepOf(ended, id).undo.status])).toEqual([['undone', 'done'], ['succeeded', 'skipped'], ['undone', 'done']]);
    expect(stepOf(ended, 'b_txt')).toMatchObject({ undo: { verified: false, reason: expect.any(String) }, statusReason: { code: 'TARGET_CHANGED' } });
    expect([content('a.txt'), content('b.txt'), existsSync(at('c.txt'))]).toEqual(['before', 'theirs', false]);
    const { items } = await agent.must(200, 'GET', `/v1/workflows/${workflow.id}/events?limit=200`);
    expect(items.filter(({ type }: Body) => type === 'aifirst.workflow.step-undo-skipped.v1')).toMatchObject([{ data: { step: 'b_txt', code: 'TARGET_CHANGED', conflict: { resource: `file://${agent.connection.name}/b.txt` } } }]);
  });

  it('that is blocked says how to go on, and is settled by a second one that skips; later what stands may be tried again', async () => {
    const workflow = await done(write('a.txt', 'ours'), write('b.txt'));
    writeFileSync(at('a.txt'), 'theirs');
    expect((await rollback(workflow.id)).status).toBe(202);
    const blocked = await agent.reaches(workflow.id, ENDED);
    expectStatus(blocked, 'rollbackBlocked');
    expect(blocked.statusReason.actions.map(({ path, body }: Body) => [path, body])).toEqual([[expect.any(String), { preview: true }], [expect.any(String), { reason: 'why' }], [expect.any(String), { reason: 'why', onConflict: 'skip' }]]);
    expect((await preview(workflow.id)).steps).toMatchObject([{ id: 'a_txt', outcome: 'wouldBlock' }, { id: 'b_txt', outcome: 'nothingToDo' }]);
    const settled = await rollback(workflow.id, { onConflict: 'skip' });
    expect(settled.status).toBe(202);
    const ended = await agent.reaches(workflow.id, ['rolledBack']);
    expect(ended.residue.map(({ step }: Body) => step)).toEqual(['a_txt']);
    expect(content('a.txt')).toBe('theirs');
    // Why another way than writing: what an undo looks at is also which file it is.
    rmSync(at('a.txt'));
    const again = await rollback(workflow.id);
    expect(again.status).toBe(202);
    expect((await agent.reaches(workflow.id, ENDED)).residue.length).toBeLessThanOrEqual(1);
  });

  it('with the digest of a preview does just what that showed', async () => {
    const workflow = await done(write('a.txt'), write('d/b.txt'));
    const { digest, steps } = await preview(workflow.id);
    expect(steps.map(({ outcome }: Body) => outcome)).toEqual(['wouldUndo', 'wouldUndo']);
    expect((await rollback(workflow.id, { digest })).status).toBe(202);
    expectStatus(await agent.reaches(workflow.id, ENDED), 'rolledBack');
    expect([existsSync(at('a.txt')), existsSync(at('d'))]).toEqual([false, false]);
    expect((await rollback(workflow.id, { digest })).body).toMatchObject({ status: 409, code: 'WRONG_STATE' });
  });

  it('is shown as a whole: what its own later steps lie over is not in its way, what others did beneath is', async () => {
    const first = { ...write('d/a.txt', 'first'), id: 'first' };
    const workflow = await done(agent.fs('mkdir', 'make', { path: 'd' }), { ...first, ...after('make') }, { ...write('d/a.txt', 'second'), id: 'second', ...after('first') }, agent.fs('move', 'move', { path: 'd/a.txt', to: 'd/b.txt' }, after('second')));
    expect((await preview(workflow.id)).steps.map(({ id, outcome }: Body) => `${id} ${outcome}`)).toEqual(['move wouldUndo', 'second wouldUndo', 'first wouldUndo', 'make wouldUndo']);
    writeFileSync(at('d/theirs.txt'), 'theirs');
    const { steps, digest } = await preview(workflow.id);
    expect(steps.map(({ id, outcome }: Body) => `${id} ${outcome}`)).toEqual(['move wouldUndo', 'second wouldUndo', 'first wouldUndo', 'make wouldBlock']);
    expect((await rollback(workflow.id, { digest, onConflict: 'skip' })).status).toBe(202);
    const ended = await agent.reaches(workflow.id, ENDED);
    expectStatus(ended, 'rolledBack');
    expect([ended.residue.map(({ step }: Body) => step), content('d/theirs.txt'), existsSync(at('d/b.txt'))]).toEqual([['make'], 'theirs', false]);
  });

  it('is stale when a target has changed since the preview, and nothing is done', async () => {
    const workflow = await done(write('a.txt'), write('b.txt'));
    const { digest } = await preview(workflow.id);
    appendFileSync(at('b.txt'), '!');
    expect((await rollback(workflow.id, { digest })).body).toMatchObject({ status: 409, code: 'PLAN_STALE', moved: [{ what: 'targets' }], detail: expect.stringContaining('target') });
    expectStatus(await agent.workflow(workflow.id), 'completed');
    expect(existsSync(at('a.txt'))).toBe(true);
  });

  it('is refused while others build on it, who are named, and goes when they are taken back or were seen', async () => {
    const one = await done(agent.fs('mkdir', 'make', { path: 'd' }), write('a.txt'));
    const reader = await agent.run([agent.fs('read', 'r', { path: 'a.txt' })]);
    const other = await world.stack.agent({ connection: agent.connection });
    const writer = await other.run([other.fs('write', 'w', { path: 'd/f.txt', content: 'x' })]);
    const refused = await rollback(one.id);
    expect(refused.body).toMatchObject({ status: 409, code: 'IN_USE', detail: expect.stringContaining(writer.id) });
    const dependents = [
      { workflow: reader.id, step: 'r', agent: agent.id, kind: 'read', resource: `file://${agent.connection.name}/a.txt`, at: expect.any(String), blocks: false },
      { workflow: writer.id, step: 'w', agent: other.id, kind: 'overwrote', resource: `file://${agent.connection.name}/d/f.txt`, at: expect.any(String), blocks: true },
    ];
    expect(refused.body.dependents).toEqual(dependents);
    expectStatus(await agent.workflow(one.id), 'completed');
    const seen = await preview(one.id);
    expect(seen.dependents).toEqual(dependents);
    expect((await rollback(writer.id)).status).toBe(202);
    await other.reaches(writer.id, ['rolledBack']);
    const moved = await rollback(one.id, { digest: seen.digest });
    expect(moved.body).toMatchObject({ status: 409, code: 'PLAN_STALE', dependents: [{ workflow: reader.id }] });
    expect(moved.body.moved.map(({ what }: Body) => what)).toContain('dependents');
    expect((await rollback(one.id)).status).toBe(202);
    expectStatus(await agent.reaches(one.id, ENDED), 'rolledBack');
    expect([existsSync(at('d')), existsSync(at('a.txt'))]).toEqual([false, false]);
  });

  it('over a later writer goes with the digest of a preview that names it; what is the later one’s stays', async () => {
    const one = await done(write('a.txt', 'one'), write('b.txt'));
    const two = await done(write('a.txt', 'two'));
    const { digest, dependents, steps } = await preview(one.id, { onConflict: 'skip' });
    expect(dependents).toMatchObject([{ workflow: two.id, kind: 'overwrote', blocks: true }]);
    expect(steps.find(({ id }: Body) => id === 'a_txt').outcome).toBe('wouldBlock');
    expect((await rollback(one.id, { digest, onConflict: 'skip' })).status).toBe(202);
    const ended = await agent.reaches(one.id, ENDED);
    expectStatus(ended, 'rolledBack');
    expect([content('a.txt'), existsSync(at('b.txt')), ended.residue.map(({ step }: Body) => step)]).toEqual(['two', false, ['a_txt']]);
  });

  it('finds who came after by the place itself, through another connection to it, also after a restart', async () => {
    mkdirSync(at('sub'));
    const one = await done(write('sub/a.txt'));
    const name = `${agent.connection.name}-sub`;
    await world.stack.admin.must(201, 'PUT', `/v1/connections/${name}`, { body: { adapter: 'os', config: { root: at('sub') } } });
    const other = await world.stack.agent({ connection: { name, root: at('sub') } });
    const later = await other.run([other.fs('append', 'w', { path: 'a.txt', content: '!' })]);
    expectStatus(later, 'completed');
    await world.stack.restart();
    expect((await rollback(one.id)).body).toMatchObject({ code: 'IN_USE', dependents: [{ workflow: later.id, kind: 'overwrote', blocks: true }] });
  });

  it('is for the administrator, and the agent whose role permits it; for others it is not there', async () => {
    const workflow = await done(write('a.txt'));
    expect((await rollback(workflow.id, { preview: true }, agent)).status).toBe(200);
    const clerk = await world.stack.agent({ connection: agent.connection, capabilities: ['fs.*'] });
    expect((await rollback(workflow.id, { preview: true }, clerk)).status).toBe(404);
    const own = await clerk.run([clerk.fs('write', 'w', { path: 'own.txt', content: 'x' })]);
    for (const body of [{ preview: true }, {}, { digest: (await preview(own.id)).digest }]) expect((await rollback(own.id, body, clerk)).body).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect((await rollback(workflow.id, { digest: (await preview(workflow.id)).digest }, agent)).status).toBe(202);
    expectStatus(await agent.reaches(workflow.id, ENDED), 'rolledBack');
  });

  it('refuses what is not there yet, and what there never will be', async () => {
    const workflow = await done(noop('a'));
    for (const [body, expected] of [
      [{ onConflict: 'force' }, [501, 'NOT_IMPLEMENTED', '/onConflict']], [{ cascade: true }, [501, 'NOT_IMPLEMENTED', '/cascade']], [{ onConflict: 'ask' }, [422, 'INVALID_FIELD', '/onConflict']], [{ digest: 'x' }, [422, 'INVALID_FIELD', '/digest']],
    ] as const) {
      const answer = await rollback(workflow.id, body);
      expect([answer.status, answer.body.code, answer.body.pointer]).toEqual(expected);
    }
    expectStatus(await agent.workflow(workflow.id), 'completed');
  });
});
