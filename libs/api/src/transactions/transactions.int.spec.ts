import type { PlannedStep, WorkflowFact, WorkflowOrder } from '@aifirst/contracts';
import { Refusal } from '@aifirst/kernel';
import { GatewayUnderTest, anIntent, type Answer } from '../testing';

type Fact = WorkflowFact extends infer F ? (F extends WorkflowFact ? F : never) : never;

describe('interactive transactions by REST', () => {
  let gateway: GatewayUnderTest;
  let agent: { id: string; token: string };
  const post = (path: string, body?: unknown, headers: Record<string, string> = {}, token: string | null = agent.token): Promise<Answer> => gateway.call('POST', path, body, token, headers);
  const begin = async (): Promise<string> => (await post('/v1/workflows', { goal: 'g' })).body['id'] as string;
  const noop = (id: string, more: object = {}): object => ({ id, capability: 'noop', input: { value: 1 }, ...more });
  const orders = (): readonly WorkflowOrder[] => gateway.orchestrator.orders.map(({ order }) => order);
  /** As an orchestrator would, but for what it is not asked to show. */
  const added = (order: WorkflowOrder, ...then: readonly Fact[]): readonly Fact[] => {
    if (order.order !== 'addStep') return [];
    const { restsOn: _, ...step } = order.step;
    return [{ name: 'StepAdded', step: step.id, index: 0, plan: { ...step, after: [] } as PlannedStep }, ...then];
  };
  const started: Fact = { name: 'StepStarted', step: 'a', index: 0, generation: 1, attempt: 1, decision: 'd', resources: [] };
  const succeeded: Fact = { name: 'StepSucceeded', step: 'a', index: 0, generation: 1, output: { value: 1 }, actSequence: 1, undoableUntil: null, decision: 'd' };

  beforeAll(async () => {
    gateway = await GatewayUnderTest.start();
    agent = await gateway.agent();
    await gateway.call('PUT', '/v1/connections/docs', { adapter: 'os', config: { root: '/srv/docs' } });
  });
  afterAll(() => gateway.close());
  beforeEach(() => { gateway.orchestrator.orders.length = 0; gateway.orchestrator.onOrder = order => added(order, started, succeeded); });

  it('answers 201 with the workflow, whose intent has no steps, and its defaults', async () => {
    const answer = await post('/v1/workflows', { goal: 'g', labels: { a: 'b' }, subjects: ['customer:42'] });
    expect(answer).toMatchObject({ status: 201, body: { status: 'running', goal: 'g', steps: [], mode: 'saga', agent: agent.id, labels: { a: 'b' }, interactive: { idleTimeoutMs: 300_000, committing: false } } });
    expect(answer.headers.get('location')).toBe(`/v1/workflows/${answer.body['id']}`);
    expect(await gateway.call('GET', `/v1/intents/${answer.body['intentId']}`, undefined, agent.token)).toMatchObject({ body: { intent: { goal: 'g', steps: [], deadlineMs: 86_400_000, onFailure: 'rollback', subjects: ['customer:42'], interactive: { idleTimeoutMs: 300_000 } } } });
    expect((await gateway.call('GET', `/v1/workflows/${answer.body['id']}`, undefined, agent.token)).body['status']).toBe('running');
  });

  it('is begun once under a key, which an intent can not have too', async () => {
    const key = { 'idempotency-key': 'k' };
    const [one, two] = await Promise.all([post('/v1/workflows', { goal: 'g' }, key), post('/v1/workflows', { goal: 'g' }, key)]);
    expect([one.body['id'], [one, two].filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length]).toEqual([two.body['id'], 1]);
    expect(await post('/v1/workflows', { goal: 'h' }, key)).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    expect(await post('/v1/intents', anIntent(), key)).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
  });

  it('gives its owner an admitted step: sealed, stamped, with what it rests on by name', async () => {
    const id = await begin();
    const { status, body } = await post(`/v1/workflows/${id}/steps`, { id: 'a', capability: 'fs.write', input: { connection: 'docs', path: 'x', content: 'the secret' }, dependsOn: ['before'] });
    expect([status, body]).toMatchObject([200, { id: 'a', capability: 'fs.write', status: 'succeeded', resources: [] }]);
    expect(orders()).toMatchObject([{ order: 'addStep', step: {
      id: 'a', adapter: 'os', connection: 'docs', lockBase: 'file:///real/srv/docs', connectionStamp: expect.any(String), digest: expect.stringMatching(/^hmac-sha256:/), restsOn: [{ step: 'before', at: '/dependsOn/0' }], timeoutMs: 30_000, attemptsMax: 1,
      input: { connection: 'docs', path: 'x', content: { class: 'content' } },
    } }]);
    expect(JSON.stringify(orders())).not.toContain('the secret');
    await post(`/v1/workflows/${id}/steps?wait=0`, noop('b', { input: { value: { $ref: '#/steps/a/output/x' } } }));
    expect(orders()[1]).toMatchObject({ step: { digest: expect.stringMatching(/^sha256:/) as string, hasReferences: true, restsOn: [{ step: 'a', at: '/input/value' }] } });
  });

  it('makes the same digest of the same step, however it is written, and another of another', async () => {
    const id = await begin();
    const send = async (input: object, more: object = {}): Promise<string> => {
      await post(`/v1/workflows/${id}/steps?wait=0`, { id: 'a', capability: 'fs.write', input: { connection: 'docs', ...input }, ...more });
      return (orders().at(-1) as unknown as { step: { digest: string } }).step.digest;
    };
    const first = await send({ path: 'x', content: 'c' });
    expect([await send({ content: 'c', path: 'x' }, { timeoutMs: 30_000 }), await send({ path: 'x', content: 'd' }) === first, await send({ path: 'x', content: 'c' }, { dependsOn: ['b'] }) === first]).toEqual([first, false, false]);
  });

  it('answers 200 with the step when it has ended, 202 when it is still under way, and marks a repeat', async () => {
    const id = await begin();
    gateway.orchestrator.onOrder = order => added(order, started);
    const open = await post(`/v1/workflows/${id}/steps?wait=0`, noop('a'));
    expect([open.status, open.body['status'], open.headers.get('location'), open.headers.get('idempotent-replayed')]).toEqual([202, 'running', `/v1/workflows/${id}`, null]);
    gateway.orchestrator.onOrder = () => [];
    const waiting = post(`/v1/workflows/${id}/steps?wait=20`, noop('a'));
    await gateway.orchestrator.emit(id, [succeeded]);
    expect(await waiting).toMatchObject({ status: 200, body: { id: 'a', status: 'succeeded', output: { value: 1 } } });
  });

  it.each<[string, readonly Fact[], string]>([
    ['fails', [started, { name: 'StepFailed', step: 'a', index: 0, generation: 1, error: { code: 'NO', detail: 'no', clean: true }, retryAt: null, decision: 'd' }], 'failed'],
    ['rests on what was not done', [{ name: 'StepSkipped', step: 'a', index: 0, why: 'DEPENDENCY_FAILED' }], 'skipped'],
    ['nobody can tell the outcome of', [started, { name: 'StepUnknown', step: 'a', index: 0, generation: 1, error: { code: 'LOST', detail: 'lost', clean: false }, probe: 3, parked: true, decision: 'd' }, { name: 'WorkflowPaused', code: 'OUTCOME_UNKNOWN', reason: 'r', by: 'aifirst', failed: false }], 'unknown'],
    ['a kill switch holds', [{ name: 'WorkflowPaused', code: 'KILL_SWITCH', reason: 'stop', by: 'aifirst', failed: false }], 'pending'],
    ['is undone before it is seen', [started, succeeded, { name: 'RollbackStarted', reason: 'r', by: 'admin', code: 'REQUESTED' }, { name: 'StepUndoStarted', step: 'a', index: 0, generation: 1, attempt: 1, decision: 'd' }, { name: 'StepUndone', step: 'a', index: 0, generation: 1, verified: true, reason: null }], 'undone'],
  ])('waits no longer for a step that %s', async (_, facts, status) => {
    const id = await begin();
    gateway.orchestrator.onOrder = order => added(order, ...facts);
    expect(await post(`/v1/workflows/${id}/steps?wait=60`, noop('a'))).toMatchObject({ status: 200, body: { status } });
  });

  it('says what its owner refuses', async () => {
    const id = await begin();
    for (const [code, status] of [['WRONG_STATE', 409], ['IDEMPOTENCY_CONFLICT', 409], ['UNKNOWN_STEP', 422], ['TOO_LARGE', 413], ['FORBIDDEN', 403]] as const) {
      gateway.orchestrator.onOrder = () => new Refusal({ code, detail: 'no' });
      expect(await post(`/v1/workflows/${id}/steps`, noop('a'))).toMatchObject({ status, body: { code } });
    }
  });

  it.each([
    ['a broken body', '{"id":', 400, 'MALFORMED_JSON', undefined], ['no body', '', 400, 'MALFORMED_JSON', undefined], ['a list', [], 422, 'INVALID_FIELD', ''], ['no capability', { id: 'a' }, 422, 'INVALID_FIELD', '/capability'],
    ['an unknown one', { id: 'a', capability: 'no.such' }, 422, 'UNKNOWN_CAPABILITY', '/capability'], ['a path that climbs', { id: 'a', capability: 'fs.write', input: { connection: 'docs', path: '../x', content: '' } }, 422, 'INVALID_PATH', '/input/path'],
    ['itself as what it rests on', { id: 'a', capability: 'noop', input: {}, dependsOn: ['a'] }, 422, 'CYCLE', '/dependsOn/0'], ['its own output', { id: 'a', capability: 'noop', input: { value: { $ref: '#/steps/a/output' } } }, 422, 'INVALID_REFERENCE', '/input/value'],
  ])('refuses a step with %s whole, and asks nobody', async (_, body, status, code, pointer) => {
    const answer = await post(`/v1/workflows/${await begin()}/steps`, body);
    expect(answer).toMatchObject({ status, body: { code } });
    expect([answer.body['pointer'], orders()]).toEqual([pointer, []]);
  });

  it('commits: 200 when it has ended, 202 while it waits; and shows what it waits for', async () => {
    const id = await begin();
    gateway.orchestrator.onOrder = () => [{ name: 'WorkflowCommitting', by: agent.id }];
    expect(await post(`/v1/workflows/${id}/commit?wait=0`)).toMatchObject({ status: 202, body: { status: 'committing', interactive: { committing: true } } });
    gateway.orchestrator.onOrder = () => [{ name: 'WorkflowEnded', status: 'completed', code: 'STEPS_FAILED', reason: 'without `a`', residue: [] }];
    expect(await post(`/v1/workflows/${id}/commit`, {})).toMatchObject({ status: 200, body: { status: 'completed', statusReason: { code: 'STEPS_FAILED', detail: 'without `a`' } } });
  });

  it('does not exist for another agent, nor for anybody where it is not', async () => {
    const other = await gateway.agent();
    const id = await begin();
    for (const [path, body] of [[`/v1/workflows/${id}/steps`, noop('a')], [`/v1/workflows/${id}/commit`, undefined]] as const) expect(await post(path, body, {}, other.token)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    for (const nowhere of ['nonsense', '01900000-0000-7000-8000-000000000000']) expect(await post(`/v1/workflows/${nowhere}/steps`, noop('a'))).toMatchObject({ status: 404 });
    expect(orders()).toEqual([]);
    for (const wait of ['61', '-1', 'x', '1.5']) expect(await post(`/v1/workflows/${id}/commit?wait=${wait}`)).toMatchObject({ status: 422, body: { code: 'INVALID_FIELD', parameter: 'wait' } });
  });
});
