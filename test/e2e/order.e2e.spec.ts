import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, expectStatus, noop, ref, sleep, stepOf, type AgentClient } from '../support/agent';
import type { Body } from '../support/http';
import { useStack } from '../support/stack';
import { sizeOf, until } from '../support/wait';

const STEPS = sizeOf('AIFIRST_STEPS', 500);

describe('steps', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeAll(async () => { agent = await world.stack.agent(); });
  const span = (workflow: Body, id: string): [number, number] => [Date.parse(stepOf(workflow, id).startedAt), Date.parse(stepOf(workflow, id).endedAt)];

  it('that do not depend on one another overlap in time', async () => {
    const workflow = await agent.run([sleep('a', 700), sleep('b', 700), sleep('c', 700)]);
    expectStatus(workflow, 'completed');
    const spans = ['a', 'b', 'c'].map(id => span(workflow, id));
    expect(Math.max(...spans.map(([start]) => start))).toBeLessThan(Math.min(...spans.map(([, end]) => end)));
  });

  it('of a chain keep its order, whether dependsOn or a reference makes it', async () => {
    const workflow = await agent.run([
      noop('e', { value: ref('d', '/value/n') }), noop('d', { value: { n: ref('c', '/value') } }), noop('c', { value: 3 }, after('b')), noop('b', {}, after('a')), sleep('a', 50),
    ]);
    expectStatus(workflow, 'completed');
    expect(stepOf(workflow, 'e').output).toEqual({ value: 3 });
    for (const [first, then] of [['a', 'b'], ['b', 'c'], ['c', 'd'], ['d', 'e']] as const) expect(span(workflow, first)[1]).toBeLessThanOrEqual(span(workflow, then)[0]);
    const { items } = await agent.must(200, 'GET', `/v1/workflows/${workflow.id}/events?limit=200`);
    const started = items.filter((event: Body) => event.type === 'aifirst.workflow.step-started.v1').map((event: Body) => event.data.step);
    expect(started).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it(`may be ${STEPS}: side by side, in a chain, and all undone`, async () => {
    const wide = await agent.run([...Array.from({ length: STEPS - 1 }, (_, n) => noop(`s${n}`, { value: n })), noop('last', {}, after(...Array.from({ length: STEPS - 1 }, (_, n) => `s${n}`)))]);
    expectStatus(wide, 'completed');
    expect(wide.steps).toHaveLength(STEPS);
    const chain = await agent.run(Array.from({ length: STEPS }, (_, n) => noop(`s${n}`, n === 0 ? { value: 0 } : { value: ref(`s${n - 1}`, '/value') })));
    expectStatus(chain, 'completed');
    expect(stepOf(chain, `s${STEPS - 1}`).output).toEqual({ value: 0 });
    const undone = await agent.run(Array.from({ length: STEPS }, (_, n) => (n % 10 === 0 ? agent.fs('write', `s${n}`, { path: `many/${n % 70}/${n}.txt`, content: `${n}` }, n === 0 ? {} : after(`s${n - 1}`)) : noop(`s${n}`, n === STEPS - 1 ? { fail: 'clean' } : {}, after(`s${n - 1}`)))));
    expectStatus(undone, 'rolledBack');
    expect(undone.steps.slice(0, -1).filter((step: Body) => step.undo?.verified !== true)).toEqual([]);
    expect(readdirSync(agent.root)).not.toContain('many');
  }, 180_000);
});

describe('workflows', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeEach(async () => { agent = await world.stack.agent(); });

  it('on one file take turns', async () => {
    const lines = Array.from({ length: 20 }, (_, n) => `line ${n}\n`);
    const workflows = await Promise.all(lines.map(line => agent.run([
      agent.fs('append', 'begin', { path: 'shared.log', content: `begin ${line}` }), sleep('while', 5, after('begin')), agent.fs('append', 'end', { path: 'shared.log', content: `end ${line}` }, after('while')),
    ])));
    for (const workflow of workflows) expectStatus(workflow, 'completed');
    const written = readFileSync(join(agent.root, 'shared.log'), 'utf8').trimEnd().split('\n');
    expect(written).toHaveLength(40);
    for (let n = 0; n < written.length; n += 2) expect(written[n + 1]).toBe(written[n]!.replace('begin', 'end'));
  });

  it('that would come between the other\'s act and its undo wait until it is over', async () => {
    const first = await agent.start([agent.fs('append', 'one', { path: 'file.log', content: 'first\n' }), sleep('while', 800, after('one')), noop('fail', { fail: 'clean' }, after('while'))]);
    await until('the first has appended', async () => stepOf(await agent.workflow(first), 'one').status === 'succeeded');
    const second = await agent.run([agent.fs('append', 'two', { path: 'file.log', content: 'second\n' })]);
    expectStatus(await agent.rest(first), 'rolledBack');
    expectStatus(second, 'completed');
    expect(readFileSync(join(agent.root, 'file.log'), 'utf8')).toBe('second\n');
  });

  it('that cross on two files both end', async () => {
    const cross = async (n: number, [first, then]: readonly [string, string]): Promise<Body> => agent.run([
      agent.fs('append', 'first', { path: first, content: `${n}\n` }), sleep('while', 100, after('first')), agent.fs('append', 'then', { path: then, content: `${n}\n` }, after('while')),
    ]);
    const known = await Promise.all(Array.from({ length: 10 }, (_, n) => cross(n, n % 2 === 0 ? ['a.log', 'b.log'] : ['b.log', 'a.log'])));
    for (const workflow of known) expectStatus(workflow, 'completed');

    // The same where the second file is known only when the first step has run: they meet while each holds what the other wants.
    const late = async (n: number, [first, then]: readonly [string, string]): Promise<Body> => agent.run([
      agent.fs('append', 'first', { path: first, content: `${n}\n` }), noop('name', { value: then }, after('first')), sleep('while', 100, after('name')),
      agent.fs('append', 'then', { path: ref('name', '/value'), content: `${n}\n` }, after('while')),
    ]);
    const met = await Promise.all([late(0, ['c.log', 'd.log']), late(1, ['d.log', 'c.log'])]);
    for (const workflow of met) expectStatus(workflow, 'completed');
    for (const file of ['c.log', 'd.log']) expect(readFileSync(join(agent.root, file), 'utf8').trimEnd().split('\n').sort()).toEqual(['0', '1']);
    for (const file of ['a.log', 'b.log']) expect(readFileSync(join(agent.root, file), 'utf8').trimEnd().split('\n').sort()).toEqual(Array.from({ length: 10 }, (_, n) => `${n}`));
  });

  it('on one folder through two connections are one thing: a nested root takes its turn too', async () => {
    const { admin } = world.stack;
    await admin.must(201, 'PUT', '/v1/connections/same', { body: { adapter: 'os', config: { root: agent.root } } });
    const other = await world.stack.agent({ connection: { name: 'same', root: agent.root } });
    const first = await agent.start([agent.fs('append', 'one', { path: 'x.log', content: 'first\n' }), sleep('while', 800, after('one')), noop('fail', { fail: 'clean' }, after('while'))]);
    await until('the first has appended', async () => stepOf(await agent.workflow(first), 'one').status === 'succeeded');
    expectStatus(await other.run([other.fs('append', 'two', { path: 'x.log', content: 'second\n' })]), 'completed');
    expectStatus(await agent.rest(first), 'rolledBack');
    expect(readFileSync(join(agent.root, 'x.log'), 'utf8')).toBe('second\n');
  });

  it('that hold locks are listed with who waits, and the list is empty when all is over', async () => {
    const { admin } = world.stack;
    const first = await agent.start([agent.fs('append', 'one', { path: 'locked.log', content: '1' }), sleep('while', 1_000, after('one'))]);
    await until('the first has appended', async () => stepOf(await agent.workflow(first), 'one').status === 'succeeded');
    const second = await agent.start([agent.fs('append', 'two', { path: 'locked.log', content: '2' })]);
    const lock = await until('the second waits', async () => (await admin.all('/v1/locks')).find(({ workflow, waiting }) => workflow === first && waiting.includes(second)));
    expect(lock).toMatchObject({ tenant: 'default', resource: expect.stringContaining('locked.log'), mode: 'write', since: expect.any(String) });
    expectStatus(await agent.rest(second), 'completed');
    expect(await until('no lock is held', async () => (await admin.all('/v1/locks')).length === 0)).toBe(true);
  });
});
