import { inspect } from 'node:util';
import { AiFirstError, Client, Conflict, Denied, Intent, Invalid, isAllowed, NotFound, outputOf, Unavailable, WaitTimeout, WorkflowDenied, WorkflowFailed, WorkflowParked, type ClientOptions, type WorkflowEvent } from './index';
import { ID, INTENT_ID, problem, ScriptedServer, sent, step, submitted, workflow, type Answering } from './testing';

const TOKEN = 'a-token-that-nobody-sees';
const servers: ScriptedServer[] = [];
afterEach(async () => { await Promise.all(servers.splice(0).map(server => server.close())); });
async function scripted(...answers: readonly Answering[]): Promise<ScriptedServer> {
  const server = await ScriptedServer.answering(...answers);
  servers.push(server);
  return server;
}
const clientOf = ({ url }: ScriptedServer, options: ClientOptions = {}): Client => new Client({ url, token: TOKEN, ...options });
const anIntent = (): Intent => { const intent = new Intent('g'); intent.step('noop', { value: 1 }, { id: 'a' }); return intent; };
const thrownBy = async (promise: Promise<unknown>): Promise<AiFirstError> => promise.then(() => { throw new Error('it did not throw'); }, (error: unknown) => error as AiFirstError);
const soon = { 'retry-after': '0' };

describe('a call', () => {
  it('acts once: the same key goes along while it is tried again', async () => {
    const server = await scripted({ cut: true }, problem(503, 'UNAVAILABLE', 'later', {}, soon), problem(429, 'RATE_LIMITED', 'slower', {}, soon), { status: 502, body: '<html>' }, submitted);
    const { workflowId, intentId, idempotencyKey } = await clientOf(server).submit(anIntent());
    expect([workflowId, intentId]).toEqual([ID, INTENT_ID]);
    expect(server.lines).toEqual(Array(5).fill('POST /v1/intents'));
    expect(new Set(server.asked.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set([idempotencyKey]));
    expect(server.asked.every(({ headers, body }) => headers.authorization === `Bearer ${TOKEN}` && body.steps.length === 1)).toBe(true);
  });
  it('waits as long as it is asked to, and not for longer than it may', async () => {
    const busy = await scripted(problem(503, 'OVERLOADED', 'full', {}, { 'retry-after': '3600' }));
    const error = await thrownBy(clientOf(busy).submit(anIntent(), { idempotencyKey: 'mine' })) as Unavailable;
    expect([error.constructor, error.code, error.status, error.retryAfterMs, error.perhapsDone, busy.asked.length]).toEqual([Unavailable, 'OVERLOADED', 503, 3_600_000, false, 1]);
    expect(error.message).toContain("idempotencyKey 'mine'");
    const dated = await scripted(problem(503, 'OVERLOADED', 'full', {}, { 'retry-after': 'Fri, 01 Jan 2100 00:00:00 GMT' }));
    expect((await thrownBy(clientOf(dated).workflow(ID)) as Unavailable).retryAfterMs).toBeGreaterThan(1e9);
  });
  it('says that nobody knows when no answer came', async () => {
    const server = await scripted({ cut: true });
    const error = await thrownBy(clientOf(server, { retryForMs: 0 }).submit(anIntent())) as Unavailable;
    expect([error.code, error.perhapsDone, error.status]).toEqual(['NO_ANSWER', true, undefined]);
    expect(error.message).toContain(error.idempotencyKey);
  });
  it('does not wait for a server that is silent', async () => {
    const server = await scripted({ silent: true });
    expect((await thrownBy(clientOf(server, { timeoutMs: 50, retryForMs: 0 }).workflow(ID))).message).toContain('silent for');
  });
  it('ends by the signal of the caller, with its reason', async () => {
    const server = await scripted({ silent: true });
    const reason = new Error('enough');
    const controller = new AbortController();
    const running = clientOf(server).run(anIntent(), { signal: controller.signal });
    setTimeout(() => { controller.abort(reason); }, 20);
    await expect(running).rejects.toBe(reason);
    await expect(clientOf(server).workflow(ID, { signal: controller.signal })).rejects.toBe(reason);
  });
  it('follows no redirect: the token would go along', async () => {
    const elsewhere = await scripted(workflow());
    const server = await scripted({ status: 307, headers: { location: `${elsewhere.url}/v1/workflows/${ID}` } });
    const error = await thrownBy(clientOf(server).workflow(ID));
    expect([error.code, error.status]).toEqual(['HTTP_307', 307]);
    expect(elsewhere.asked).toEqual([]);
  });
  it.each<[string, Answering, string]>([
    ['HTML', { body: '<html>', headers: { 'content-type': 'text/html' } }, 'UNREADABLE'],
    ['another JSON', { body: { hello: 'world' } }, 'UNREADABLE'],
    ['a list', { body: [] }, 'UNREADABLE'],
    ['a status of its own', { status: 418, body: '<html>' }, 'HTTP_418'],
    ['an odd problem', { status: 409, body: { code: 7, errors: 'x' } }, 'HTTP_409'],
  ])('takes %s for no answer of the runtime', async (_, answer, code) => {
    expect(await thrownBy(clientOf(await scripted(answer)).workflow(ID))).toMatchObject({ code, message: expect.stringContaining('address of the runtime') as string });
  });
  it('never leads elsewhere by an id', async () => {
    const server = await scripted(workflow());
    await clientOf(server).workflow('../agents?x#y');
    expect(server.lines).toEqual(['GET /v1/workflows/..%2Fagents%3Fx%23y']);
    expect(await thrownBy(clientOf(server).workflow('..'))).toBeInstanceOf(TypeError);
  });
});

describe('a refusal', () => {
  it.each<[number, string, new (...parts: never[]) => AiFirstError]>([[400, 'MALFORMED_JSON', Invalid], [401, 'UNAUTHENTICATED', Denied], [403, 'FORBIDDEN', Denied], [404, 'NOT_FOUND', NotFound], [409, 'PLAN_STALE', Conflict], [412, 'PRECONDITION_FAILED', Conflict], [501, 'NOT_IMPLEMENTED', AiFirstError]])('with %i is an error of its kind', async (status, code, kind) => {
    const error = await thrownBy(clientOf(await scripted(problem(status, code))).submit(anIntent()));
    expect([error.constructor, error.name, error.code, error.status, error.detail]).toEqual([kind, kind.name, code, status, 'it is so']);
    expect(error.message.split('\n')).toEqual([`${code}: it is so`, ...(error.advice === '' ? [] : [error.advice])]);
  });
  it('names every problem, and what to do', async () => {
    const errors = [{ code: 'UNKNOWN_FIELD', detail: 'no', pointer: '/steps/0/x' }, { code: 'CYCLE', detail: 'round' }];
    const error = await thrownBy(clientOf(await scripted(problem(422, 'UNKNOWN_FIELD', 'no', { pointer: '/steps/0/x', errors }))).submit(anIntent()));
    expect(error).toMatchObject({ pointer: '/steps/0/x', errors });
    expect(error.message).toBe('UNKNOWN_FIELD at /steps/0/x: no\nCYCLE: round\nNothing was done: mend what each `pointer` names and hand it in again.');
  });
  it('never shows the token, and neither does the client', async () => {
    const client = clientOf(await scripted(problem(401, 'UNAUTHENTICATED')), { retryForMs: 0 });
    const error = await thrownBy(client.submit(anIntent()));
    for (const shown of [inspect(error, { depth: 9 }), String(error.stack), JSON.stringify(error), inspect(client, { depth: 9, showHidden: true }), JSON.stringify(client)]) expect(shown).not.toContain(TOKEN);
    expect(() => new Client({ url: 'http://x', token: `${TOKEN}\n` })).toThrow(/^the token holds a space/);
  });
});

describe('the settings', () => {
  const before = { ...process.env };
  afterEach(() => { process.env = { ...before }; });
  it('come from the environment unless they are given', async () => {
    const server = await scripted(workflow());
    process.env['AIFIRST_URL'] = `${server.url}/`;
    process.env['AIFIRST_TOKEN'] = 'from-the-environment';
    await new Client().workflow(ID);
    expect(server.asked[0]!.headers.authorization).toBe('Bearer from-the-environment');
    delete process.env['AIFIRST_TOKEN'];
    expect(() => new Client()).toThrow('AIFIRST_TOKEN');
  });
  it.each(['ftp://x', 'x', 'http://x?y=1', 'http://me:secret@x'])('refuse %s as an address', url => { expect(() => new Client({ url, token: 'x' })).toThrow(/^url /); });
  it('take a fetch of the caller', async () => {
    const asked: string[] = [];
    const client = new Client({ url: 'http://nowhere.invalid', token: 'x', fetch: (url, { redirect }) => { asked.push(`${url} ${String(redirect)}`); return Promise.resolve(new Response(JSON.stringify(workflow().body))); } });
    expect((await client.workflow(ID)).status).toBe('completed');
    expect(asked).toEqual([`http://nowhere.invalid/v1/workflows/${ID} manual`]);
  });
});

describe('waiting', () => {
  it('is asked of the server first', async () => {
    const server = await scripted(workflow());
    const done = await clientOf(server).run(anIntent());
    expect(outputOf(done, 'a')).toEqual({ value: 1 });
    expect(server.asked[0]!.headers['prefer']).toBe('wait=30');
    expect(() => outputOf(done, 'b')).toThrow('has no step `b`; it has a');
  });
  it('goes on by live events, and by asking again where these do not come through', async () => {
    const live = await scripted(submitted, workflow('running'), { chunks: [sent(1), sent(2, 'workflow-ended')] }, workflow());
    expect((await clientOf(live).run(anIntent())).status).toBe('completed');
    expect(live.lines.slice(1)).toEqual([`GET /v1/workflows/${ID}`, `GET /v1/workflows/${ID}/events`, `GET /v1/workflows/${ID}`]);
    const deaf = await scripted(submitted, workflow('running'), { status: 404, body: '' }, workflow('running'), { cut: true }, workflow('running'), { body: '<html>' }, workflow('running'), workflow());
    expect((await clientOf(deaf).run(anIntent())).status).toBe('completed');
  });
  it('ends in time, and says that the workflow goes on', async () => {
    const server = await ScriptedServer.by(({ path }) => (path.endsWith('/events') ? { status: 404 } : workflow('running')));
    servers.push(server);
    const error = await thrownBy(clientOf(server).wait(ID, { timeoutMs: 120 })) as WaitTimeout;
    expect([error.constructor, error.code, error.workflowId, error.workflow?.status]).toEqual([WaitTimeout, 'STILL_RUNNING', ID, 'running']);
  });
  it('tells of a server that went away that the intent was taken', async () => {
    const error = await thrownBy(clientOf(await scripted(submitted, { cut: true }), { retryForMs: 0 }).run(anIntent())) as Unavailable;
    expect([error.constructor, error.workflowId]).toEqual([Unavailable, ID]);
    expect(error.message).toContain('do not hand it in again');
  });
  it.each<[string, Answering, new (...parts: never[]) => AiFirstError, string]>([
    ['a step that failed', workflow('rolledBack', { steps: [step('a', 'undone', { undo: { status: 'done', verified: true, reason: null } }), step('b', 'failed', { error: { code: 'NOT_FOUND', detail: 'nothing there', clean: true } })] }), WorkflowFailed, `NOT_FOUND: step \`b\` (noop): nothing there\n1 step that had been done is undone and verified. Workflow ${ID} is rolledBack.`],
    ['a denial', workflow('rejected', { steps: [step('a', 'failed', { error: { code: 'POLICY_DENIED', detail: 'no', clean: true } })] }), WorkflowDenied, `POLICY_DENIED: step \`a\` (noop): no\nNothing was done. Workflow ${ID} is rejected. Handing it in again will be denied again`],
    ['what stands', workflow('failed', { residue: [{ step: 'a', resource: 'file://w/x', what: 'written', why: 'kept', action: '' }] }), WorkflowFailed, 'What stands: file://w/x (written).'],
    ['somebody who has to act', workflow('paused', { statusReason: { code: 'KILL_SWITCH', detail: 'held', since: '', actions: [{ method: 'POST', path: '/x', by: 'an administrator' }] } }), WorkflowParked, 'waits for somebody: POST /x (by an administrator). Do not hand it in again.'],
  ])('throws with %s', async (_, answer, kind, said) => {
    const error = await thrownBy(clientOf(await scripted(answer)).run(anIntent())) as WorkflowFailed;
    expect([error.constructor, error.workflow.id]).toEqual([kind, ID]);
    expect(error.message).toContain(said);
    expect((await clientOf(await scripted(answer)).run(anIntent(), { check: false })).id).toBe(ID);
  });
});

describe('live events', () => {
  const collected = async (events: AsyncIterable<WorkflowEvent>): Promise<(number | undefined)[]> => { const found = []; for await (const { sequence } of events) found.push(sequence); return found; };
  it('come each once and in order over connections that break, servers that are away and repeats', async () => {
    const server = await scripted({ chunks: [sent(1), sent(2)], cut: true }, { cut: true }, problem(503, 'UNAVAILABLE', 'later', {}, soon), { chunks: [sent(2), sent(3), ': still here\n\n'] }, { status: 502 }, { chunks: [sent(3), sent(4, 'workflow-ended')] });
    expect(await collected(clientOf(server).liveEvents(ID))).toEqual([1, 2, 3, 4]);
    expect(server.asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2', '2', '2', '3', '3']);
  });
  it('end where there is nothing more', async () => { expect(await collected(clientOf(await scripted({ status: 204 })).liveEvents(ID, { after: 7 }))).toEqual([]); });
  it('throw when the server does not come back, or what is there is none of it', async () => {
    await expect(collected(clientOf(await scripted({ chunks: [sent(1)] }, { cut: true }), { retryForMs: 100 }).liveEvents(ID))).rejects.toThrow(Unavailable);
    await expect(collected(clientOf(await scripted(problem(404, 'NOT_FOUND'))).liveEvents(ID))).rejects.toThrow(NotFound);
    await expect(collected(clientOf(await scripted({ chunks: ['id: 1\ndata: {"type":\n\n'] })).liveEvents(ID))).rejects.toMatchObject({ code: 'UNREADABLE' });
  });
  it('stop when nobody listens any more', async () => {
    const server = await scripted({ chunks: [sent(1), sent(2)] });
    for await (const event of clientOf(server).liveEvents(ID)) { expect(event.sequence).toBe(1); break; }
    expect(server.asked.length).toBe(1);
  });
});

describe('plans and orders', () => {
  const plan = { planId: 'p-1', digest: 'd', steps: [{ decision: { outcome: 'allow' } }, { decision: { outcome: 'deny' } }], pointOfNoReturn: null };
  it('waits for a plan that is being made, and runs exactly that', async () => {
    const server = await scripted({ status: 202, body: { planId: 'p-1', status: 'making' } }, { body: plan }, workflow());
    const made = await clientOf(server).plan(anIntent());
    expect(isAllowed(made)).toBe(false);
    await clientOf(server).apply(made, { idempotencyKey: 'k' });
    expect(server.asked[2]).toMatchObject({ line: 'POST /v1/intents', body: { planId: 'p-1' } });
  });
  it('previews a rollback, and runs just that', async () => {
    const server = await scripted({ body: { digest: 'd', steps: [] } }, workflow('rollingBack', {}, 202), workflow('rolledBack'));
    const { digest } = await clientOf(server).rollback(ID, { preview: true });
    expect((await clientOf(server).rollback(ID, { digest, onConflict: 'skip', reason: 'wrong', timeoutMs: 1_000 })).status).toBe('rolledBack');
    expect(server.asked.map(({ body }) => body as unknown)).toEqual([{ preview: true }, { reason: 'wrong', digest: 'd', onConflict: 'skip' }, undefined]);
  });
  it('looks after an order whose answer was lost before it calls it refused', async () => {
    const taken = await scripted({ cut: true }, problem(409, 'WRONG_STATE'), workflow('rolledBack'));
    expect((await clientOf(taken).rollback(ID)).status).toBe('rolledBack');
    const other = await scripted({ cut: true }, problem(409, 'WRONG_STATE'), workflow('completed'));
    await expect(clientOf(other).pause(ID)).rejects.toThrow(Conflict);
    const first = await scripted(problem(409, 'WRONG_STATE'));
    await expect(clientOf(first).cancel(ID)).rejects.toThrow(Conflict);
    expect(first.asked.length).toBe(1);
  });
  it('lists over pages', async () => {
    const server = await scripted({ body: { items: [{ name: 'a' }], next: 'c&d' } }, { body: { items: [{ name: 'b' }], next: null } });
    expect((await clientOf(server).capabilities()).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(server.lines).toEqual(['GET /v1/capabilities?limit=200', 'GET /v1/capabilities?limit=200&cursor=c%26d']);
  });
});
