import { connect } from 'node:net';
import { ROUTES } from '.';
import { Refusal } from '@aifirst/kernel';
import { GatewayUnderTest, anIntent, type Answer } from '../testing';

describe('the REST interface', () => {
  let gateway: GatewayUnderTest;
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => gateway.call(method, path, body, undefined, headers);
  beforeAll(async () => { gateway = await GatewayUnderTest.start({ readiness: [{ name: 'store', check: () => (storeIsUp ? null : 'recovering') }] }); });
  afterAll(() => gateway.close());
  let storeIsUp = true;

  describe('paths', () => {
    it.each(ROUTES.filter(({ instead }) => instead !== undefined).map(({ method, path, instead }) => [method, path, instead!]))('%s %s answers 501 with what to do instead', async (method, path, instead) => {
      const answer = await call(method, path.replaceAll(/:[a-z]+/gi, 'x'), method === 'GET' || method === 'DELETE' ? undefined : {});
      expect(answer).toMatchObject({ status: 501, body: { code: 'NOT_IMPLEMENTED' } });
      expect(answer.body['detail']).toContain(instead);
    });
    it.each(['/', '/v1', '/v1/nothing', '/v1/workflows/x/y/z/w', '/v2/intents', '/v1/agents/', '/v1/%zz', '/v1/agents/%00'])('%s answers 404', async path => {
      const answer = await call('GET', path);
      expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    });
    it.each([['PUT', '/v1/intents', 'POST'], ['DELETE', '/v1/agents', 'POST, GET'], ['POST', '/v1/capabilities/noop', 'GET'], ['PATCH', '/v1/agents/x', 'GET, PUT, DELETE'], ['POST', '/health/live', 'GET']])('%s %s answers 405', async (method, path, allow) => {
      const answer = await call(method, path, method === 'DELETE' ? undefined : {});
      expect(answer).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } });
      expect(answer.headers.get('allow')).toBe(allow);
    });
    it('answers what is no HTTP with a problem', async () => {
      const { port, hostname } = new URL(gateway.url);
      const answer = await new Promise<string>((resolve, reject) => {
        let text = '';
        const socket = connect(Number(port), hostname, () => socket.write('nonsense\r\n\r\n'));
        socket.on('data', chunk => { text += chunk.toString(); }).on('end', () => resolve(text)).on('error', reject);
      });
      expect(answer).toContain('application/problem+json');
    });
    it('refuses parameters that it does not know or can not read', async () => {
      expect(await call('GET', '/v1/workflows?colour=red')).toMatchObject({ status: 422, body: { code: 'UNKNOWN_FIELD', parameter: 'colour' } });
      for (const query of ['limit=0', 'limit=201', 'limit=-1', 'limit=1.5', 'limit=x', 'cursor=%25', 'cursor=bnVsbA', 'status=happy', 'createdFrom=yesterday', 'label=x', 'limit=1&limit=2']) {
        expect([query, await call('GET', `/v1/workflows?${query}`)]).toMatchObject([query, { status: 422, body: { code: 'INVALID_FIELD', parameter: query.split('=')[0] } }]);
      }
    });
    it('tells nobody what went wrong inside', async () => {
      gateway.orchestrator.onOrder = () => { throw new TypeError('secret internals'); };
      const { body } = await call('POST', '/v1/intents', anIntent());
      await gateway.gateway.projection.waitFor('default', body['workflowId'] as string, (_view, sequence) => sequence > 0, 5_000);
      const answer = await call('POST', `/v1/workflows/${body['workflowId']}/cancel`);
      expect(answer).toMatchObject({ status: 500, body: { code: 'INTERNAL', id: expect.any(String) as string } });
      expect(answer.text).not.toContain('secret');
      expect(gateway.logged.find(({ level }) => level === 'error')).toMatchObject({ fields: { id: answer.body['id'], route: 'POST /v1/workflows/:id/cancel', error: expect.stringContaining('secret internals') as string } });
    });
  });

  describe('health, metrics and documents', () => {
    it('is ready when every part is', async () => {
      expect(await call('GET', '/health/ready')).toMatchObject({ status: 200, body: { status: 'ready', checks: [{ name: 'gateway.capabilities', ready: true }, { name: 'gateway.principals', ready: true }, { name: 'store', ready: true }] } });
      storeIsUp = false;
      const answer = await call('GET', '/health/ready');
      expect(answer).toMatchObject({ status: 503, body: { status: 'notReady', checks: [{}, {}, { name: 'store', ready: false, detail: 'recovering' }] } });
      expect(answer.headers.get('retry-after')).toBe('1');
      storeIsUp = true;
    });
    it('lives, and shows metrics and documents', async () => {
      expect((await call('GET', '/health/live')).body).toEqual({ status: 'live' });
      expect((await call('GET', '/metrics')).headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect((await call('GET', '/openapi.json')).body['openapi']).toBe('3.1.0');
      expect((await call('GET', '/v1/openapi.json')).text === (await call('GET', '/openapi.json')).text).toBe(true);
      expect((await call('GET', '/v1/asyncapi.json')).body['asyncapi']).toBe('3.0.0');
    });
  });

  const named: readonly (readonly [string, object, object, object])[] = [
    ['/v1/roles/clerks', { capabilities: ['fs.*'], connections: ['docs'] }, { capabilities: ['*'] }, { name: 'clerks', capabilities: ['fs.*'], connections: ['docs'], revision: 1 }],
    ['/v1/policies/small', { cedar: 'permit (principal, action, resource);' }, { cedar: 'permit (principal, action, resource); // 2' }, { name: 'small', version: 1, active: null, revision: 1 }],
    ['/v1/controls/kill-switches/stop', { scope: { kind: 'all' }, reason: 'drill' }, { scope: { kind: 'all' }, reason: 'real', rollback: true }, { id: 'stop', scope: { kind: 'all' }, reason: 'drill', rollback: false, includeUndo: false, revision: 1 }],
    ['/v1/connections/papers', { adapter: 'os', config: { root: '/srv/papers' }, labels: { zone: 'a' } }, { adapter: 'os', config: { root: '/srv/other' } }, { name: 'papers', adapter: 'os', config: { root: '/srv/papers' }, secretRefs: {}, labels: { zone: 'a' }, limitations: ['no extended attributes'], revision: 1 }],
    ['/v1/tenants/bank', { labels: { a: 'b' } }, { name: 'The Bank' }, { id: 'bank', name: 'bank', labels: { a: 'b' }, revision: 1 }],
  ];
  describe.each(named)('%s', (path, first, second, shown) => {
    const collection = path.slice(0, path.lastIndexOf('/'));
    it('is put, shown, listed, changed under its ETag and deleted', async () => {
      expect(await call('GET', path)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
      expect(await call('PUT', path, first, { 'if-match': '*' })).toMatchObject({ status: 412, body: { code: 'PRECONDITION_FAILED' } });
      const made = await call('PUT', path, first, { 'if-none-match': '*' });
      expect(made).toMatchObject({ status: 201, body: shown });
      expect([made.headers.get('etag'), made.headers.get('location')]).toEqual(['"1"', path]);
      expect(await call('PUT', path, first, { 'if-none-match': '*' })).toMatchObject({ status: 412, body: { code: 'PRECONDITION_FAILED' } });
      const got = await call('GET', path);
      expect(got).toMatchObject({ status: 200, body: shown });
      expect((await call('GET', path, undefined, { 'if-none-match': got.headers.get('etag')! })).status).toBe(304);
      const listed = await call('GET', `${collection}?limit=200`);
      expect(listed.body['items']).toContainEqual(expect.objectContaining(shown));
      expect(await call('PUT', path, second, { 'if-match': '"7"' })).toMatchObject({ status: 412 });
      const changed = await call('PUT', path, second, { 'if-match': '"7", "1"' });
      expect(changed.status).toBe(200);
      expect(changed.headers.get('etag')).toBe('"2"');
      expect((await call('PUT', path, second)).status).toBe(200);
      expect((await call('DELETE', path, undefined, { 'if-match': '"1"' })).status).toBe(412);
      expect((await call('DELETE', path, undefined, { 'if-match': '"3"' })).status).toBe(204);
      expect((await call('DELETE', path)).status).toBe(404);
    });
    it('refuses unknown fields, missing ones and bad names', async () => {
      expect(await call('PUT', path, { ...first, colour: 'red' })).toMatchObject({ status: 422, body: { code: 'UNKNOWN_FIELD', pointer: '/colour' } });
      expect(await call('PUT', path, [])).toMatchObject({ status: 422, body: { code: 'INVALID_FIELD' } });
      expect(await call('PUT', path, '{"a":1,"a":2}')).toMatchObject({ status: 400, body: { code: 'DUPLICATE_KEY' } });
      for (const name of ['-x', '.hidden', 'a%20b', 'x'.repeat(65), 'a%2Fb']) expect([name, (await call('PUT', `${collection}/${name}`, first)).status]).toEqual([name, 422]);
    });
    it('is paged', async () => {
      for (const name of ['p1', 'p2', 'p3']) await call('PUT', `${collection}/${name}`, first);
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { body }: Answer = await call('GET', `${collection}?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
        seen.push(...(body['items'] as { name?: string; id?: string }[]).map(item => item.id ?? item.name!));
        cursor = body['next'] as string | null;
      }
      expect(seen).toEqual(expect.arrayContaining(['p1', 'p2', 'p3']));
      expect(new Set(seen).size).toBe(seen.length);
      for (const name of ['p1', 'p2', 'p3']) await call('DELETE', `${collection}/${name}`);
    });
  });

  describe('policies', () => {
    it('are validated and activated', async () => {
      await call('PUT', '/v1/policies/active', { cedar: 'permit (principal, action, resource);' });
      expect(await call('POST', '/v1/policies/activate', { name: 'active', version: 1 })).toMatchObject({ status: 200, body: { name: 'active', version: 1, active: 1 } });
      expect(await call('POST', '/v1/policies/activate', { name: 'none', version: 1 })).toMatchObject({ status: 404 });
      expect(await call('POST', '/v1/policies/validate', { cedar: 'permit (principal, action, resource);' })).toMatchObject({ status: 200, body: { valid: true, warnings: [] } });
      expect(await call('POST', '/v1/policies/validate', { cedar: 'nonsense' })).toMatchObject({ status: 422, body: { code: 'POLICY_INVALID', pointer: '/cedar' } });
      expect(await call('POST', '/v1/policies/validate', {})).toMatchObject({ status: 422, body: { code: 'INVALID_FIELD' } });
      expect(await call('PUT', '/v1/policies/schema', { cedar: 'permit (principal, action, resource);' })).toMatchObject({ status: 422 });
      expect((await call('GET', '/v1/policies/schema')).body).toEqual({ AiFirst: {} });
    });
  });

  describe('kill switches', () => {
    it('of kinds that are not there yet answer 501, of an unknown agent 422', async () => {
      for (const kind of ['tenant', 'capability', 'connection']) expect(await call('PUT', '/v1/controls/kill-switches/k', { scope: { kind, id: 'x' }, reason: 'r' })).toMatchObject({ status: 501, body: { code: 'NOT_IMPLEMENTED', pointer: '/scope/kind' } });
      expect(await call('PUT', '/v1/controls/kill-switches/k', { scope: { kind: 'galaxy' }, reason: 'r' })).toMatchObject({ status: 422, body: { code: 'INVALID_FIELD', pointer: '/scope/kind' } });
      expect(await call('PUT', '/v1/controls/kill-switches/k', { scope: { kind: 'agent' }, reason: 'r' })).toMatchObject({ status: 422, body: { pointer: '/scope/id' } });
      expect(await call('PUT', '/v1/controls/kill-switches/k', { scope: { kind: 'agent', id: 'nobody' }, reason: 'r' })).toMatchObject({ status: 422, body: { pointer: '/scope/id' } });
      const agent = await gateway.agent();
      expect((await call('PUT', '/v1/controls/kill-switches/k', { scope: { kind: 'agent', id: agent.id }, reason: 'r' })).status).toBe(201);
      await call('DELETE', '/v1/controls/kill-switches/k');
    });
  });

  describe('connections', () => {
    const put = (body: object, query = '') => call('PUT', `/v1/connections/checked${query}`, body);
    it.each([
      ['a secret by its name', { adapter: 'os', config: { root: '/x', password: 'hunter2' } }, 'SECRET_IN_CONFIG', '/config/password'],
      ['a secret deeper down', { adapter: 'os', config: { root: '/x', auth: { apiKey: 'k' } } }, 'SECRET_IN_CONFIG', '/config/auth/apiKey'],
      ['a secret by its form', { adapter: 'os', config: { root: 'postgres://ana:hunter2@db/crm' } }, 'SECRET_IN_CONFIG', '/config/root'],
      ['an unknown setting', { adapter: 'os', config: { root: '/x', colour: 'red' } }, 'UNKNOWN_FIELD', '/config/colour'],
      ['no root', { adapter: 'os', config: {} }, 'INVALID_FIELD', '/config/root'],
      ['a relative root', { adapter: 'os', config: { root: 'x' } }, 'INVALID_FIELD', '/config/root'],
      ['an adapter that is not there', { adapter: 'ftp', config: { url: 'postgres://db/crm' } }, 'INVALID_FIELD', '/adapter'],
      ['a bad reference', { adapter: 'os', config: { root: '/x' }, secretRefs: { a: 'hunter2' } }, 'INVALID_FIELD', '/secretRefs/a'],
      ['a root that is not there', { adapter: 'os', config: { root: '/missing' } }, 'PROBE_FAILED', '/config/root'],
    ])('with %s are refused', async (_, body, code, pointer) => {
      const answer = await put(body);
      expect(answer).toMatchObject({ status: 422, body: { code, pointer } });
      expect(answer.text).not.toContain('hunter2');
      expect((await call('GET', '/v1/connections/checked')).status).toBe(404);
    });
    it('are taken unseen with ?probe=false, and answer the question of adapters', async () => {
      expect(await put({ adapter: 'os', config: { root: '/missing' }, secretRefs: { key: 'env:KEY' } }, '?probe=false')).toMatchObject({ status: 201, body: { limitations: [] } });
      expect(await put({ adapter: 'os', config: { root: '/missing' } }, '?probe=perhaps')).toMatchObject({ status: 422, body: { parameter: 'probe' } });
      expect(await gateway.query.ask('gateway', 'connection', { tenant: 'default', name: 'checked' })).toMatchObject({ name: 'checked', adapter: 'os', config: { root: '/missing' }, secretRefs: { key: 'env:KEY' }, revision: 1, digest: expect.stringMatching(/^sha256:/) as string });
      expect(await gateway.query.ask('gateway', 'connection', { tenant: 'acme', name: 'checked' })).toBeNull();
    });
    it('stay while an open workflow needs them', async () => {
      gateway.orchestrator.inUse.connections['checked'] = ['w1'];
      expect(await call('DELETE', '/v1/connections/checked')).toMatchObject({ status: 409, body: { code: 'IN_USE', workflows: ['w1'] } });
      delete gateway.orchestrator.inUse.connections['checked'];
      expect((await call('DELETE', '/v1/connections/checked')).status).toBe(204);
      expect(await gateway.query.ask('gateway', 'connection', { tenant: 'default', name: 'checked' })).toBeNull();
    });
  });

  describe('agents', () => {
    beforeAll(() => call('PUT', '/v1/roles/clerk', { capabilities: ['*'], connections: ['*'] }));
    const agent = { name: 'Ana', owner: 'ops', roles: ['clerk'] };
    const JWK = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

    it('are made with a token that is shown once', async () => {
      const made = await call('POST', '/v1/agents', { ...agent, limits: { requestsPerMinute: 600 }, publicKey: { ...JWK, kid: 'k1' } });
      expect(made).toMatchObject({ status: 201, body: { name: 'Ana', owner: 'ops', roles: ['clerk'], status: 'active', limits: { requestsPerMinute: 600 }, token: expect.stringMatching(/^aifirst_[0-9a-f]{24}_[\w-]{43}$/) as string, keys: [{ kid: 'k1', jwk: JWK }] } });
      expect(made.headers.get('location')).toBe(`/v1/agents/${made.body['id']}`);
      const got = await call('GET', `/v1/agents/${made.body['id']}`);
      expect(got.text).not.toContain(made.body['token'] as string);
      expect(got.text).not.toMatch(/digest/);
      expect(gateway.policy.principals.get(made.body['id'] as string)).toMatchObject({ kind: 'agent', name: 'Ana', roles: ['clerk'], suspended: false, deleted: false, revision: 1 });
      expect(JSON.stringify(await gateway.log.read(0, 1_000))).not.toContain((made.body['token'] as string).split('_')[2]);
    });
    it.each([
      ['an unknown role', { ...agent, roles: ['clerk', 'king'] }, 'INVALID_FIELD', '/roles/1'],
      ['no owner', { name: 'x', roles: [] }, 'INVALID_FIELD', '/owner'],
      ['a private key', { ...agent, publicKey: { ...JWK, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' } }, 'INVALID_FIELD', '/publicKey/d'],
      ['another kind of key', { ...agent, publicKey: { kty: 'RSA', n: 'x', e: 'AQAB' } }, 'INVALID_FIELD', '/publicKey'],
      ['a broken key', { ...agent, publicKey: { ...JWK, x: 'short' } }, 'INVALID_FIELD', '/publicKey'],
      ['an unknown limit', { ...agent, limits: { speed: 1 } }, 'UNKNOWN_FIELD', '/limits/speed'],
    ])('with %s are refused', async (_, body, code, pointer) => expect(await call('POST', '/v1/agents', body)).toMatchObject({ status: 422, body: { code, pointer } }));
    it('are changed, with their roles in force at once', async () => {
      const { body: { id } } = await call('POST', '/v1/agents', agent);
      expect(await call('PUT', `/v1/agents/${id}`, { ...agent, roles: [] }, { 'if-match': '"9"' })).toMatchObject({ status: 412 });
      expect(await call('PUT', `/v1/agents/${id}`, { ...agent, roles: [] }, { 'if-match': '"1"' })).toMatchObject({ status: 200, body: { roles: [], revision: 2 } });
      expect(gateway.policy.principals.get(id as string)).toMatchObject({ roles: [], revision: 2 });
      expect(await call('PUT', '/v1/agents/nobody', agent)).toMatchObject({ status: 404 });
    });
    it('have further tokens, with an end, and lose them at once', async () => {
      const { body: { id } } = await call('POST', '/v1/agents', agent);
      const issued = await call('POST', `/v1/agents/${id}/tokens`, { ttlDays: 1 });
      expect(issued).toMatchObject({ status: 201, body: { tokenId: expect.any(String) as string, token: expect.any(String) as string, expiresAt: expect.any(String) as string } });
      const use = () => gateway.call('GET', '/v1/workflows', undefined, issued.body['token'] as string);
      expect((await use()).status).toBe(200);
      expect((await call('DELETE', `/v1/agents/${id}/tokens/${issued.body['tokenId']}`)).status).toBe(204);
      expect((await use()).status).toBe(401);
      expect((await call('DELETE', `/v1/agents/${id}/tokens/${issued.body['tokenId']}`)).status).toBe(404);
      expect(await call('POST', `/v1/agents/${id}/tokens`, { ttlDays: 0 })).toMatchObject({ status: 422, body: { pointer: '/ttlDays' } });
      expect((await call('POST', `/v1/agents/${id}/tokens`)).status).toBe(201);
    });
    it('have public keys', async () => {
      const { body: { id } } = await call('POST', '/v1/agents', agent);
      expect(await call('POST', `/v1/agents/${id}/keys`, { kid: 'k', jwk: JWK })).toMatchObject({ status: 201, body: { kid: 'k', jwk: JWK } });
      expect(await call('POST', `/v1/agents/${id}/keys`, { kid: 'k', jwk: JWK })).toMatchObject({ status: 409, body: { code: 'WRONG_STATE' } });
      expect(await call('POST', `/v1/agents/${id}/keys`, { kid: 'j', jwk: { ...JWK, d: 'x' } })).toMatchObject({ status: 422, body: { pointer: '/jwk/d' } });
      expect((await call('DELETE', `/v1/agents/${id}/keys/k`)).status).toBe(204);
      expect((await call('DELETE', `/v1/agents/${id}/keys/k`)).status).toBe(404);
    });
    it('are deleted with their tokens, but not while an open workflow is theirs', async () => {
      const { body: { id, token } } = await call('POST', '/v1/agents', agent);
      gateway.orchestrator.inUse.agents[id as string] = ['w1'];
      expect(await call('DELETE', `/v1/agents/${id}`)).toMatchObject({ status: 409, body: { code: 'IN_USE' } });
      delete gateway.orchestrator.inUse.agents[id as string];
      expect((await call('DELETE', `/v1/agents/${id}`)).status).toBe(204);
      expect((await gateway.call('GET', '/v1/workflows', undefined, token as string)).status).toBe(401);
      expect(gateway.policy.principals.get(id as string)).toMatchObject({ deleted: true });
    });
    it('are not made while policy does not answer', async () => {
      gateway.policy.failure = new Refusal({ code: 'UNAVAILABLE', detail: 'away' });
      const before = (await call('GET', '/v1/agents?limit=200')).body['items'] as unknown[];
      expect((await call('POST', '/v1/agents', agent)).status).toBe(503);
      gateway.policy.failure = null;
      expect((await call('GET', '/v1/agents?limit=200')).body['items']).toHaveLength(before.length);
    });
  });

  describe('tenants', () => {
    it('keep default, and what is inhabited', async () => {
      expect(await call('DELETE', '/v1/tenants/default')).toMatchObject({ status: 409, body: { code: 'IN_USE' } });
      await call('PUT', '/v1/tenants/full', {});
      await gateway.agent({}, 'full');
      expect(await call('DELETE', '/v1/tenants/full')).toMatchObject({ status: 409, body: { code: 'IN_USE' } });
      expect(await call('PUT', '/v1/tenants/system', {})).toMatchObject({ status: 422 });
    });
  });

  describe('capabilities', () => {
    it('show schemas, reversibility and base risk', async () => {
      expect((await call('GET', '/v1/capabilities')).body['items']).toMatchObject([
        { name: 'fs.write', version: '1', adapter: 'os', reversibility: 'reversible', baseRisk: { level: 'low', score: 20 }, outcome: 'marker', undo: 'exact', inputSchema: { type: 'object' }, outputSchema: {} }, { name: 'noop' },
      ]);
      expect((await call('GET', '/v1/capabilities?adapter=builtin')).body['items']).toMatchObject([{ name: 'noop' }]);
      expect((await call('GET', '/v1/capabilities/noop')).body).toMatchObject({ name: 'noop' });
      expect((await call('GET', '/v1/capabilities/fs.fly')).status).toBe(404);
    });
  });

  describe('workflows', () => {
    const submitted = async (over: Record<string, unknown> = {}): Promise<string> => {
      const { body } = await call('POST', '/v1/intents', anIntent(over));
      await gateway.gateway.projection.waitFor('default', body['workflowId'] as string, (_view, sequence) => sequence > 0, 5_000);
      return body['workflowId'] as string;
    };
    it('are ordered about, and the answer shows what came of it', async () => {
      const id = await submitted();
      gateway.orchestrator.onOrder = order => (order.order === 'pause' ? [{ name: 'WorkflowPaused', code: 'REQUESTED', reason: 'asked', by: 'admin', failed: false }] : order.order === 'rollback' ? [{ name: 'RollbackStarted', reason: order.reason, by: 'admin', code: 'REQUESTED' }] : []);
      const paused = await call('POST', `/v1/workflows/${id}/pause`, { reason: 'lunch' });
      expect(paused).toMatchObject({ status: 202, body: { id, status: 'paused', statusReason: { code: 'REQUESTED', actions: [{ method: 'POST', path: `/v1/workflows/${id}/resume` }, {}, {}] } } });
      expect(await call('POST', `/v1/workflows/${id}/rollback`, { reason: 'wrong file', cascade: false, onConflict: 'block' })).toMatchObject({ status: 202, body: { status: 'rollingBack', statusReason: { detail: 'wrong file' } } });
      expect(gateway.orchestrator.orders.slice(-2)).toMatchObject([{ workflow: id, order: { order: 'pause', reason: 'lunch' } }, { order: { order: 'rollback', reason: 'wrong file' } }]);
      expect((await call('POST', `/v1/workflows/${id}/resume`, { failedStep: 'retry' })).status).toBe(202);
      expect(await call('POST', `/v1/workflows/${id}/resume`, { failedStep: 'ignore' })).toMatchObject({ status: 422, body: { pointer: '/failedStep' } });
    });
    it('say which state stands against an order', async () => {
      const id = await submitted();
      gateway.orchestrator.onOrder = () => new Refusal({ code: 'WRONG_STATE', detail: 'a workflow that is `completed` can not be paused' }, { status: 'completed' });
      expect(await call('POST', `/v1/workflows/${id}/pause`)).toMatchObject({ status: 409, body: { status: 409, code: 'WRONG_STATE', workflowStatus: 'completed' } });
    });
    it.each([['cascade', true], ['onConflict', 'force']])('are not rolled back with %s %s yet', async (option, value) => {
      const id = await submitted();
      expect(await call('POST', `/v1/workflows/${id}/rollback`, { [option]: value })).toMatchObject({ status: 501, body: { code: 'NOT_IMPLEMENTED', pointer: `/${option}` } });
    });
    it('are settled step by step', async () => {
      const id = await submitted();
      gateway.orchestrator.onOrder = () => [];
      expect(await call('POST', `/v1/workflows/${id}/steps/z/resolve`, { outcome: 'succeeded', reason: 'r' })).toMatchObject({ status: 404 });
      expect(await call('POST', `/v1/workflows/${id}/steps/a/resolve`, { outcome: 'perhaps', reason: 'r' })).toMatchObject({ status: 422, body: { pointer: '/outcome' } });
      expect(await call('POST', `/v1/workflows/${id}/steps/a/resolve`, { outcome: 'succeeded' })).toMatchObject({ status: 422, body: { pointer: '/reason' } });
      expect((await call('POST', `/v1/workflows/${id}/steps/a/resolve`, { outcome: 'succeeded', output: { n: 1 }, reason: 'r' })).status).toBe(202);
    });
    it('are listed newest first, by page and filter', async () => {
      const made: string[] = [];
      for (let i = 0; i < 5; i++) made.unshift(await submitted({ labels: { batch: 'five', n: String(i) } }));
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { body }: Answer = await call('GET', `/v1/workflows?label=batch=five&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
        seen.push(...(body['items'] as { id: string }[]).map(({ id }) => id));
        cursor = body['next'] as string | null;
      }
      expect(seen).toEqual(made);
      expect((await call('GET', '/v1/workflows?label=batch=five&label=n=3')).body['items']).toMatchObject([{ id: made[1] }]);
      expect((await call('GET', '/v1/workflows?label=batch=five&status=completed')).body['items']).toEqual([]);
    });
    it('show sealed outputs to those who may see them, and say what was erased', async () => {
      const id = await submitted();
      const sealed = await gateway.parts.vault.seal({ tenant: 'default', workflow: id }, 'content', 'top secret');
      await gateway.orchestrator.emit(id, [{ name: 'StepSucceeded', step: 'a', index: 0, generation: 1, output: { content: sealed as never }, actSequence: 1, undoableUntil: null, decision: 'd' }]);
      await gateway.gateway.projection.waitFor('default', id, view => view.steps[0]!.status === 'succeeded', 5_000);
      expect((await call('GET', `/v1/workflows/${id}`)).body['steps'][0].output).toEqual({ content: 'top secret' });
      expect((await call('GET', `/v1/workflows/${id}/events`)).text).not.toContain('top secret');
      await gateway.parts.vault.erase({ tenant: 'default', workflow: id });
      expect((await call('GET', `/v1/workflows/${id}`)).body['steps'][0].output).toEqual({ content: { sealed: true, class: 'content', erased: true } });
    });
  });

  describe('events', () => {
    const ended = { name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] } as const;
    const decided = { name: 'PolicyDecided', question: 1, action: 'execute', decision: 'd', controlEpoch: 1, decisions: [{ step: 'a', generation: 1, outcome: 'allow', policies: [], policyVersion: '1', reason: 'r', risk: { level: 'low', score: 20 }, lease: { policyVersion: '1', controlEpoch: 1, expiresAt: 1, mac: 'the-mac' } }] } as const;
    const submitted = async (): Promise<string> => {
      const { body } = await call('POST', '/v1/intents', anIntent());
      await gateway.gateway.projection.waitFor('default', body['workflowId'] as string, (_view, sequence) => sequence > 0, 5_000);
      return body['workflowId'] as string;
    };
    const stream = async (id: string, last?: string) => {
      const response = await fetch(`${gateway.url}/v1/workflows/${id}/events`, { headers: { authorization: 'Bearer the-administrators-token', accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) } });
      return { response, events: async () => (await response.text()).split('\n\n').filter(block => block.startsWith('id:')).map(block => Object.fromEntries(block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))) };
    };

    it('come by page, without leases', async () => {
      const id = await submitted();
      await gateway.orchestrator.emit(id, [decided, ended]);
      const first = await call('GET', `/v1/workflows/${id}/events?limit=2`);
      expect(first.body['items'].map(({ type }: { type: string }) => type)).toEqual(['aifirst.workflow.intent-submitted.v1', 'aifirst.workflow.policy-decided.v1']);
      expect(first.text).not.toContain('the-mac');
      const second = await call('GET', `/v1/workflows/${id}/events?limit=2&cursor=${first.body['next']}`);
      expect(second.body).toMatchObject({ items: [{ type: 'aifirst.workflow.workflow-ended.v1', subject: id, specversion: '1.0' }], next: null });
    });
    it('come live, what was before and what comes, until the end', async () => {
      const id = await submitted();
      const { response, events } = await stream(id);
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      const all = events();
      await gateway.orchestrator.emit(id, [decided]);
      await gateway.orchestrator.emit(id, [ended]);
      const got = await all;
      expect(got.map(({ event }) => event)).toEqual(['aifirst.workflow.intent-submitted.v1', 'aifirst.workflow.policy-decided.v1', 'aifirst.workflow.workflow-ended.v1']);
      for (const { id: sequence, event, data } of got) expect(JSON.parse(data!)).toMatchObject({ type: event, sequence: Number(sequence), subject: id });
      expect(JSON.stringify(got)).not.toContain('the-mac');
    });
    it('go on after Last-Event-ID', async () => {
      const id = await submitted();
      await gateway.orchestrator.emit(id, [decided, ended]);
      await gateway.gateway.projection.waitFor('default', id, view => view.endedAt !== null, 5_000);
      const whole = await (await stream(id)).events();
      expect(whole).toHaveLength(3);
      expect(await (await stream(id, whole[0]!['id'])).events()).toEqual(whole.slice(1));
      expect((await stream(id, whole[2]!['id'])).response.status).toBe(204);
    });
    it('do not stop at an end that was followed by a roll-back', async () => {
      const id = await submitted();
      await gateway.orchestrator.emit(id, [ended, { name: 'RollbackStarted', reason: 'requested', by: 'admin', code: 'REQUESTED' }]);
      const all = (await stream(id)).events();
      await new Promise(resolve => { setTimeout(resolve, 50); });
      await gateway.orchestrator.emit(id, [{ ...ended, status: 'rolledBack' }]);
      expect((await all).map(({ event }) => event?.split('.')[2])).toEqual(['intent-submitted', 'workflow-ended', 'rollback-started', 'workflow-ended']);
    });
  });

  describe('audit', () => {
    beforeAll(() => { gateway.audit.entries = [0, 1, 2].map(index => ({ index, leafHash: 'h', event: { id: `e${index}` } as never })); });
    it('shows entries by page and filter', async () => {
      const first = await call('GET', '/v1/audit/entries?limit=2&agent=a&workflow=w&type=t&resource=r&from=2026-01-01&to=2026-02-01T00:00:00%2B01:00');
      expect(first.body).toMatchObject({ items: [{ index: 0 }, { index: 1 }], next: expect.any(String) as string });
      expect(gateway.audit.asked.at(-1)!.body).toEqual({ tenant: 'default', limit: 2, agent: 'a', workflow: 'w', type: 't', resource: 'r', fromTime: '2026-01-01T00:00:00.000Z', toTime: '2026-01-31T23:00:00.000Z' });
      expect((await call('GET', `/v1/audit/entries?limit=2&cursor=${first.body['next']}`)).body).toMatchObject({ items: [{ index: 2 }], next: null });
      expect((await call('GET', '/v1/audit/entries/1')).body).toMatchObject({ index: 1, leafHash: 'h' });
      for (const index of ['9', '-1', '01', 'x']) expect((await call('GET', `/v1/audit/entries/${index}`)).status).toBe(404);
    });
    it('shows checkpoint, tiles, proofs, keys and the export', async () => {
      const checkpoint = await call('GET', '/v1/audit/checkpoint');
      expect([checkpoint.headers.get('content-type'), checkpoint.text]).toEqual(['text/plain; charset=utf-8', 'aifirst/default\n3\n']);
      const tile = await call('GET', '/v1/audit/tile/0/x001/x234/067.p/3');
      expect(tile.status).toBe(404);
      expect(gateway.audit.asked.at(-1)!.body).toEqual({ tenant: 'default', level: 0, index: 1_234_067, width: 3 });
      const bundle = await call('GET', '/v1/audit/tile/entries/000');
      expect([bundle.status, bundle.headers.get('content-type'), bundle.text]).toEqual([200, 'application/octet-stream', 'hashes']);
      expect(gateway.audit.asked.at(-1)!.body).toEqual({ tenant: 'default', level: 'entries', index: 0, width: 256 });
      for (const path of ['0', '0/0', '0/x000/000', '0/000.p/256', '0/000.p/0', '00/000', '64/000', '0/001/', 'x/000', '0/000.p/01']) expect([path, (await call('GET', `/v1/audit/tile/${path}`)).status]).toEqual([path, 404]);
      expect((await call('GET', '/v1/audit/proofs/inclusion?index=1&size=3')).body).toEqual({ index: 1, size: 3, hashes: ['AA=='] });
      expect((await call('GET', '/v1/audit/proofs/consistency?from=1&to=3')).body).toEqual({ from: 1, to: 3, hashes: ['AA=='] });
      for (const query of ['inclusion', 'inclusion?index=x', 'inclusion?index=3&size=3', 'consistency?from=3&to=1', 'consistency?from=1']) expect([query, (await call('GET', `/v1/audit/proofs/${query}`)).status]).toEqual([query, 422]);
      expect((await call('GET', '/v1/audit/keys')).body).toMatchObject({ items: [{ vkey: 'aifirst+1+AA' }] });
      const exported = await call('GET', '/v1/audit/export?from=2026-01-01');
      expect([exported.headers.get('content-type'), exported.text]).toEqual(['application/octet-stream', '{}\nsignature\n']);
    });
  });

  describe('locks and dead letters', () => {
    it('are shown and settled', async () => {
      gateway.orchestrator.locks = [{ id: 'l1', tenant: 'default', resource: 'file://docs/a', mode: 'write', workflow: 'w', since: '2026-01-01T00:00:00.000Z', waiting: [] }];
      expect((await call('GET', '/v1/locks')).body).toMatchObject({ items: [{ id: 'l1' }], next: null });
      expect((await call('GET', '/v1/locks?workflow=other')).body['items']).toEqual([]);
      expect(await call('POST', '/v1/locks/l1/break', { reason: 'stuck' })).toMatchObject({ status: 200, body: { id: 'l1' } });
      expect((await call('POST', '/v1/locks/none/break', { reason: 'stuck' })).status).toBe(404);
      expect(await call('POST', '/v1/locks/l1/break', {})).toMatchObject({ status: 422, body: { pointer: '/reason' } });
    });
    it('come from every service, one after the other', async () => {
      const letters: Record<string, string[]> = { gateway: ['1', '2'], audit: ['1'] };
      for (const [service, own] of Object.entries(letters)) {
        gateway.query.answer<{ limit: number; after?: string }, unknown>(service as 'gateway', 'deadLetters', ({ limit, after }) => ({ items: own.filter(id => after === undefined || id > after).slice(0, limit).map(id => ({ id, code: 'X' })) }));
        gateway.query.answer<{ id: string }, unknown>(service as 'gateway', 'replayDeadLetter', ({ id }) => ({ letter: { id, status: 'replayed' }, left: 0 }));
        gateway.query.answer<{ id: string }, unknown>(service as 'gateway', 'discardDeadLetter', ({ id }) => { throw new Refusal({ code: 'WRONG_STATE', detail: `dead letter \`${id}\` is replayed` }, { status: 'replayed' }); });
      }
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { body }: Answer = await call('GET', `/v1/dead-letters?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
        seen.push(...(body['items'] as { id: string }[]).map(({ id }) => id));
        cursor = body['next'] as string | null;
      }
      expect(seen).toEqual(['gateway~1', 'gateway~2', 'audit~1']);
      expect(await call('POST', '/v1/dead-letters/audit~1/replay')).toMatchObject({ status: 200, body: { letter: { id: 'audit~1', service: 'audit', status: 'replayed' }, left: 0 } });
      expect(await call('POST', '/v1/dead-letters/audit~1/discard')).toMatchObject({ status: 409, body: { code: 'WRONG_STATE' } });
      expect((await call('POST', '/v1/dead-letters/nobody~1/replay')).status).toBe(404);
      expect((await call('GET', '/v1/dead-letters?service=audit')).body['items']).toHaveLength(1);
    });
  });
});
