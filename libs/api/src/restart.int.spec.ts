import type { Clock } from '@aifirst/kernel';
import { MemoryStore } from '@aifirst/store/testing';
import { GatewayUnderTest, anIntent } from './testing';
import { systemClock } from './testing/system-clock';

describe('a gateway that is started again', () => {
  it('knows agents, tokens, connections, tenants and intents, and answers a repeat as before', async () => {
    const before = await GatewayUnderTest.start();
    const agent = await before.agent();
    await before.call('PUT', '/v1/tenants/acme', {});
    await before.call('PUT', '/v1/connections/docs', { adapter: 'os', config: { root: '/srv/docs' } });
    const suspended = await before.agent();
    await before.call('POST', `/v1/agents/${suspended.id}/suspend`);
    const intent = anIntent({ steps: [{ id: 'w', capability: 'fs.write', input: { connection: 'docs', path: 'a', content: 'secret' } }] });
    const first = await before.call('POST', '/v1/intents', intent, agent.token, { 'idempotency-key': 'k' });
    expect(first.status).toBe(202);
    await before.close();

    const { store, views, vault } = before.parts;
    const after = await GatewayUnderTest.start({ store, views, vault });
    try {
      const again = await after.call('POST', '/v1/intents', intent, agent.token, { 'idempotency-key': 'k' });
      expect(again).toMatchObject({ status: 202, body: first.body });
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await after.call('POST', '/v1/intents', anIntent(), agent.token, { 'idempotency-key': 'k' })).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
      expect(await after.call('GET', `/v1/workflows/${first.body['workflowId']}`, undefined, agent.token)).toMatchObject({ status: 200 });
      expect((await after.call('GET', `/v1/intents/${first.body['intentId']}`, undefined, agent.token)).body['intent'].steps[0].input.content).toBe('secret');
      expect(await after.call('POST', '/v1/intents', anIntent(), suspended.token)).toMatchObject({ status: 403, body: { code: 'AGENT_SUSPENDED' } });
      expect((await after.call('GET', '/v1/tenants/acme')).status).toBe(200);
      expect((await after.call('GET', '/v1/connections/docs')).body).toMatchObject({ revision: 1 });
      expect([...after.policy.principals.keys()].sort()).toEqual([agent.id, suspended.id].sort());
    } finally {
      await after.close();
    }
  });

  it('answers repeats that come at once, and goes on taking in', async () => {
    // Why: a database answers in a later turn of the event loop.
    const store = new MemoryStore({ serviceName: 'gateway', defer: step => { setImmediate(step); } });
    const before = await GatewayUnderTest.start({ store });
    const agent = await before.agent();
    const { body } = await before.call('POST', '/v1/intents', anIntent(), agent.token, { 'idempotency-key': 'k' });
    await before.close();
    const after = await GatewayUnderTest.start({ store, views: before.parts.views, vault: before.parts.vault });
    try {
      const answers = await Promise.all(Array.from({ length: 5 }, () => after.call('POST', '/v1/intents', anIntent(), agent.token, { 'idempotency-key': 'k' })));
      for (const answer of answers) expect(answer).toMatchObject({ status: 202, body });
    } finally {
      await after.close();
    }
  });

  it('lets a key be used anew after its days, whether it remembers it or not, and once only', async () => {
    let daysLater = 0;
    const clock: Clock = { now: () => systemClock.now() + daysLater * 86_400_000, after: systemClock.after };
    let gateway = await GatewayUnderTest.start({ clock });
    const agent = await gateway.agent();
    const post = async (goal: string) => {
      const { status, headers, body } = await gateway.call('POST', '/v1/intents', anIntent({ goal }), agent.token, { 'idempotency-key': 'k' });
      return { status, replayed: headers.get('idempotent-replayed') === 'true', workflow: body['workflowId'] as string };
    };
    const first = await post('a');
    daysLater = 29;
    expect(await post('a')).toEqual({ ...first, replayed: true });
    daysLater = 31;
    const [second, ...repeats] = await Promise.all(Array.from({ length: 4 }, () => post('b')));
    expect(second).toMatchObject({ status: 202, replayed: false });
    expect(second!.workflow).not.toBe(first.workflow);
    for (const repeat of repeats) expect(repeat).toEqual({ ...second, replayed: true });
    expect((await post('a')).status).toBe(409);

    await gateway.close();
    const { store, views, vault } = gateway.parts;
    gateway = await GatewayUnderTest.start({ store, views, vault, clock });
    try {
      daysLater = 60;
      expect(await post('b')).toEqual({ ...second, replayed: true });
      daysLater = 62;
      const third = await post('c');
      expect([third.replayed, new Set([first.workflow, second!.workflow, third.workflow]).size]).toEqual([false, 3]);
    } finally {
      await gateway.close();
    }
  });

  it('is ready only when policy has heard of every agent', async () => {
    const before = await GatewayUnderTest.start();
    await before.agent();
    await before.close();
    const after = await GatewayUnderTest.start({ store: before.parts.store });
    try {
      expect((await after.call('GET', '/health/ready')).status).toBe(200);
      after.policy.failure = new Error('away');
      expect((await after.call('POST', `/v1/agents/${[...after.policy.principals.keys()][0]!}/suspend`)).status).toBe(500);
      expect(await after.call('GET', '/health/ready')).toMatchObject({ status: 503, body: { checks: [{}, { name: 'gateway.principals', ready: false }] } });
      after.policy.failure = null;
      for (let i = 0; i < 40 && (await after.call('GET', '/health/ready')).status !== 200; i++) await new Promise(resolve => { setTimeout(resolve, 50); });
      expect((await after.call('GET', '/health/ready')).status).toBe(200);
    } finally {
      await after.close();
    }
  });

  it('ends with streams and waiting callers answered', async () => {
    const gateway = await GatewayUnderTest.start();
    const { body } = await gateway.call('POST', '/v1/intents', anIntent());
    const stream = fetch(`${gateway.url}/v1/workflows/${body['workflowId']}/events`, { headers: { authorization: 'Bearer the-administrators-token', accept: 'text/event-stream' } }).then(response => response.text());
    const waiting = gateway.call('POST', '/v1/intents', anIntent(), undefined, { prefer: 'wait=60' });
    await new Promise(resolve => { setTimeout(resolve, 200); });
    await gateway.close();
    expect((await waiting).status).toBe(202);
    expect(await stream).toContain('intent-submitted');
  });
});
