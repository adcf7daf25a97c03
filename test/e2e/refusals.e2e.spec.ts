import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { after, expectStatus, noop, ref, stepOf, type AgentClient } from '../support/agent';
import { AuditLog } from '../support/audit-log';
import type { Answer, Body } from '../support/http';
import { useStack } from '../support/stack';
import { treeOf } from '../support/tree';
import { sizeOf } from '../support/wait';

const RACES = sizeOf('AIFIRST_RACES', 300);
const MIB = 1024 * 1024;

describe('what is refused', () => {
  const world = useStack();
  let agent: AgentClient;
  let tree: ReturnType<typeof treeOf>;

  beforeAll(async () => {
    agent = await world.stack.agent();
    writeFileSync(join(agent.root, 'here.txt'), 'here');
    tree = treeOf(agent.root);
  });

  const fs = (verb: string, input: object): object => agent.fs(verb, 'a', input);
  const good = (): object => ({ goal: 'g', steps: [noop('a')] });
  const problem = ({ status, body }: Answer): string => `${status} ${body.code} ${body.pointer ?? ''}`.trim();
  const sent = (raw: Buffer | string, headers = {}): Promise<Answer> => agent.call('POST', '/v1/intents', { raw, headers });
  const deep = (levels: number): string => `{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":${'['.repeat(levels)}${']'.repeat(levels)}}}]}`;

  it.each<[string, () => unknown, string]>([
    ['a cycle', () => ({ goal: 'g', steps: [noop('a', {}, after('c')), noop('b', {}, after('a')), noop('c', { value: ref('b', '/value') })] }), '422 CYCLE /steps'],
    ['a step that waits for itself', () => ({ goal: 'g', steps: [noop('a', {}, after('a'))] }), '422 CYCLE /steps/0'],
    ['an unknown step in dependsOn', () => ({ goal: 'g', steps: [noop('a', {}, after('nobody'))] }), '422 UNKNOWN_STEP /steps/0/dependsOn/0'],
    ['an unknown step in a reference', () => ({ goal: 'g', steps: [noop('a', { value: ref('nobody') })] }), '422 UNKNOWN_STEP /steps/0/input/value'],
    ['a repeated step id', () => ({ goal: 'g', steps: [noop('a'), noop('a')] }), '422 DUPLICATE_STEP /steps/1/id'],
    ['an unknown field', () => ({ ...good(), colour: 'red' }), '422 UNKNOWN_FIELD /colour'],
    ['an unknown field of a step', () => ({ goal: 'g', steps: [{ ...noop('a'), colour: 'red' }] }), '422 UNKNOWN_FIELD /steps/0/colour'],
    ['an unknown field of retry', () => ({ goal: 'g', steps: [{ ...noop('a'), retry: { attempts: 2 } }] }), '422 UNKNOWN_FIELD /steps/0/retry/attempts'],
    ['an unknown capability', () => ({ goal: 'g', steps: [{ id: 'a', capability: 'fs.explode', input: {} }] }), '422 UNKNOWN_CAPABILITY /steps/0/capability'],
    ['a capability of a later release', () => ({ goal: 'g', steps: [{ id: 'a', capability: 'os.exec', input: {} }] }), '422 UNKNOWN_CAPABILITY /steps/0/capability'],
    ['an unknown connection', () => ({ goal: 'g', steps: [{ id: 'a', capability: 'fs.read', input: { connection: 'nowhere', path: 'x' } }] }), '422 UNKNOWN_CONNECTION /steps/0/input/connection'],
    ['a connection where none is taken', () => ({ goal: 'g', steps: [noop('a', { connection: 'x' })] }), '422 UNKNOWN_FIELD /steps/0/input/connection'],
    ['input that misses a field', () => ({ goal: 'g', steps: [fs('write', { path: 'x' })] }), '422 INVALID_INPUT /steps/0/input/content'],
    ['input of the wrong type', () => ({ goal: 'g', steps: [fs('write', { path: 'x', content: 7 })] }), '422 INVALID_INPUT /steps/0/input/content'],
    ['input with a field too many', () => ({ goal: 'g', steps: [fs('write', { path: 'x', content: 'y', colour: 'red' })] }), '422 UNKNOWN_FIELD /steps/0/input/colour'],
    ['input outside its range', () => ({ goal: 'g', steps: [{ id: 'a', capability: 'timer.sleep', input: { ms: -1 } }] }), '422 INVALID_INPUT /steps/0/input/ms'],
    ['a reference with other keys beside it', () => ({ goal: 'g', steps: [noop('a'), noop('b', { value: { $ref: '#/steps/a/output', more: 1 } })] }), '422 INVALID_REFERENCE /steps/1/input/value'],
    ['a reference that is no reference', () => ({ goal: 'g', steps: [noop('a', { value: { $ref: 'http://elsewhere' } })] }), '422 INVALID_REFERENCE /steps/0/input/value'],
    ['no goal', () => ({ steps: [noop('a')] }), '422 INVALID_FIELD /goal'],
    ['no steps', () => ({ goal: 'g', steps: [] }), '422 INVALID_FIELD /steps'],
    ['too many steps', () => ({ goal: 'g', steps: Array.from({ length: 1_001 }, (_, n) => noop(`s${n}`)) }), '422 INVALID_FIELD /steps'],
    ['a bad step id', () => ({ goal: 'g', steps: [noop('a b')] }), '422 INVALID_FIELD /steps/0/id'],
    ['an unknown mode', () => ({ ...good(), mode: 'hope' }), '422 INVALID_FIELD /mode'],
    ['an unknown onFailure', () => ({ ...good(), onFailure: 'shrug' }), '422 INVALID_FIELD /onFailure'],
    ['too many attempts', () => ({ goal: 'g', steps: [noop('a', {}, { retry: { attemptsMax: 21 } })] }), '422 INVALID_FIELD /steps/0/retry/attemptsMax'],
    ['a deadline that is none', () => ({ ...good(), deadlineMs: 1.5 }), '422 INVALID_FIELD /deadlineMs'],
    ['no object', () => [good()], '422 INVALID_FIELD'],
    ['another tenant', () => ({ ...good(), tenant: 'elsewhere' }), '403 TENANT_MISMATCH /tenant'],
  ])('%s', async (_, body, expected) => {
    const answer = await agent.call('POST', '/v1/intents', { body: body() });
    expect(problem(answer).startsWith(expected) ? expected : `${problem(answer)}: ${answer.body.detail}`).toBe(expected);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ type: expect.any(String), title: expect.any(String), status: answer.status, detail: expect.any(String) });
    if (answer.status === 422) expect(answer.body.errors[0]).toMatchObject({ code: answer.body.code, detail: answer.body.detail });
  });

  it.each<[string, string]>([
    ['a parent part', '../out.txt'], ['a parent part within', 'a/../../out.txt'], ['a parent part that stays within', 'a/../here.txt'], ['an absolute path', '/etc/passwd'],
    ['a dot part', './here.txt'], ['an empty part', 'a//b'], ['a trailing slash', 'a/'], ['a NUL', 'a\0b'], ['the set-aside folder', '.aifirst/x'], ['the set-aside folder further down', 'a/.aifirst'], ['a part too long', 'x'.repeat(256)],
  ])('a path with %s', async (_, path) => {
    for (const [verb, input] of [['write', { path, content: 'x' }], ['append', { path, content: 'x' }], ['read', { path }], ['delete', { path }], ['mkdir', { path }], ['move', { path, to: 'ok' }]] as const) {
      expect(`${verb} ${problem(await agent.submit([agent.fs(verb, 'a', input)]))}`).toBe(`${verb} 422 INVALID_PATH /steps/0/input/path`);
    }
    expect(problem(await agent.submit([agent.fs('move', 'a', { path: 'here.txt', to: path })]))).toBe('422 INVALID_PATH /steps/0/input/to');
  });

  it.each<[string, () => Buffer | string, string]>([
    ['what is no JSON', () => '{"goal":', '400 MALFORMED_JSON'],
    ['nothing at all', () => '', '400 MALFORMED_JSON'],
    ['two documents', () => '{} {}', '400 MALFORMED_JSON'],
    ['a number no double holds', () => '{"goal":1e400}', '400 MALFORMED_JSON'],
    ['a byte order mark', () => '\ufeff{"goal":"g","steps":[]}', '400 MALFORMED_JSON'],
    ['repeated keys', () => '{"goal":"g","goal":"h","steps":[{"id":"a","capability":"noop","input":{}}]}', '400 DUPLICATE_KEY /goal'],
    ['repeated keys, one of them escaped', () => '{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":{"x":1,"\\u0078":2}}}]}', '400 DUPLICATE_KEY /steps/0/input/value/x'],
    ['__proto__', () => '{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":{"__proto__":{"admin":true}}}}]}', '400 FORBIDDEN_KEY /steps/0/input/value/__proto__'],
    ['__proto__, escaped', () => '{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":{"\\u005f_proto__":1}}}]}', '400 FORBIDDEN_KEY /steps/0/input/value/__proto__'],
    ['a lone surrogate', () => '{"goal":"\\ud800","steps":[{"id":"a","capability":"noop","input":{}}]}', '400 INVALID_UNICODE'],
    ['a lone surrogate in a key', () => '{"goal":"g","steps":[],"\\udfff":1}', '400 INVALID_UNICODE'],
    ['invalid UTF-8', () => Buffer.concat([Buffer.from('{"goal":"'), Buffer.of(0xc3, 0x28), Buffer.from('","steps":[]}')]), '400 INVALID_UNICODE'],
    ['an overlong UTF-8 form', () => Buffer.concat([Buffer.from('{"goal":"'), Buffer.of(0xc0, 0xaf), Buffer.from('","steps":[]}')]), '400 INVALID_UNICODE'],
    ['more than 64 levels', () => deep(65), '400 TOO_DEEP'],
    ['a hundred thousand levels', () => deep(100_000), '400 TOO_DEEP'],
    ['more than 1 MiB', () => JSON.stringify({ goal: 'g', steps: [noop('a', { value: 'x'.repeat(MIB) })] }), '413 TOO_LARGE'],
  ])('%s', async (_, raw, expected) => {
    const answer = await sent(raw(), { 'content-type': 'application/json' });
    expect(problem(answer)).toBe(expected);
  });

  it('what is just within its limits is not: 64 levels, nearly 1 MiB', async () => {
    const own = await world.stack.agent();
    // Four levels are the intent's own.
    expect((await own.call('POST', '/v1/intents', { raw: deep(60) })).status).toBe(202);
    const body = JSON.stringify({ goal: 'g', steps: [noop('a', { value: 'x'.repeat(MIB - 200) })] });
    expect((await own.call('POST', '/v1/intents', { raw: body, headers: { prefer: 'wait=20' } })).body.status).toBe('completed');
  });

  it('every problem of an intent at once, each with its place', async () => {
    const { body } = await agent.submit([noop('a', {}, after('none')), noop('a'), { id: 'c', capability: 'nope' }, agent.fs('read', 'd', { path: '../x' })]);
    expect(body.errors.map((one: Body) => `${one.code} ${one.pointer}`).sort()).toEqual(['DUPLICATE_STEP /steps/1/id', 'INVALID_PATH /steps/3/input/path', 'UNKNOWN_CAPABILITY /steps/2/capability', 'UNKNOWN_STEP /steps/0/dependsOn/0']);
  });

  it('a caller without a valid token: 401 with the scheme to use', async () => {
    for (const token of [null, 'wrong', `${agent.token}x`]) {
      for (const [method, path] of [['POST', '/v1/intents'], ['GET', '/v1/workflows'], ['GET', '/v1/audit/entries'], ['PUT', '/v1/roles/x'], ['POST', '/v1/plans']] as const) {
        const answer = await world.stack.as(token).call(method, path, method === 'GET' ? {} : { body: {} });
        expect(`${method} ${path} ${problem(answer)}`).toBe(`${method} ${path} 401 UNAUTHENTICATED`);
        expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
      }
    }
    const basic = await world.stack.as(null).get('/v1/workflows', { authorization: `Basic ${Buffer.from('admin:admin').toString('base64')}` });
    expect(basic.status).toBe(401);
  });

  it('an agent where an administrator is asked for: 403', async () => {
    for (const [method, path] of [['PUT', '/v1/roles/x'], ['POST', '/v1/agents'], ['GET', '/v1/agents'], ['GET', '/v1/audit/entries'], ['GET', '/v1/audit/checkpoint'], ['GET', '/v1/audit/export'], ['PUT', '/v1/controls/kill-switches/x'], ['GET', '/v1/dead-letters'], ['GET', '/v1/locks'], ['PUT', '/v1/connections/x'], ['GET', '/v1/tenants']] as const) {
      const answer = await agent.call(method, path, method === 'GET' ? {} : { body: {} });
      expect(`${method} ${path} ${problem(answer)}`).toBe(`${method} ${path} 403 FORBIDDEN`);
    }
  });

  it("another tenant's things: not there", async () => {
    const { admin } = world.stack;
    await admin.must(201, 'PUT', '/v1/tenants/other', { body: {} });
    await admin.must(201, 'PUT', '/v1/roles/any?tenant=other', { body: { capabilities: ['*'], connections: ['*'] } });
    const theirs = await admin.must(201, 'POST', '/v1/agents?tenant=other', { body: { name: 'theirs', owner: 'tests', roles: ['any'] } });
    const other = world.stack.as(theirs.token);
    const mine = await agent.run([noop('a')]);
    for (const path of [`/v1/workflows/${mine.id}`, `/v1/workflows/${mine.id}/events`, `/v1/intents/${mine.intentId}`]) expect(`${path} ${(await other.get(path)).status}`).toBe(`${path} 404`);
    for (const what of ['rollback', 'cancel', 'pause', 'resume']) expect((await other.post(`/v1/workflows/${mine.id}/${what}`, {})).status).toBe(404);
    expect((await other.get('/v1/workflows')).body.items).toEqual([]);
    expect(problem(await other.post('/v1/intents', { goal: 'g', steps: [{ id: 'a', capability: 'fs.read', input: { connection: agent.connection.name, path: 'here.txt' } }] }))).toBe('422 UNKNOWN_CONNECTION /steps/0/input/connection');
    expect(problem(await other.get('/v1/workflows?tenant=default'))).toBe('403 TENANT_MISMATCH');
    expect(problem(await other.post('/v1/intents', { ...good(), tenant: 'default' }))).toBe('403 TENANT_MISMATCH /tenant');
    expect((await admin.get(`/v1/workflows/${mine.id}?tenant=other`)).status).toBe(404);
    expect((await admin.get('/v1/workflows?tenant=nowhere')).status).toBe(404);
  });

  it("another agent's workflow: not there", async () => {
    const mine = await agent.run([noop('a')]);
    const other = await world.stack.agent();
    expect((await other.get(`/v1/workflows/${mine.id}`)).status).toBe(404);
    expect((await other.post(`/v1/workflows/${mine.id}/cancel`)).status).toBe(404);
    expect((await other.get('/v1/workflows')).body.items).toEqual([]);
  });

  it('a suspended agent: 403, until it is resumed; a revoked token: 401', async () => {
    const own = await world.stack.agent();
    const { admin } = world.stack;
    await admin.must(200, 'POST', `/v1/agents/${own.id}/suspend`);
    expect(problem(await own.submit([noop('a')]))).toBe('403 AGENT_SUSPENDED');
    expect(problem(await own.get('/v1/workflows'))).toBe('403 AGENT_SUSPENDED');
    await admin.must(200, 'POST', `/v1/agents/${own.id}/resume`);
    expect((await own.submit([noop('a')])).status).toBe(202);
    const { tokenId, token } = await admin.must(201, 'POST', `/v1/agents/${own.id}/tokens`, { body: { ttlDays: 1 } });
    expect((await world.stack.as(token).get('/v1/workflows')).status).toBe(200);
    await admin.must(204, 'DELETE', `/v1/agents/${own.id}/tokens/${tokenId}`);
    expect((await world.stack.as(token).get('/v1/workflows')).status).toBe(401);
  });

  it('a capability that is not granted: rejected, and recorded', async () => {
    const clerk = await world.stack.agent({ connection: agent.connection, capabilities: ['fs.read'] });
    const workflow = await clerk.run([clerk.fs('read', 'a', { path: 'here.txt' }), clerk.fs('write', 'b', { path: 'never.txt', content: 'x' })]);
    expectStatus(workflow, 'rejected');
    expect(stepOf(workflow, 'b')).toMatchObject({ status: 'failed', attempts: 0, error: { code: 'POLICY_DENIED', clean: true }, decision: { outcome: 'deny', reason: expect.any(String) } });
    expect(stepOf(workflow, 'a')).toMatchObject({ status: 'skipped', attempts: 0 });
    expect(workflow.statusReason).toMatchObject({ code: 'POLICY_DENIED' });
    await new AuditLog(world.stack.admin).settled([workflow.id]);
    const entries = await world.stack.admin.all(`/v1/audit/entries?workflow=${workflow.id}&type=aifirst.workflow.policy-decided.v1`);
    expect(entries.map(({ event }) => event.data.decisions.find((one: Body) => one.step === 'b').outcome)).toEqual(['deny']);
  });

  it('a connection that is not granted: rejected', async () => {
    const elsewhere = await world.stack.connection();
    const workflow = await agent.run([{ id: 'a', capability: 'fs.list', input: { connection: elsewhere.name } }]);
    expectStatus(workflow, 'rejected');
  });

  describe('a way out of the root', () => {
    let own: AgentClient;
    let outside: string;
    beforeEach(async () => {
      own = await world.stack.agent();
      outside = join(world.stack.folder, `outside-${own.id}`);
      mkdirSync(outside);
      writeFileSync(join(outside, 'secret.txt'), 'secret');
    });

    it('by a symlink: fails clean with PATH_ESCAPES_ROOT, and nothing outside is touched', async () => {
      symlinkSync(outside, join(own.root, 'way'));
      symlinkSync(join(outside, 'secret.txt'), join(own.root, 'file'));
      const before = [treeOf(outside), treeOf(own.root)];
      const steps = [['write', { path: 'way/new.txt', content: 'x' }], ['write', { path: 'way/secret.txt', content: 'x' }], ['append', { path: 'way/secret.txt', content: 'x' }], ['read', { path: 'way/secret.txt' }], ['list', { path: 'way' }],
        ['delete', { path: 'way/secret.txt' }], ['mkdir', { path: 'way/new' }], ['move', { path: 'way/secret.txt', to: 'taken.txt' }], ['append', { path: 'file', content: 'x' }], ['read', { path: 'file' }]] as const;
      for (const [verb, input] of steps) {
        const workflow = await own.run([own.fs(verb, 'a', input)]);
        expect(`${verb} ${JSON.stringify(input)} ${workflow.status} ${stepOf(workflow, 'a').error?.code} ${stepOf(workflow, 'a').error?.clean}`).toBe(`${verb} ${JSON.stringify(input)} rolledBack PATH_ESCAPES_ROOT true`);
      }
      writeFileSync(join(own.root, 'mine.txt'), 'mine');
      const moved = await own.run([own.fs('move', 'a', { path: 'mine.txt', to: 'way/mine.txt' })]);
      expect(stepOf(moved, 'a').error).toMatchObject({ code: 'PATH_ESCAPES_ROOT', clean: true });
      rmSync(join(own.root, 'mine.txt'));
      const { '.': _root, ...entries } = treeOf(own.root);
      const { '.': _before, ...entriesBefore } = before[1]!;
      expect(treeOf(outside)).toEqual(before[0]);
      expect(entries).toEqual(entriesBefore);
    });

    it('by a path that came by reference: the same', async () => {
      const before = treeOf(outside);
      for (const path of ['../outside.txt', '/etc/aifirst-test', 'a/../../b']) {
        const workflow = await own.run([noop('path', { value: path }), own.fs('write', 'a', { path: ref('path', '/value'), content: 'x' })]);
        expect(`${path} ${workflow.status} ${JSON.stringify(stepOf(workflow, 'a').error)}`).toMatch(/ rolledBack .*"code":"PATH_ESCAPES_ROOT".*"clean":true/);
      }
      for (const path of ['.aifirst/x', 'a/.aifirst', 'a//b', 'nul\u0000', '']) {
        const workflow = await own.run([noop('path', { value: path }), own.fs('write', 'a', { path: ref('path', '/value'), content: 'x' })]);
        expect(`${JSON.stringify(path)} ${workflow.status} ${stepOf(workflow, 'a').status} ${stepOf(workflow, 'a').error.clean}`).toBe(`${JSON.stringify(path)} rolledBack failed true`);
      }
      expect(treeOf(outside)).toEqual(before);
      expect([existsSync('/etc/aifirst-test'), existsSync(join(own.root, '..', 'outside.txt'))]).toEqual([false, false]);
    });

    it(`also when somebody swaps the symlink in meanwhile (${RACES} tries)`, async () => {
      mkdirSync(join(own.root, 'real'));
      mkdirSync(join(own.root, 'spot'));
      symlinkSync(outside, join(own.root, 'trap'));
      const before = treeOf(outside);
      const swapper = new Worker(`
        const { renameSync } = require('node:fs'); const { workerData } = require('node:worker_threads');
        const at = name => workerData + '/' + name;
        for (;;) { try { renameSync(at('spot'), at('real2')); renameSync(at('trap'), at('spot')); renameSync(at('spot'), at('trap')); renameSync(at('real2'), at('spot')); } catch {} }
      `, { eval: true, workerData: own.root });
      const ends = new Set<string>();
      try {
        for (let done = 0; done < RACES; done += 50) {
          const many = await Promise.all(Array.from({ length: 50 }, (_, n) => own.run([own.fs('write', 'a', { path: `spot/${done + n}.txt`, content: 'x' })])));
          for (const workflow of many) ends.add(`${workflow.status} ${stepOf(workflow, 'a').error?.code ?? ''}`.trim());
        }
      } finally {
        await swapper.terminate();
      }
      expect(treeOf(outside)).toEqual(before);
      expect([...ends].filter(end => !/^(completed|rolledBack [A-Z_]+|paused [A-Z_]+)$/.test(end))).toEqual([]);
    }, 120_000);
  });

  it('what is promised for later: 501 with what to do instead, and not in openapi.json', async () => {
    const id = '01900000-0000-7000-8000-000000000000';
    const later = [
      ['POST', `/v1/workflows/${id}/redo`, {}], ['GET', '/v1/grants'], ['POST', '/v1/grants', {}], ['POST', `/v1/grants/${id}/decisions`, {}], ['POST', `/v1/grants/${id}/revoke`, {}], ['GET', '/v1/approvals?status=pending'],
      ['POST', `/v1/approvals/${id}/decisions`, {}],
      ['POST', '/v1/policies/simulate', {}], ['POST', '/v1/audit/erasures', {}], ['POST', '/v1/audit/subject-exports', {}], ['POST', '/v1/audit/reports', {}], ['GET', `/v1/audit/reports/${id}`], ['GET', '/v1/people'],
    ] as const;
    const { paths } = (await world.stack.admin.get('/openapi.json')).body;
    for (const [method, path, body] of later) {
      const answer = await world.stack.admin.call(method, path, body === undefined ? {} : { body });
      expect(`${method} ${path} ${answer.status} ${answer.body.code}`).toBe(`${method} ${path} 501 NOT_IMPLEMENTED`);
      expect(answer.body.detail.length).toBeGreaterThan(20);
      const template = path.split('?')[0]!.replace(id, '{id}');
      expect(paths[template]?.[method.toLowerCase()]).toBeUndefined();
    }
    const done = await agent.run([noop('a')]);
    for (const option of [{ cascade: true }, { onConflict: 'force' }]) expect(problem(await world.stack.admin.post(`/v1/workflows/${done.id}/rollback`, { reason: 'r', ...option }))).toBe(`501 NOT_IMPLEMENTED /${Object.keys(option)[0]}`);
    for (const kind of ['tenant', 'capability', 'connection']) expect(problem(await world.stack.admin.put('/v1/controls/kill-switches/k', { scope: { kind, id: 'x' }, reason: 'r' }))).toBe('501 NOT_IMPLEMENTED /scope/kind');
  });

  it('a method that a path does not have: 405; a path that is not there: 404; another content type: 415', async () => {
    const wrong = await agent.call('PUT', '/v1/intents', { body: {} });
    expect(problem(wrong)).toBe('405 METHOD_NOT_ALLOWED');
    expect(wrong.headers['allow']).toContain('POST');
    for (const path of ['/', '/v1', '/v2/intents', '/v1/nothing', '/v1/workflows/not-an-id', `/v1/intents/${'x'.repeat(400)}`, '/v1/..%2f..%2fetc/passwd']) expect(`${path.slice(0, 40)} ${(await agent.get(path)).status}`).toBe(`${path.slice(0, 40)} 404`);
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded']) expect(problem(await sent(JSON.stringify(good()), { 'content-type': type }))).toBe('415 UNSUPPORTED_MEDIA_TYPE');
  });

  it('a bad header or query: 422', async () => {
    expect(problem(await agent.submit([noop('a')], {}, { 'idempotency-key': 'x'.repeat(256) }))).toBe('422 INVALID_FIELD');
    expect(problem(await agent.submit([noop('a')], {}, { 'idempotency-key': '\u00e9' }))).toBe('422 INVALID_FIELD');
    for (const query of ['limit=0', 'limit=10000', 'limit=x', 'cursor=nonsense', 'status=odd', 'createdFrom=yesterday']) expect(`${query} ${problem(await agent.get(`/v1/workflows?${query}`))}`).toBe(`${query} 422 INVALID_FIELD`);
    expect(problem(await agent.get('/v1/workflows?colour=red'))).toBe('422 UNKNOWN_FIELD');
  });

  it('a bad role, agent, connection, policy or kill switch: 422 with the place', async () => {
    const { admin } = world.stack;
    const refused: readonly (readonly [string, string, unknown, string])[] = [
      ['PUT', '/v1/roles/r', { connections: [] }, '422 INVALID_FIELD /capabilities'],
      ['PUT', '/v1/roles/r', { capabilities: ['nonsense.*'], connections: [] }, '422 INVALID_FIELD /capabilities/0'],
      ['PUT', '/v1/roles/r', { capabilities: [], connections: [], colour: 'red' }, '422 UNKNOWN_FIELD /colour'],
      ['POST', '/v1/agents', { name: 'n', owner: 'o', roles: ['no-such-role'] }, '422 INVALID_FIELD /roles/0'],
      ['POST', '/v1/agents', { name: 'n', roles: [] }, '422 INVALID_FIELD /owner'],
      ['PUT', '/v1/connections/c', { adapter: 'nothing', config: {} }, '422 INVALID_FIELD /adapter'],
      ['PUT', '/v1/connections/c', { adapter: 'os', config: { root: join(world.stack.folder, 'missing') } }, '422 PROBE_FAILED /config/root'],
      ['PUT', '/v1/connections/c', { adapter: 'os', config: { root: world.stack.folder, password: 'hunter2' } }, '422 SECRET_IN_CONFIG /config/password'],
      ['PUT', '/v1/policies/p', { cedar: 'permit (principal' }, '422 POLICY_INVALID'],
      ['POST', '/v1/policies/validate', { cedar: '@approval("x") permit (principal, action, resource);' }, '422 POLICY_INVALID'],
      ['POST', '/v1/policies/validate', { cedar: '@nonsense("x") permit (principal, action, resource);' }, '422 POLICY_INVALID'],
      ['POST', '/v1/policies/validate', { cedar: 'permit (principal, action, resource) when { context.nonsense == 1 };' }, '422 POLICY_INVALID'],
      ['PUT', '/v1/controls/kill-switches/k', { scope: { kind: 'agent' }, reason: 'r' }, '422 INVALID_FIELD /scope/id'],
      ['PUT', '/v1/controls/kill-switches/k', { scope: { kind: 'all' } }, '422 INVALID_FIELD /reason'],
    ];
    for (const [method, path, body, expected] of refused) {
      const answer = await admin.call(method, path, { body });
      expect(`${method} ${path} ${JSON.stringify(body)}: ${problem(answer)}`.slice(0, 400)).toMatch(new RegExp(`: ${expected}( |$)`));
      expect(answer.bytes.toString()).not.toContain('hunter2');
    }
  });

  it('leaves nothing done', async () => {
    const roots = (await world.stack.admin.all('/v1/workflows')).filter((workflow: Body) => workflow.agent === agent.id && workflow.status !== 'rejected' && workflow.steps.some((step: Body) => step.capability !== 'noop'));
    expect(roots).toEqual([]);
    expect(treeOf(agent.root)).toEqual(tree);
    expect(readdirSync(agent.root).filter(name => name !== '.aifirst')).toEqual(['here.txt']);
    expect(readFileSync(join(agent.root, 'here.txt'), 'utf8')).toBe('here');
  });
});
