import type { UndoPreviewAnswer, WorkflowFact } from '@aifirst/contracts';
import { OperationalError, type Json } from '@aifirst/kernel';
import { GatewayUnderTest, type Answer, type Body } from '../testing';
import { isRollbackDigest } from './rollback-digest';

type Fact = WorkflowFact extends infer F ? (F extends WorkflowFact ? F : never) : never;
const step = (id: string, path: string) => ({ id, capability: 'fs.write', input: { connection: 'docs', path, content: 'secret' } });
const done = (index: number, id: string, path: string): Fact[] => [
  { name: 'StepStarted', step: id, index, generation: 1, attempt: 1, decision: 'd', resources: [`file://docs/${path}`] },
  { name: 'StepSucceeded', step: id, index, generation: 1, output: null, actSequence: index + 1, undoableUntil: null, decision: 'd' },
];
const completed: Fact = { name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] };

describe('a rollback that is looked at first', () => {
  let gateway: GatewayUnderTest;
  let agent: { id: string; token: string };
  beforeEach(async () => {
    gateway = await GatewayUnderTest.start();
    await gateway.call('PUT', '/v1/connections/docs', { adapter: 'os', config: { root: '/srv' } });
    agent = await gateway.agent();
  });
  afterEach(async () => { await gateway.close(); });

  /** A workflow that has written these paths and, unless told otherwise, has completed. */
  async function ran(paths: readonly string[], then: readonly Fact[] = [completed], token = agent.token): Promise<string> {
    gateway.orchestrator.onStart = () => [...paths.flatMap((path, index) => done(index, `s${index}`, path)), ...then];
    const { status, body } = await gateway.call('POST', '/v1/intents', { goal: 'g', steps: paths.map((path, index) => step(`s${index}`, path)) }, token);
    if (status !== 202) throw new Error(JSON.stringify(body));
    const id = body['workflowId'] as string;
    await gateway.gateway.projection.waitFor('default', id, view => view.status !== 'pending' && (then.length === 0 || view.endedAt !== null || view.status !== 'running'), 5_000);
    // Why: only then is it later than what it builds on.
    await new Promise(resolve => { setTimeout(resolve, 2); });
    return id;
  }
  const rollback = (id: string, body: object = {}, token?: string): Promise<Answer> => gateway.call('POST', `/v1/workflows/${id}/rollback`, body, token);
  const preview = async (id: string, more: object = {}): Promise<Body> => {
    const { status, body } = await rollback(id, { preview: true, ...more });
    if (status !== 200) throw new Error(JSON.stringify(body));
    return body;
  };
  const blocked = async (workflow: string, digest = 'hmac-sha256:11'): Promise<UndoPreviewAnswer> => ({
    preview: {
      outcome: 'wouldBlock', summary: 'somebody has changed it', truncated: false,
      conflicts: await gateway.parts.vault.seal({ tenant: 'default', workflow }, 'preview', [{ resource: 'file://docs/a', what: 'content', expected: 'sha256:1', found: 'sha256:2', before: null, after: 'ours', current: 'theirs' }] as unknown as Json),
    },
    digest,
  });

  it('is shown in undo order, with what stands in its way, and nothing is ordered', async () => {
    const id = await ran(['a', 'b']);
    gateway.adapter.previewUndo = async ({ workflow, step: name }) => (name === 's0' ? blocked(workflow) : { preview: { outcome: 'wouldUndo', summary: 'removes it', conflicts: [], truncated: false }, digest: 'hmac-sha256:22' });
    const seen = await preview(id);
    expect(seen).toEqual({
      workflow: id, status: 'completed', digest: expect.any(String), onConflict: 'block', dependents: [], dependentsTruncated: false,
      steps: [
        { order: 1, id: 's1', capability: 'fs.write', outcome: 'wouldUndo', summary: 'removes it', conflicts: [], truncated: false, reason: null },
        { order: 2, id: 's0', capability: 'fs.write', outcome: 'wouldBlock', summary: 'somebody has changed it', truncated: false, reason: 'somebody has changed it',
          conflicts: [{ resource: 'file://docs/a', what: 'content', expected: 'sha256:1', found: 'sha256:2', before: null, after: 'ours', current: 'theirs' }] },
      ],
    });
    expect(isRollbackDigest(seen['digest'] as string)).toBe(true);
    expect(gateway.adapter.askedUndos).toMatchObject([{ workflow: id, step: 's1', index: 1, generation: 1, connection: 'docs', agent: { id: agent.id }, connectionStamp: expect.any(String) }, { step: 's0' }]);
    expect(gateway.orchestrator.orders).toEqual([]);
    expect((await preview(id))['digest']).toBe(seen['digest']);
    expect((await preview(id, { onConflict: 'skip' }))).toMatchObject({ digest: seen['digest'], onConflict: 'skip' });
  });

  it('is run as it was shown, and only while the workflow has not moved', async () => {
    const id = await ran(['a']);
    const { digest } = await preview(id);
    gateway.orchestrator.onOrder = () => [{ name: 'RollbackStarted', reason: 'r', by: 'admin', code: 'REQUESTED' }];
    expect((await rollback(id, { digest, reason: 'r', onConflict: 'skip' })).status).toBe(202);
    expect(gateway.orchestrator.orders.at(-1)!.order).toEqual({ order: 'rollback', reason: 'r', onConflict: 'skip', facts: 4 });
  });

  it('is stale when a target has changed, or what the workflow did, or who builds on it, and says which', async () => {
    const id = await ran(['a', 'b']);
    const { digest } = await preview(id);
    const shown = gateway.adapter.previewUndo;
    gateway.adapter.previewUndo = async asked => (asked.step === 's0' ? blocked(id) : shown(asked));
    expect(await rollback(id, { digest })).toMatchObject({ status: 409, body: { code: 'PLAN_STALE', moved: [{ what: 'targets' }], detail: expect.stringContaining('target') } });
    gateway.adapter.previewUndo = shown;
    const later = await ran(['a']);
    expect(await rollback(id, { digest })).toMatchObject({ status: 409, body: { code: 'PLAN_STALE', moved: [{ what: 'dependents' }], dependents: [{ workflow: later }] } });
    await gateway.orchestrator.emit(id, [{ name: 'StepUndoStarted', step: 's1', index: 1, generation: 1, attempt: 1, decision: 'd' }, { name: 'StepUndone', step: 's1', index: 1, generation: 1, verified: true, reason: null }, { name: 'RollbackParked', code: 'TARGET_CHANGED', reason: 'r' }]);
    await gateway.gateway.projection.waitFor('default', id, ({ status }) => status === 'rollbackBlocked', 5_000);
    expect((await rollback(id, { digest })).body['moved']).toEqual([{ what: 'steps' }, { what: 'dependents' }, { what: 'targets' }]);
    expect(gateway.orchestrator.orders).toEqual([]);
  });

  it('is not said to be stale where nobody can look right now', async () => {
    const id = await ran(['a']);
    const { digest } = await preview(id);
    gateway.adapter.previewUndo = () => { throw new OperationalError('AWAY', 'it is away', { retryable: true }); };
    expect(await rollback(id, { digest })).toMatchObject({ status: 503, body: { cause: 'PREVIEW_NOT_CHECKED' } });
    expect((await preview(id))['steps']).toMatchObject([{ outcome: 'cannotTell', reason: 'its adapter does not answer' }]);
  });

  it('is refused with IN_USE while later workflows build on it, who are named, unless they were seen', async () => {
    const id = await ran(['d']);
    const later = await ran(['d/f', 'x']);
    const refused = await rollback(id, { reason: 'r' });
    const dependent = { workflow: later, step: 's0', agent: agent.id, kind: 'overwrote', resource: 'file://docs/d/f', at: expect.any(String), blocks: true };
    expect(refused).toMatchObject({ status: 409, body: { code: 'IN_USE', dependents: [dependent], detail: expect.stringContaining(later) } });
    expect(gateway.orchestrator.orders).toEqual([]);
    const { dependents, digest } = await preview(id);
    expect(dependents).toEqual([dependent]);
    expect((await rollback(later)).status).toBe(202);
    expect((await rollback(id, { digest })).status).toBe(202);
    expect(gateway.orchestrator.orders.map(({ workflow }) => workflow)).toEqual([later, id]);
  });

  it('asks nobody whether others build on what is still open: it holds its locks', async () => {
    const id = await ran(['d'], [{ name: 'WorkflowPaused', code: 'PAUSED', reason: 'r', by: 'admin', failed: false }]);
    await ran(['d']);
    expect((await rollback(id)).status).toBe(202);
    expect(gateway.orchestrator.orders.at(-1)!.order).toEqual({ order: 'rollback', reason: 'requested' });
  });

  it('shows what still runs as not told yet, and what was not begun not at all', async () => {
    gateway.orchestrator.onStart = () => [...done(0, 's0', 'a'), done(1, 's1', 'b')[0]!];
    const { body } = await gateway.call('POST', '/v1/intents', { goal: 'g', steps: ['a', 'b', 'c'].map((path, index) => step(`s${index}`, path)) }, agent.token);
    await gateway.gateway.projection.waitFor('default', body['workflowId'] as string, ({ steps }) => steps[1]!.status === 'running', 5_000);
    expect((await preview(body['workflowId'] as string))['steps']).toMatchObject([{ id: 's1', outcome: 'cannotTell', reason: expect.stringContaining('still runs') }, { id: 's0', outcome: 'wouldUndo' }]);
  });

  it('of what can not be rolled back is refused as the rollback would be', async () => {
    const id = await ran([], [{ name: 'WorkflowEnded', status: 'cancelled', code: 'CANCELLED', reason: 'r', residue: [] }]).catch(() => null);
    expect(id).toBeNull();
    const cancelled = await ran(['a'], [{ name: 'WorkflowEnded', status: 'cancelled', code: 'CANCELLED', reason: 'r', residue: [] }]);
    expect(await rollback(cancelled, { preview: true })).toMatchObject({ status: 409, body: { code: 'WRONG_STATE', workflowStatus: 'cancelled' } });
  });

  it('is for who may roll back: an agent its own alone, where a role permits it', async () => {
    const id = await ran(['a']);
    expect((await rollback(id, { preview: true }, agent.token)).status).toBe(200);
    gateway.policy.rollbacks = 'deny';
    for (const body of [{ preview: true }, {}, { digest: (await preview(id))['digest'] }]) expect(await rollback(id, body, agent.token)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    const another = await gateway.agent({ name: 'another' });
    expect((await rollback(id, { preview: true }, another.token)).status).toBe(404);
    expect(gateway.orchestrator.orders).toEqual([]);
  });

  it.each([
    [{ onConflict: 'force' }, 501, 'NOT_IMPLEMENTED', '/onConflict'], [{ cascade: true }, 501, 'NOT_IMPLEMENTED', '/cascade'], [{ onConflict: 'ask' }, 422, 'INVALID_FIELD', '/onConflict'], [{ cascade: 'yes' }, 422, 'INVALID_FIELD', '/cascade'],
    [{ preview: 'yes' }, 422, 'INVALID_FIELD', '/preview'], [{ digest: 'hmac-sha256:00' }, 422, 'INVALID_FIELD', '/digest'], [{ digest: `hmac-sha256:${'0'.repeat(96)}`, preview: true }, 422, 'INVALID_FIELD', '/digest'], [{ why: 'x' }, 422, 'UNKNOWN_FIELD', '/why'],
  ])('refuses %j', async (body, status, code, pointer) => {
    const id = await ran(['a']);
    expect(await rollback(id, body)).toMatchObject({ status, body: { code, pointer } });
  });

  it('says that it is over where what was written down is erased', async () => {
    const id = await ran(['a']);
    await gateway.parts.vault.erase({ tenant: 'default', workflow: id });
    expect(await rollback(id, { preview: true })).toMatchObject({ status: 409, body: { code: 'ERASED' } });
  });
});
