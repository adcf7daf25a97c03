import { after, expectStatus, noop, sleep, type AgentClient } from '../support/agent';
import { asyncapiFindings, openapiFindings } from '../support/documents';
import type { Body } from '../support/http';
import { serverEvents } from '../support/sse';
import { useStack } from '../support/stack';

describe('the interface', () => {
  const world = useStack();
  let agent: AgentClient;
  beforeAll(async () => { agent = await world.stack.agent(); });

  describe('Prefer: wait', () => {
    it('answers with the workflow when it ends in time, else with 202', async () => {
      const done = await agent.submit([sleep('a', 50)], {}, { prefer: 'wait=20' });
      expect([done.status, done.body.status]).toEqual([200, 'completed']);
      expect(done.headers['preference-applied']).toMatch(/wait=20/);
      const began = Date.now();
      const late = await agent.submit([sleep('a', 3_000)], {}, { prefer: 'wait=1' });
      expect(late.status).toBe(202);
      expect(late.body).toEqual({ intentId: expect.any(String), workflowId: expect.any(String) });
      expect(Date.now() - began).toBeGreaterThanOrEqual(950);
      expect(Date.now() - began).toBeLessThan(2_900);
    });

    it('answers also when the workflow waits for somebody', async () => {
      const paused = await agent.submit([noop('a', { fail: 'clean' })], { onFailure: 'pause' }, { prefer: 'respond-async, wait=20' });
      expect([paused.status, paused.body.status]).toEqual([200, 'paused']);
    });

    it('without it the answer says where the workflow is, and a read right after finds it', async () => {
      const { status, headers, body } = await agent.submit([noop('a', { value: [1, { b: null }] })], { labels: { a: 'b' } });
      expect([status, headers['location']]).toEqual([202, `/v1/workflows/${body.workflowId}`]);
      const workflow = await agent.must(200, 'GET', headers['location']!);
      expect(workflow).toMatchObject({ id: body.workflowId, intentId: body.intentId, labels: { a: 'b' } });
      const intent = await agent.must(200, 'GET', `/v1/intents/${body.intentId}`);
      expect(intent).toMatchObject({ id: body.intentId, workflowId: body.workflowId, agent: agent.id, digest: expect.any(String), intent: { goal: 'test', labels: { a: 'b' }, steps: [{ id: 'a', capability: 'noop', input: { value: [1, { b: null }] } }] } });
    });
  });

  describe('events', () => {
    const types = (events: readonly Body[]): string[] => events.map(event => event.type.replace(/^aifirst\.workflow\.|\.v1$/g, ''));

    it('are listed in order, page by page', async () => {
      const workflow = await agent.run([noop('a'), noop('b', { fail: 'clean' }, after('a'))]);
      const all = await agent.all(`/v1/workflows/${workflow.id}/events`);
      expect(types(all)).toEqual(expect.arrayContaining(['intent-submitted', 'policy-decided', 'step-started', 'step-succeeded', 'step-failed', 'step-undo-started', 'step-undone', 'workflow-ended']));
      expect(types(all)[0]).toBe('intent-submitted');
      expect(types(all).at(-1)).toBe('workflow-ended');
      for (const event of all) expect(event).toMatchObject({ specversion: '1.0', subject: workflow.id, tenant: 'default', source: expect.any(String), time: expect.stringMatching(/Z$/), sequence: expect.any(Number), data: { workflow: workflow.id, agent: agent.id } });
      expect(all.map(event => event.sequence)).toEqual(all.map(event => event.sequence).sort((a, b) => a - b));
      const paged: Body[] = [];
      for (let cursor = ''; ;) {
        const page = await agent.must(200, 'GET', `/v1/workflows/${workflow.id}/events?limit=3${cursor}`);
        paged.push(...page.items);
        if (page.next === null) break;
        cursor = `&cursor=${encodeURIComponent(page.next)}`;
      }
      expect(paged).toEqual(all);
      expect(JSON.stringify(all)).not.toContain('"mac"');
    });

    it('come live, end with the workflow, and go on after Last-Event-ID', async () => {
      const id = await agent.start([sleep('a', 400), noop('b', {}, after('a'))]);
      const seen: { id: string; event: string; data: Body; at: number }[] = [];
      const response = await agent.open(`/v1/workflows/${id}/events`, { accept: 'text/event-stream' });
      expect([response.statusCode, response.headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/event-stream/)]);
      for await (const event of serverEvents(response)) seen.push({ ...event, at: Date.now() });
      expect(types(seen.map(({ data }) => data)).at(-1)).toBe('workflow-ended');
      for (const { id: number, event, data } of seen) expect([number, event]).toEqual([String(data.sequence), data.type]);
      expect(seen.at(-1)!.at - seen[0]!.at).toBeGreaterThan(200); // Not all at the end.
      expect(seen.map(({ data }) => data)).toEqual(await agent.all(`/v1/workflows/${id}/events`));

      const cut = Math.floor(seen.length / 2);
      const rest: string[] = [];
      for await (const event of serverEvents(await agent.open(`/v1/workflows/${id}/events`, { accept: 'text/event-stream', 'last-event-id': seen[cut]!.id }))) rest.push(event.id);
      expect(rest).toEqual(seen.slice(cut + 1).map(({ id: number }) => number));
    });
  });

  describe('lists', () => {
    it('give every workflow once, newest first, however they are paged, and filter by what they show', async () => {
      const own = await world.stack.agent();
      const made: string[] = [];
      for (let n = 0; n < 7; n++) made.push((await own.run([noop('a', n === 3 ? { fail: 'clean' } : {})], { labels: { parity: n % 2 === 0 ? 'even' : 'odd', n: `${n}` } })).id);
      const paged: string[] = [];
      for (let cursor = ''; ;) {
        const page = await own.must(200, 'GET', `/v1/workflows?limit=2${cursor}`);
        expect(page.items.length).toBeLessThanOrEqual(2);
        paged.push(...page.items.map(({ id }: Body) => id));
        if (page.next === null) break;
        cursor = `&cursor=${encodeURIComponent(page.next)}`;
      }
      expect(paged).toEqual([...made].reverse());
      const ids = async (query: string): Promise<string[]> => (await world.stack.admin.all(`/v1/workflows?agent=${own.id}${query}`)).map(({ id }) => id);
      expect(await ids('&status=rolledBack')).toEqual([made[3]]);
      expect(await ids('&label=parity=odd')).toEqual([made[5], made[3], made[1]]);
      expect(await ids('&label=parity=odd&label=n=5')).toEqual([made[5]]);
      expect(await ids('&createdTo=2020-01-01')).toEqual([]);
    });

    it('of capabilities name what there is, with schemas', async () => {
      const all = await agent.all('/v1/capabilities');
      expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(['fs.append', 'fs.delete', 'fs.list', 'fs.mkdir', 'fs.move', 'fs.read', 'fs.write', 'noop', 'timer.sleep']));
      for (const one of all) {
        expect(one).toMatchObject({ name: expect.any(String), version: expect.any(String), adapter: expect.any(String), baseRisk: { level: expect.any(String), score: expect.any(Number) }, outcome: expect.any(String), undo: expect.any(String), inputSchema: { type: 'object' }, outputSchema: expect.any(Object) });
        expect(await agent.must(200, 'GET', `/v1/capabilities/${one.name}`)).toEqual(one);
      }
      const by = Object.fromEntries(all.map(one => [one.name, one]));
      expect(by['timer.sleep']).toMatchObject({ reversibility: 'readOnly', baseRisk: { level: 'low', score: 0 } });
      expect(by['fs.write']).toMatchObject({ adapter: 'os', reversibility: 'reversible', undo: 'exact', baseRisk: { level: 'low', score: 20 }, inputSchema: { properties: { content: { 'x-sensitive': expect.any(String) } } } });
      expect((await agent.get('/v1/capabilities/fs.nothing')).status).toBe(404);
    });

    it('of dead letters are empty while nothing is wrong', async () => {
      expect(await world.stack.admin.all('/v1/dead-letters')).toEqual([]);
    });
  });

  describe('named things', () => {
    it.each<[string, string, () => unknown, () => unknown]>([
      ['a role', '/v1/roles/thing', () => ({ capabilities: ['noop'], connections: [] }), () => ({ capabilities: ['noop', 'fs.read'], connections: ['*'] })],
      ['a connection', '/v1/connections/thing', () => ({ adapter: 'os', config: { root: agent.root } }), () => ({ adapter: 'os', config: { root: agent.root }, labels: { zone: 'north' } })],
      ['a policy', '/v1/policies/thing', () => ({ cedar: '@id("thing") permit (principal, action == AiFirst::Action::"noop", resource);' }), () => ({ cedar: '@id("thing") forbid (principal, action == AiFirst::Action::"noop", resource);' })],
      ['a tenant', '/v1/tenants/thing', () => ({ name: 'Thing' }), () => ({ name: 'Thing', labels: { a: 'b' } })],
      ['a kill switch', '/v1/controls/kill-switches/thing', () => ({ scope: { kind: 'agent', id: agent.id }, reason: 'first' }), () => ({ scope: { kind: 'agent', id: agent.id }, reason: 'second' })],
    ])('%s: put, get, list and delete, with ETag and If-Match', async (_, path, first, second) => {
      const { admin } = world.stack;
      const made = await admin.put(path, first(), { 'if-none-match': '*' });
      expect([made.status, made.headers['location']]).toEqual([201, path]);
      expect(made.headers['etag']).toMatch(/^"/);
      expect(made.body).toMatchObject(first() as object);
      expect((await admin.put(path, first(), { 'if-none-match': '*' })).body).toMatchObject({ status: 412, code: 'PRECONDITION_FAILED' });
      const got = await admin.get(path);
      expect([got.status, got.headers['etag'], got.body]).toEqual([200, made.headers['etag'], made.body]);
      const changed = await admin.put(path, second(), { 'if-match': made.headers['etag']! });
      expect(changed.status).toBe(200);
      expect(changed.headers['etag']).not.toBe(made.headers['etag']);
      expect(changed.body).toMatchObject(second() as object);
      const stale = await admin.put(path, first(), { 'if-match': made.headers['etag']! });
      expect([stale.status, stale.body.code]).toEqual([412, 'PRECONDITION_FAILED']);
      expect((await admin.get(path)).body).toEqual(changed.body);
      const list = await admin.all(path.slice(0, path.lastIndexOf('/')));
      expect(list).toContainEqual(changed.body);
      expect((await admin.delete(path, { 'if-match': made.headers['etag']! })).status).toBe(412);
      expect((await admin.delete(path, { 'if-match': changed.headers['etag']! })).status).toBe(204);
      expect((await admin.get(path)).status).toBe(404);
      expect((await admin.delete(path)).status).toBe(404);
    });

    it('an agent: made, read, changed, given keys and tokens, deleted', async () => {
      const { admin } = world.stack;
      await admin.must(201, 'PUT', '/v1/roles/plain', { body: { capabilities: ['noop'], connections: [] } });
      const made = await admin.post('/v1/agents', { name: 'a', owner: 'o', roles: ['plain'] });
      expect([made.status, made.headers['location']]).toEqual([201, `/v1/agents/${made.body.id}`]);
      const at = `/v1/agents/${made.body.id}`;
      const got = await admin.get(at);
      expect(got.body).toMatchObject({ id: made.body.id, name: 'a', owner: 'o', roles: ['plain'] });
      expect(JSON.stringify(got.body)).not.toContain(made.body.token);
      expect(await admin.all('/v1/agents')).toContainEqual(got.body);
      const put = await admin.put(at, { name: 'b', owner: 'o', roles: [] }, { 'if-match': got.headers['etag']! });
      expect([put.status, put.body.name]).toEqual([200, 'b']);
      const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
      expect((await admin.post(`${at}/keys`, { kid: 'k1', jwk })).status).toBe(201);
      expect((await admin.get(at)).body.keys).toMatchObject([{ kid: 'k1', jwk }]);
      expect((await admin.post(`${at}/keys`, { kid: 'k2', jwk: { ...jwk, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' } })).status).toBe(422);
      expect((await admin.delete(`${at}/keys/k1`)).status).toBe(204);
      expect((await admin.delete(at)).status).toBe(204);
      expect((await admin.get(at)).status).toBe(404);
      expect((await world.stack.as(made.body.token).get('/v1/workflows')).status).toBe(401);
    });

    it('what an open workflow needs can not be deleted: 409 IN_USE', async () => {
      const own = await world.stack.agent();
      const paused = await own.run([own.fs('write', 'w', { path: 'x', content: 'y' }), noop('a', { fail: 'clean' }, after('w'))], { onFailure: 'pause' });
      const refused = await world.stack.admin.delete(`/v1/connections/${own.connection.name}`);
      expect([refused.status, refused.body.code]).toEqual([409, 'IN_USE']);
      await world.stack.admin.must(202, 'POST', `/v1/workflows/${paused.id}/rollback`, { body: { reason: 'done' } });
      expectStatus(await own.reaches(paused.id, ['rolledBack']), 'rolledBack');
      expect((await world.stack.admin.delete(`/v1/connections/${own.connection.name}`)).status).toBe(204);
    });

    it('a policy counts when it is activated, a forbid wins, and what it decides names it', async () => {
      const { admin } = world.stack;
      const own = await world.stack.agent();
      const cedar = (limit: number): string => `@id("no-big-values") forbid (principal == AiFirst::Agent::"${own.id}", action == AiFirst::Action::"noop", resource) when { context.input has value && context.input.value > ${limit} };`;
      expect((await admin.put('/v1/policies/no-big', { cedar: cedar(10) })).body).toMatchObject({ version: 1, active: null });
      expect((await own.run([noop('a', { value: 11 })])).status).toBe('completed');
      expect((await admin.post('/v1/policies/validate', { name: 'no-big', version: 1 })).body).toMatchObject({ valid: true });
      expect((await admin.post('/v1/policies/activate', { name: 'no-big', version: 1 })).body).toMatchObject({ active: 1 });
      const denied = await own.run([noop('a', { value: 11 })]);
      expectStatus(denied, 'rejected');
      expect(denied.steps[0].decision).toMatchObject({ outcome: 'deny', policies: [expect.stringMatching(/^no-big(-values)?@1$/)] });
      expect((await own.run([noop('a', { value: 9 })])).status).toBe('completed');
      expect((await admin.put('/v1/policies/no-big', { cedar: cedar(100) })).body).toMatchObject({ version: 2, active: 1 });
      expect((await own.run([noop('a', { value: 11 })])).status).toBe('rejected');
      await admin.must(200, 'POST', '/v1/policies/activate', { body: { name: 'no-big', version: 2 } });
      expect((await own.run([noop('a', { value: 11 })])).status).toBe('completed');
      expect((await own.run([noop('a', { value: 101 })])).status).toBe('rejected');
      await admin.must(204, 'DELETE', '/v1/policies/no-big');
      expect((await own.run([noop('a', { value: 101 })])).status).toBe('completed');
    });
  });

  describe('what operators look at', () => {
    it('health, without a token', async () => {
      expect((await world.stack.as(null).get('/health/live')).status).toBe(200);
      expect((await world.stack.as(null).get('/health/ready')).status).toBe(200);
    });

    it('metrics under the promised names, without a token', async () => {
      await agent.run([noop('a')]);
      const { status, headers } = await world.stack.as(null).get('/metrics');
      const body = await world.stack.metrics();
      expect([status, headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/plain/)]);
      const names = ['aifirst_workflows_total{', 'aifirst_steps_total{', 'aifirst_decisions_total{', 'aifirst_workflow_duration_seconds_bucket{', 'aifirst_step_duration_seconds_bucket{', 'aifirst_consumer_lag{', 'aifirst_queue_depth{', 'aifirst_audit_lag'];
      for (const name of names) expect(body.includes(`\n${name}`) ? name : `${name} is missing`).toBe(name);
      expect(body).toMatch(/aifirst_workflows_total\{[^}]*status="completed"[^}]*\} [1-9]/);
      expect(body).toMatch(/aifirst_steps_total\{(?=[^}]*capability="noop")(?=[^}]*status="succeeded")[^}]*\} [1-9]/);
      expect(body).toMatch(/aifirst_decisions_total\{[^}]*decision="allow"[^}]*\} [1-9]/);
      expect(body).toMatch(/aifirst_consumer_lag\{[^}]*consumer="/);
      expect(body).toMatch(/aifirst_queue_depth\{[^}]*queue="/);
    });

    it('documents that are valid, at both places', async () => {
      const stranger = world.stack.as(null);
      for (const name of ['openapi.json', 'asyncapi.json']) expect((await stranger.get(`/v1/${name}`)).body).toEqual((await stranger.get(`/${name}`)).body);
      const [openapi, asyncapi] = [await stranger.get('/openapi.json'), await stranger.get('/asyncapi.json')];
      expect([openapi.body.openapi, asyncapi.body.asyncapi]).toEqual([expect.stringMatching(/^3\.1/), expect.stringMatching(/^3\./)]);
      expect(await openapiFindings(openapi.bytes)).toEqual([]);
      expect(await asyncapiFindings(asyncapi.bytes)).toEqual([]);
    });

    it('every route of openapi.json answers as it says (checked with every answer of these tests)', () => {
      const { conformance } = world.stack;
      expect(conformance!.operationCount).toBeGreaterThan(50);
      expect(conformance!.seen.size).toBeGreaterThan(60);
    });
  });
});
