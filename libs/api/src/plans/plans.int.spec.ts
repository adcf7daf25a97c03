import { isObject, OperationalError, type Clock } from '@aifirst/kernel';
import { GatewayUnderTest, anIntent, type Answer, type Body } from '../testing';
import { randomIds, systemClock } from '../testing/system-clock';
import { PLAN_KEPT_MS } from './plan-record';
import { PLAN_WAIT_MS } from './plans';

const write = (id: string, over: Record<string, unknown> = {}) => ({ id, capability: 'fs.write', input: { connection: 'docs', path: `${id}.txt`, content: 'top secret' }, ...over });

describe('plans', () => {
  let hoursLater = 0;
  /** While set, nobody waits longer. */
  let isImpatient = false;
  const clock: Clock = { now: () => systemClock.now() + hoursLater * 3_600_000, after: (ms, callback) => systemClock.after(isImpatient && ms === PLAN_WAIT_MS ? 20 : ms, callback) };
  let gateway: GatewayUnderTest;
  let agent: { id: string; token: string };
  beforeEach(async () => {
    gateway = await GatewayUnderTest.start({ clock });
    agent = await gateway.agent();
    await gateway.call('PUT', '/v1/connections/docs', { adapter: 'os', config: { root: '/srv/docs' }, labels: { env: 'prod' } });
  });
  afterEach(async () => { hoursLater = 0; isImpatient = false; await gateway.close(); });
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => gateway.call(method, path, body, agent.token, headers);
  const plan = async (steps: readonly object[] = [write('w')]): Promise<string> => {
    const { status, body } = await call('POST', '/v1/plans', anIntent({ steps }));
    expect(status).toBe(200);
    return body['planId'] as string;
  };
  const reveal = () => { gateway.adapter.preview = async ({ plan: workflow, agent: { tenant } }) => ({
    preview: { summary: 'writes', footprint: ['file://docs/w.txt'], changes: await gateway.parts.vault.seal({ tenant, workflow }, 'preview', [{ kind: 'file', resource: 'file://docs/w.txt', action: 'create', diff: '+top secret', before: null, after: null }]), truncated: false },
    digest: 'hmac-sha256:01', reach: 12,
  }); };

  it('ask policy as a workflow would, and again with what the previews have found', async () => {
    reveal();
    await plan([write('w'), { id: 'n', capability: 'noop', input: { value: { $ref: '#/steps/w/output/digest' } } }]);
    const [first, again] = gateway.policy.asked;
    expect(first).toMatchObject({ question: 1, action: 'execute', principal: { kind: 'agent', id: agent.id }, plan: { steps: 2, capabilities: ['fs.write', 'noop'], resources: ['file://docs/w.txt'] },
      steps: [{ step: 'w', index: 0, generation: 1, unresolved: false, resources: ['file://docs/w.txt'], environment: 'prod', input: { content: { $sealed: expect.any(String) as string } } }, { step: 'n', unresolved: true }] });
    expect(first!.steps[0]!.reach).toBeUndefined();
    expect(again!.steps.map(({ reach }) => reach)).toEqual([12, undefined]);
    expect(gateway.adapter.asked.map(({ step }) => step)).toEqual(['w']);
    expect(JSON.stringify(gateway.adapter.asked)).not.toContain('top secret');
  });

  it('show what they hold to their agent and the administrator, and keep it sealed', async () => {
    reveal();
    const head = gateway.log.head();
    const planId = await plan();
    const seen = [await call('GET', `/v1/plans/${planId}`), await gateway.call('GET', `/v1/plans/${planId}`)];
    for (const { status, body } of seen) expect([status, body['steps'][0].preview.changes[0].diff]).toEqual([200, '+top secret']);
    const other = await gateway.agent();
    expect((await gateway.call('GET', `/v1/plans/${planId}`, undefined, other.token)).status).toBe(404);
    expect((await call('GET', '/v1/plans/nonsense')).status).toBe(404);
    const document = await gateway.log.getDocument('plan', 'default', planId);
    expect(document).not.toBeNull();
    const rows = await gateway.log.read(head, 100);
    expect(JSON.stringify([document, rows, gateway.logged])).not.toContain('top secret');
    const [message] = rows.flatMap(row => row.messages).filter(({ event }) => event.type === 'aifirst.intent.planned.v1');
    expect(message!.event).toMatchObject({ subject: planId, data: { planId, agent: agent.id, steps: [{ step: 'w', capability: 'fs.write', outcome: 'allow', previewed: true }] } });
  });

  it('look at no target of a step that policy denies', async () => {
    gateway.policy.ruling = ({ step }) => (step === 'b' ? 'deny' : 'allow');
    const { body } = await call('POST', '/v1/plans', anIntent({ steps: [write('a'), write('b')] }));
    expect(body['steps'].map(({ id, decision, preview, previewError }: Body) => [id, decision.outcome, preview === null, previewError?.code])).toEqual([['a', 'allow', false, undefined], ['b', 'deny', true, 'POLICY_DENIED']]);
    expect(gateway.adapter.asked.map(({ step }) => step)).toEqual(['a']);
  });

  it('say of a step that can not be shown why, and show the others', async () => {
    gateway.adapter.preview = ({ step }) => { if (step === 'b') throw new OperationalError('SERVICE_TIMEOUT', 'no answer', { retryable: true }); return { error: { code: 'EXISTS', detail: 'it is there already', passing: false } }; };
    const { body } = await call('POST', '/v1/plans', anIntent({ steps: [write('a'), write('b')] }));
    expect(body['steps'].map(({ previewError }: Record<string, unknown>) => previewError)).toEqual([{ code: 'EXISTS', detail: 'it is there already' }, { code: 'SERVICE_TIMEOUT', detail: 'its adapter does not answer' }]);
  });

  it('are answered later where they take long, and made again where their maker was stopped', async () => {
    isImpatient = true;
    let free: () => void = () => undefined;
    gateway.adapter.preview = () => new Promise(resolve => { free = () => { resolve({ error: { code: 'EXISTS', detail: 'd', passing: false } }); }; });
    const { status, headers, body } = await call('POST', '/v1/plans', anIntent({ steps: [write('w')] }));
    const location = headers.get('location')!;
    expect([status, location, body['status']]).toEqual([202, `/v1/plans/${body['planId'] as string}`, 'making']);
    expect((await call('GET', location)).status).toBe(202);
    expect((await call('POST', '/v1/intents', { planId: body['planId'] })).body).toMatchObject({ status: 409, code: 'WRONG_STATE', workflowStatus: 'making' });
    // The process goes; another one knows that it was promised.
    const { parts } = gateway;
    const document = await gateway.log.getDocument('plan', 'default', body['planId'] as string);
    expect(document!.data).toMatchObject({ made: null, intent: { $sealed: expect.any(String) as string } });
    await gateway.close();
    free();
    gateway = await GatewayUnderTest.start({ ...parts });
    expect((await call('GET', location)).status).toBe(202);
    for (let tries = 0; (await call('GET', location)).status !== 200 && tries < 100; tries++) await new Promise(resolve => { setTimeout(resolve, 20); });
    expect((await call('GET', location)).body).toMatchObject({ planId: body['planId'], steps: [{ id: 'w', decision: { outcome: 'allow' } }] });
  });

  it('end after a day, with their keys', async () => {
    reveal();
    const planId = await plan();
    hoursLater = PLAN_KEPT_MS / 3_600_000 - 1;
    const younger = await plan();
    await gateway.gateway.plans.forget();
    expect((await call('GET', `/v1/plans/${planId}`)).status).toBe(200);
    hoursLater += 1.1;
    expect([(await call('GET', `/v1/plans/${planId}`)).status, (await call('POST', '/v1/intents', { planId })).status]).toEqual([404, 404]);
    await gateway.gateway.plans.forget();
    expect(await gateway.log.getDocument('plan', 'default', planId)).toBeNull();
    await expect(gateway.parts.vault.seal({ tenant: 'default', workflow: planId }, 'c', 'x')).rejects.toMatchObject({ code: 'ERASED' });
    expect((await call('GET', `/v1/plans/${younger}`)).status).toBe(200);
  });

  it('are asked for again later where too many are being made', async () => {
    const making = (gateway.gateway.plans as unknown as { making: Map<string, string> }).making;
    for (let index = 0; index < 8; index++) making.set(String(index), `default/agent/${agent.id}`);
    expect(await call('POST', '/v1/plans', anIntent())).toMatchObject({ status: 503, body: { code: 'OVERLOADED' } });
    const other = await gateway.agent();
    expect((await gateway.call('POST', '/v1/plans', anIntent(), other.token)).status).toBe(200);
    for (let index = 8; index < 32; index++) making.set(String(index), 'default/agent/third');
    expect((await gateway.call('POST', '/v1/plans', anIntent(), other.token)).status).toBe(503);
    making.clear();
  });

  describe('that are run', () => {
    const run = (planId: string, headers: Record<string, string> = {}) => call('POST', '/v1/intents', { planId }, headers);
    const movedOf = ({ status, body }: Answer): unknown => [status, body['code'], (body['moved'] as { what: string; step?: string }[]).map(({ what, step }) => (step === undefined ? what : `${what} ${step}`))];

    it('start their very intent, with what its steps reach', async () => {
      reveal();
      const head = gateway.log.head();
      const planId = await plan();
      const { status, body } = await run(planId);
      expect(status).toBe(202);
      const row = (await gateway.log.read(head, 100)).find(({ stream }) => stream === body['intentId'])!;
      expect(row.messages.map(({ event }) => event.data)).toEqual([expect.objectContaining({ planId }), expect.objectContaining({ steps: [expect.objectContaining({ id: 'w', reach: 12, environment: 'prod' })] })]);
      const intent = await call('GET', `/v1/intents/${body['intentId'] as string}`);
      expect(intent.body['intent'].steps[0].input).toEqual({ connection: 'docs', path: 'w.txt', content: 'top secret' });
    });

    it('keep what is said to be data as data', async () => {
      const planId = await plan([{ id: 'n', capability: 'noop', input: { value: { $literal: { $ref: '#/steps/x/output' } } } }, write('w', { input: { connection: 'docs', path: 'a', content: { $literal: '{"$ref":"x"}' } } })]);
      const { body } = await run(planId);
      const { body: { intent } } = await call('GET', `/v1/intents/${body['intentId'] as string}`);
      expect(intent.steps[0].input).toEqual({ value: { $literal: { $ref: '#/steps/x/output' } } });
      expect(isObject(intent.steps[1].input) && intent.steps[1].input['content']).toBe('{"$ref":"x"}');
    });

    it('answer a repeat as the first, whatever has moved since, and another intent under the key with a conflict', async () => {
      const planId = await plan();
      const first = await run(planId, { 'idempotency-key': 'k' });
      gateway.policy.version = '2-b';
      const again = await run(planId, { 'idempotency-key': 'k' });
      expect([again.status, again.body, again.headers.get('idempotent-replayed')]).toEqual([202, first.body, 'true']);
      expect((await call('POST', '/v1/intents', anIntent({ steps: [write('w')] }), { 'idempotency-key': 'k' })).body).toEqual(first.body);
      expect(await call('POST', '/v1/intents', anIntent(), { 'idempotency-key': 'k' })).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    });

    it('are run once, however concurrently they are handed in with a key', async () => {
      const planId = await plan();
      const answers = await Promise.all(Array.from({ length: 10 }, () => run(planId, { 'idempotency-key': 'many' })));
      expect(new Set(answers.map(({ status, body }) => `${status} ${body['workflowId'] as string}`)).size).toBe(1);
    });

    it('are stale when policy, target or connection moved, and say which', async () => {
      let target = 'hmac-sha256:01';
      gateway.adapter.preview = ({ step }) => ({ preview: { summary: '', footprint: [], changes: [], truncated: false }, digest: step === 'b' ? target : 'hmac-sha256:00', reach: 1 });
      const planId = await plan([write('a'), write('b')]);
      target = 'hmac-sha256:02';
      expect(movedOf(await run(planId))).toEqual([409, 'PLAN_STALE', ['target b']]);
      target = 'hmac-sha256:01';
      gateway.policy.ruling = ({ step }) => (step === 'b' ? 'deny' : 'allow');
      const looked = gateway.adapter.asked.length;
      expect(movedOf(await run(planId))).toEqual([409, 'PLAN_STALE', ['policy b']]);
      gateway.policy.version = '2-b';
      expect(movedOf(await run(planId))).toEqual([409, 'PLAN_STALE', ['policy', 'policy b']]);
      gateway.policy.version = '1-a';
      gateway.policy.ruling = () => 'allow';
      await gateway.call('PUT', '/v1/connections/docs', { adapter: 'os', config: { root: '/srv/other' } });
      expect(movedOf(await run(planId))).toEqual([409, 'PLAN_STALE', ['connection a', 'connection b']]);
      // What is not permitted as it was is not looked at.
      expect(gateway.adapter.asked).toHaveLength(looked);
      await gateway.call('DELETE', '/v1/connections/docs');
      expect(movedOf(await run(planId))).toEqual([409, 'PLAN_STALE', ['intent', 'intent']]);
    });

    it('are not called stale where a target can not be looked at right now', async () => {
      const planId = await plan();
      gateway.adapter.preview = () => ({ error: { code: 'TIMEOUT', detail: 'd', passing: true } });
      expect(await run(planId)).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    });

    it('are nobody else\'s', async () => {
      const planId = await plan();
      const other = await gateway.agent();
      expect((await gateway.call('POST', '/v1/intents', { planId }, other.token)).status).toBe(404);
      expect((await gateway.call('POST', '/v1/intents', { planId })).status).toBe(404);
      expect((await run(randomIds.uuid())).status).toBe(404);
      expect(await call('POST', '/v1/intents', { planId, tenant: 'acme' })).toMatchObject({ status: 403, body: { code: 'TENANT_MISMATCH' } });
    });
  });
});
