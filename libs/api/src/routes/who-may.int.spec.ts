import { GatewayUnderTest, anIntent } from '../testing';
import { ROUTES } from '.';

/** A path of a route with something in the place of each parameter. */
const pathOf = (path: string, ids: Record<string, string>): string =>
  path.replaceAll(/:([A-Za-z]+)/g, (_, name: string) => ids[name] ?? 'x').replace('*', '0/000');
const served = ROUTES.filter(({ instead }) => instead === undefined);
const UUID = '019c0000-0000-7000-8000-00000000dead';

describe('who may', () => {
  let gateway: GatewayUnderTest;
  let agent: { id: string; token: string };
  let other: { id: string; token: string };
  let foreign: { id: string; token: string };
  let workflow: string;
  let intent: string;
  beforeAll(async () => {
    gateway = await GatewayUnderTest.start();
    await gateway.call('PUT', '/v1/tenants/acme', {});
    [agent, other, foreign] = [await gateway.agent(), await gateway.agent(), await gateway.agent({}, 'acme')];
    const { body } = await gateway.call('POST', '/v1/intents', anIntent(), agent.token);
    [workflow, intent] = [body['workflowId'] as string, body['intentId'] as string];
    await expectStarted();
  });
  afterAll(() => gateway.close());
  const expectStarted = async () => { await gateway.gateway.projection.waitFor('default', workflow, (_view, sequence) => sequence > 0, 5_000); };

  it.each(served.filter(({ access }) => access !== 'public').map(route => [`${route.method} ${route.path}`, route] as const))('%s needs a token', async (_, route) => {
    for (const token of [null, '', 'wrong', 'aifirst_0123456789abcdef01234567_' + 'A'.repeat(43), agent.token.slice(0, -1) + (agent.token.endsWith('A') ? 'B' : 'A')]) {
      const answer = await gateway.call(route.method, pathOf(route.path, { id: workflow }), route.body === undefined ? undefined : {}, token);
      expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } });
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
  });

  it.each(served.filter(({ access }) => access === 'public').map(route => [route.path]))('%s needs none', async path => {
    expect((await gateway.call('GET', path, undefined, null)).status).toBe(200);
  });

  it.each(ROUTES.filter(({ access }) => access === 'admin').map(route => [`${route.method} ${route.path}`, route] as const))('%s is for the administrator alone', async (_, route) => {
    expect(await gateway.call(route.method, pathOf(route.path, { id: workflow }), route.body === undefined ? undefined : {}, agent.token)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });

  const ofWorkflow = served.filter(({ path, access }) => path.startsWith('/v1/workflows/:id') && access === 'principal');
  it.each(ofWorkflow.map(route => [`${route.method} ${route.path}`, route] as const))("%s hides others' workflows, of another agent, another tenant, or none", async (_, route) => {
    const body = route.body === undefined ? undefined : {};
    const path = pathOf(route.path, { id: workflow });
    expect(await gateway.call(route.method, path, body, other.token)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await gateway.call(route.method, path, body, foreign.token)).toMatchObject({ status: 404 });
    expect(await gateway.call(route.method, `${path}?tenant=acme`, body)).toMatchObject({ status: 404 });
    expect(await gateway.call(route.method, pathOf(route.path, { id: UUID }), body, agent.token)).toMatchObject({ status: 404 });
    expect(await gateway.call(route.method, pathOf(route.path, { id: 'nonsense' }), body, agent.token)).toMatchObject({ status: 404 });
    // Why: this workflow is none; what its owner is answered there has tests of its own.
    if (route.tag === 'Transactions') return;
    expect((await gateway.call(route.method, path, body, agent.token)).status).toBeLessThan(300);
    expect((await gateway.call(route.method, path, body)).status).toBeLessThan(300);
  });

  it("hides others' intents and lists", async () => {
    for (const token of [other.token, foreign.token]) {
      expect((await gateway.call('GET', `/v1/intents/${intent}`, undefined, token)).status).toBe(404);
      expect((await gateway.call('GET', '/v1/workflows', undefined, token)).body).toEqual({ items: [], next: null });
      expect((await gateway.call('GET', `/v1/workflows?agent=${agent.id}`, undefined, token)).body['items']).toEqual([]);
    }
    expect((await gateway.call('GET', '/v1/workflows', undefined, agent.token)).body['items']).toHaveLength(1);
    expect((await gateway.call('GET', '/v1/workflows')).body['items']).toHaveLength(1);
    expect((await gateway.call('GET', '/v1/workflows?tenant=acme')).body['items']).toEqual([]);
  });

  it('lets only a person settle an outcome', async () => {
    const body = { outcome: 'succeeded', reason: 'looked' };
    expect(await gateway.call('POST', `/v1/workflows/${workflow}/steps/a/resolve`, body, agent.token)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect((await gateway.call('POST', `/v1/workflows/${workflow}/steps/a/resolve`, body)).status).toBe(202);
    expect(gateway.orchestrator.orders.at(-1)).toMatchObject({ by: { kind: 'person', id: 'admin', tenant: 'default' }, order: { order: 'resolve', step: 'a', ...body } });
  });

  it('lets the credential decide the tenant', async () => {
    expect(await gateway.call('GET', '/v1/workflows?tenant=acme', undefined, agent.token)).toMatchObject({ status: 403, body: { code: 'TENANT_MISMATCH' } });
    expect((await gateway.call('GET', '/v1/workflows?tenant=default', undefined, agent.token)).status).toBe(200);
    expect(await gateway.call('GET', '/v1/agents?tenant=nobody')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await gateway.call('GET', '/v1/audit/entries?tenant=system')).status).toBe(200);
  });

  it('refuses a suspended agent until it is resumed, and tells policy', async () => {
    const suspended = await gateway.agent();
    expect(await gateway.call('POST', `/v1/agents/${suspended.id}/suspend`, { reason: 'odd' })).toMatchObject({ status: 200, body: { status: 'suspended' } });
    expect(gateway.policy.principals.get(suspended.id)).toMatchObject({ suspended: true });
    expect(await gateway.call('POST', '/v1/intents', anIntent(), suspended.token)).toMatchObject({ status: 403, body: { code: 'AGENT_SUSPENDED' } });
    expect(await gateway.call('POST', `/v1/agents/${suspended.id}/resume`)).toMatchObject({ status: 200, body: { status: 'active' } });
    expect((await gateway.call('POST', '/v1/intents', anIntent(), suspended.token)).status).toBe(202);
  });

  it('slows down an agent beyond its pace, with Retry-After', async () => {
    const slow = await gateway.agent({ limits: { requestsPerMinute: 2 } });
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await gateway.call('GET', '/v1/workflows', undefined, slow.token)).status);
    const refused = await gateway.call('GET', '/v1/workflows', undefined, slow.token);
    expect(statuses).toEqual([200, 200, 429]);
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('records refused log-ins once per source and code, with their number, and what was forbidden', async () => {
    gateway.gateway.identity.refusals.flush();
    await new Promise(resolve => { setTimeout(resolve, 20); });
    const head = gateway.log.head();
    for (let i = 0; i < 4; i++) await gateway.call('GET', '/v1/agents', undefined, 'a-guessed-token');
    await gateway.call('GET', '/v1/agents', undefined, agent.token);
    gateway.gateway.identity.refusals.flush();
    await new Promise(resolve => { setTimeout(resolve, 20); });
    const events = (await gateway.log.read(head, 100)).flatMap(row => row.messages).map(({ event }) => event);
    expect(events.map(({ type, tenant, data }) => [type, tenant, data['code'], data['count']])).toEqual([
      ['aifirst.credential.refused.v1', 'system', 'UNAUTHENTICATED', 1], ['aifirst.access.refused.v1', 'default', 'FORBIDDEN', 1], ['aifirst.credential.refused.v1', 'system', 'UNAUTHENTICATED', 3],
    ]);
    expect(JSON.stringify(events)).not.toContain('guessed');
  });
});
