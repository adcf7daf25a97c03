import { GatewayUnderTest, anIntent, type Answer } from '../testing';

describe('POST /v1/intents', () => {
  let gateway: GatewayUnderTest;
  let agent: { id: string; token: string };
  const post = (body: unknown, headers: Record<string, string> = {}, token: string | null = agent.token): Promise<Answer> => gateway.call('POST', '/v1/intents', body, token, headers);
  beforeAll(async () => {
    gateway = await GatewayUnderTest.start();
    agent = await gateway.agent();
    await gateway.call('PUT', '/v1/connections/docs', { adapter: 'os', config: { root: '/srv/docs' } });
  });
  afterAll(() => gateway.close());

  it('answers 202 with ids, and a read right after finds the workflow', async () => {
    const { status, body, headers } = await post(anIntent({ labels: { team: 'credit' } }));
    expect(status).toBe(202);
    expect(Object.keys(body).sort()).toEqual(['intentId', 'workflowId']);
    expect(headers.get('location')).toBe(`/v1/workflows/${body['workflowId']}`);
    const view = await gateway.call('GET', `/v1/workflows/${body['workflowId']}`, undefined, agent.token);
    expect(view).toMatchObject({ status: 200, body: { id: body['workflowId'], intentId: body['intentId'], status: 'pending', statusReason: null, goal: 'a goal', agent: agent.id, mode: 'saga', labels: { team: 'credit' },
      steps: [{ id: 'a', capability: 'noop', status: 'pending', attempts: 0, risk: { level: 'low', score: 20 }, decision: null, resources: [], output: null, error: null, undo: null }], residue: [], endedAt: null } });
    const intent = await gateway.call('GET', `/v1/intents/${body['intentId']}`, undefined, agent.token);
    expect(intent).toMatchObject({ status: 200, body: { id: body['intentId'], workflowId: body['workflowId'], agent: agent.id, digest: expect.stringMatching(/^sha256:/) as string,
      intent: { goal: 'a goal', mode: 'saga', onFailure: 'rollback', deadlineMs: 600_000, steps: [{ id: 'a', capability: 'noop', dependsOn: [], timeoutMs: 30_000, retry: { attemptsMax: 1 } }] } } });
  });

  it.each([
    ['broken JSON', '{"goal":', 400, 'MALFORMED_JSON', undefined],
    ['an empty body', '', 400, 'MALFORMED_JSON', undefined],
    ['a repeated key', '{"goal":"a","goal":"b"}', 400, 'DUPLICATE_KEY', '/goal'],
    ['__proto__', '{"__proto__":{}}', 400, 'FORBIDDEN_KEY', '/__proto__'],
    ['a lone surrogate', '{"goal":"\\ud800"}', 400, 'INVALID_UNICODE', undefined],
    ['invalid UTF-8', Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, 'INVALID_UNICODE', undefined],
    ['too deep a body', '['.repeat(65) + ']'.repeat(65), 400, 'TOO_DEEP', undefined],
    ['an unknown field', anIntent({ colour: 'red' }), 422, 'UNKNOWN_FIELD', '/colour'],
    ['an unknown capability', anIntent({ steps: [{ id: 'a', capability: 'fs.fly', input: {} }] }), 422, 'UNKNOWN_CAPABILITY', '/steps/0/capability'],
    ['an unknown connection', anIntent({ steps: [{ id: 'a', capability: 'fs.write', input: { connection: 'nowhere', path: 'a', content: '' } }] }), 422, 'UNKNOWN_CONNECTION', '/steps/0/input/connection'],
    ['a path that climbs', anIntent({ steps: [{ id: 'a', capability: 'fs.write', input: { connection: 'docs', path: '../a', content: '' } }] }), 422, 'INVALID_PATH', '/steps/0/input/path'],
    ['a cycle', anIntent({ steps: [{ id: 'a', capability: 'noop', input: {}, dependsOn: ['b'] }, { id: 'b', capability: 'noop', input: {}, dependsOn: ['a'] }] }), 422, 'CYCLE', '/steps/0'],
    ['a repeated step', anIntent({ steps: [{ id: 'a', capability: 'noop', input: {} }, { id: 'a', capability: 'noop', input: {} }] }), 422, 'DUPLICATE_STEP', '/steps/1/id'],
    ['another tenant', anIntent({ tenant: 'acme' }), 403, 'TENANT_MISMATCH', '/tenant'],
    ['mode atomic that keeps a half', anIntent({ mode: 'atomic', onFailure: 'keep' }), 422, 'INVALID_FIELD', '/onFailure'],
    ['a parent that nobody has given', anIntent({ parent: 'task_x' }), 404, 'NOT_FOUND', '/parent'],
    ['a plan that is not there', { planId: 'x' }, 404, 'NOT_FOUND', undefined],
    ['a plan with more beside it', { planId: 'x', goal: 'g' }, 422, 'UNKNOWN_FIELD', '/goal'],
    ['a plan that is no text', { planId: 7 }, 422, 'INVALID_FIELD', '/planId'],
  ])('refuses %s whole', async (_, body, status, code, pointer) => {
    const head = gateway.log.head();
    const answer = await post(body);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer).toMatchObject({ status, body: { status, code, type: expect.stringMatching(/^urn:aifirst:problem:/) as string, title: expect.any(String) as string, detail: expect.any(String) as string, errors: [{ code }] } });
    expect(answer.body['pointer']).toBe(pointer);
    const rows = await gateway.log.read(head, 100);
    expect(rows.flatMap(row => row.messages).filter(({ event }) => event.type === 'aifirst.intent.accepted.v1')).toEqual([]);
  });

  it('names all that is wrong, the first on top', async () => {
    const { body } = await post({ goal: '', colour: 1, steps: [] });
    expect(body['errors']).toHaveLength(3);
    expect(body['code']).toBe(body['errors'][0].code);
  });

  it('records a refusal without what was sent, and repeats of it as one number', async () => {
    gateway.gateway.identity.refusals.flush();
    await new Promise(resolve => { setTimeout(resolve, 20); });
    const head = gateway.log.head();
    for (let i = 0; i < 3; i++) await post(anIntent({ goal: 'secret-goal', steps: [{ id: 'a', capability: 'no.such', input: { x: 'secret-input' } }] }));
    gateway.gateway.identity.refusals.flush();
    await new Promise(resolve => { setTimeout(resolve, 20); });
    const facts = (await gateway.log.read(head, 100)).flatMap(row => row.messages).map(({ event }) => event).filter(({ type }) => type === 'aifirst.intent.refused.v1');
    expect(facts.map(({ data }) => data['count'])).toEqual([1, 2]);
    expect(facts[0]).toMatchObject({ subject: agent.id, tenant: 'default', data: { code: 'UNKNOWN_CAPABILITY', source: agent.id } });
    expect(JSON.stringify(facts)).not.toContain('secret');
  });

  it('refuses more than a mebibyte and other content types', async () => {
    expect(await post(JSON.stringify(anIntent({ goal: 'x'.repeat(1024 * 1024) })))).toMatchObject({ status: 413, body: { code: 'TOO_LARGE' } });
    expect(await post('goal=x', { 'content-type': 'application/x-www-form-urlencoded' })).toMatchObject({ status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
    expect(await post('<goal/>', { 'content-type': 'text/xml' })).toMatchObject({ status: 415 });
  });

  it('puts fact and command into one row, with the trace of the caller', async () => {
    const head = gateway.log.head();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    // The call is a span of its own below the caller's, in the same trace.
    const carried = expect.stringMatching(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$/);
    const { body } = await post(anIntent(), { traceparent, 'idempotency-key': 'traced' });
    const [row] = (await gateway.log.read(head, 100)).filter(one => one.stream === body['intentId']);
    expect(row).toMatchObject({ tenant: 'default', key: `default/${agent.id}/traced`, messages: [
      { topic: 'aifirst.intent.events.v1', key: agent.id, event: { type: 'aifirst.intent.accepted.v1', subject: body['intentId'], traceparent: carried, data: { workflowId: body['workflowId'], intentId: body['intentId'], agent: agent.id, steps: 1 } } },
      { topic: 'aifirst.orchestration.workflow.commands.v1', key: body['workflowId'], event: { type: 'aifirst.orchestration.start-workflow.v1', traceparent: carried, data: { workflow: body['workflowId'], intent: body['intentId'] } } },
    ] });
    expect(row!.messages[1]!.event.causationid).toBe(row!.messages[0]!.event.id);
  });

  it('seals what is sensitive before it is stored, and shows it to the agent alone', async () => {
    const head = gateway.log.head();
    const write = anIntent({ steps: [{ id: 'w', capability: 'fs.write', input: { connection: 'docs', path: 'a.txt', content: 'top secret' } }] });
    const { status, body } = await post(write, { 'idempotency-key': 'sealed' });
    expect(status).toBe(202);
    const rows = await gateway.log.read(head, 100);
    expect(JSON.stringify(rows)).not.toContain('top secret');
    expect(rows.at(-1)!.messages[1]!.event.data).toMatchObject({ digest: expect.stringMatching(/^hmac-sha256:/) as string, steps: [{ input: { content: { $sealed: expect.any(String) as string, class: 'content' } }, lockBase: 'file:///real/srv/docs' }] });
    const shown = await gateway.call('GET', `/v1/intents/${body['intentId']}`, undefined, agent.token);
    expect(shown.body['intent'].steps[0].input.content).toBe('top secret');
    expect(await post(write, { 'idempotency-key': 'sealed' })).toMatchObject({ status: 202, body });
    const other = structuredClone(write) as { steps: [{ input: { content: string } }] };
    other.steps[0].input.content = 'another';
    expect(await post(other, { 'idempotency-key': 'sealed' })).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
  });

  describe('with an Idempotency-Key', () => {
    it('answers a repeat with the same ids, however it is written', async () => {
      const first = await post('{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":1}}]}', { 'idempotency-key': 'same' });
      const again = await post('{ "steps" : [ { "capability":"noop", "id":"a", "input":{"value":1.0}, "timeoutMs":30000 } ], "goal":"g" }', { 'idempotency-key': 'same' });
      expect(again).toMatchObject({ status: 202, body: first.body });
      expect(first.headers.get('idempotent-replayed')).toBeNull();
      expect(again.headers.get('idempotent-replayed')).toBe('true');
    });

    it('refuses another intent', async () => {
      await post(anIntent(), { 'idempotency-key': 'other' });
      expect(await post(anIntent({ goal: 'b' }), { 'idempotency-key': 'other' })).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    });

    it('takes it in once, however concurrently it is sent', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => post(anIntent(), { 'idempotency-key': 'many' })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
      expect(new Set(answers.map(({ body }) => body['workflowId'])).size).toBe(1);
      expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1);
    });

    it('does not remember a refused one', async () => {
      expect((await post(anIntent({ steps: [] }), { 'idempotency-key': 'refused' })).status).toBe(422);
      expect((await post(anIntent(), { 'idempotency-key': 'refused' })).status).toBe(202);
    });

    it('tells apart principals with the same key', async () => {
      const other = await gateway.agent();
      const [mine, theirs] = [await post(anIntent(), { 'idempotency-key': 'shared' }), await post(anIntent({ goal: 'b' }), { 'idempotency-key': 'shared' }, other.token)];
      expect([mine.status, theirs.status]).toEqual([202, 202]);
      expect(mine.body['workflowId']).not.toBe(theirs.body['workflowId']);
    });

    it.each(['', 'x'.repeat(256), 'caf\u00e9'])('refuses a key that is none (%#)', async key => {
      expect(await post(anIntent(), { 'idempotency-key': key })).toMatchObject({ status: 422, body: { code: 'INVALID_FIELD' } });
    });
  });

  it('asks to come back when more is waiting than it can take in', async () => {
    const intake = gateway.gateway.intake as unknown as { waiting: number };
    const before = intake.waiting;
    intake.waiting = 5_000;
    const answer = await post(anIntent());
    intake.waiting = before;
    expect(answer).toMatchObject({ status: 503, body: { code: 'OVERLOADED' } });
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  it('makes every intent without a key a new one', async () => {
    const [one, other] = [await post(anIntent()), await post(anIntent())];
    expect(one.body['workflowId']).not.toBe(other.body['workflowId']);
  });

  describe('with Prefer: wait', () => {
    it('answers with the workflow when it has ended', async () => {
      gateway.orchestrator.onStart = () => [{ name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] }];
      const { status, body, headers } = await post(anIntent(), { prefer: 'respond-async, wait=10' });
      expect(status).toBe(200);
      expect(headers.get('preference-applied')).toBe('wait=10');
      expect(body).toMatchObject({ status: 'completed', endedAt: expect.any(String) as string });
    });

    it('answers with the workflow when it parks', async () => {
      gateway.orchestrator.onStart = () => [{ name: 'WorkflowPaused', code: 'KILL_SWITCH', reason: 'held', by: 'aifirst', failed: false }];
      expect(await post(anIntent(), { prefer: 'wait=10' })).toMatchObject({ status: 200, body: { status: 'paused', statusReason: { code: 'KILL_SWITCH' } } });
    });

    it('answers 202 when the time is over', async () => {
      gateway.orchestrator.onStart = () => [];
      const began = Date.now();
      expect((await post(anIntent(), { prefer: 'wait=1' })).status).toBe(202);
      expect(Date.now() - began).toBeLessThan(5_000);
    });

    it('lets a repeat wait too', async () => {
      gateway.orchestrator.onStart = () => [{ name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] }];
      await post(anIntent(), { 'idempotency-key': 'waits', prefer: 'wait=10' });
      await gateway.gateway.projection.flush();
      const again = await post(anIntent(), { 'idempotency-key': 'waits', prefer: 'wait=10' });
      expect(again).toMatchObject({ status: 200, body: { status: 'completed' } });
      expect(again.headers.get('idempotent-replayed')).toBe('true');
    });
  });
});
