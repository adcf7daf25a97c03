import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ADMIN_TOKEN, GatewayUnderTest, anIntent } from '@aifirst/api/testing';
import { Refusal } from '@aifirst/kernel';
import { run } from './cli';

type Facts = ReturnType<GatewayUnderTest['orchestrator']['onStart']>;
const ALLOW = { index: 0, generation: 1, step: 'a', outcome: 'allow', policies: ['role:clerk@1'], policyVersion: '1', reason: 'permitted', risk: { level: 'low', score: 20 } };
const DECIDED = { name: 'PolicyDecided', question: 1, action: 'execute', decision: 'd', controlEpoch: 1, decisions: [ALLOW] };
const STARTED = { name: 'StepStarted', step: 'a', index: 0, generation: 1, attempt: 1, decision: 'd', resources: ['file://docs/a\x1b[2J'] };
const SUCCEEDED = { name: 'StepSucceeded', step: 'a', index: 0, generation: 1, output: null, actSequence: 1, undoableUntil: null, decision: 'd' };
const ended = (status: string, code: string | null = null) => ({ name: 'WorkflowEnded', status, code, reason: code, residue: [] });
const GOOD = [DECIDED, STARTED, SUCCEEDED, ended('completed')] as unknown as Facts;
const UNDONE = [{ name: 'RollbackStarted', reason: 'wrong customer', by: 'admin', code: 'REQUESTED' }, { name: 'StepUndoStarted', step: 'a', index: 0, generation: 1, attempt: 1, decision: 'd' }, { name: 'StepUndone', step: 'a', index: 0, generation: 1, verified: true, reason: null }, ended('rolledBack', 'REQUESTED')] as unknown as Facts;
const PAUSED = [DECIDED, STARTED, { name: 'WorkflowPaused', code: 'NOOP_FAILED', reason: 'step `a` failed', by: 'orchestrator', failed: true }] as unknown as Facts;

let gateway: GatewayUnderTest;
let folder: string;
let agent: { id: string; token: string };
let interrupt: () => void;

beforeAll(async () => {
  gateway = await GatewayUnderTest.start();
  folder = mkdtempSync(join(tmpdir(), 'aifirst-cli-'));
  agent = await gateway.agent();
});
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  gateway.orchestrator.onStart = () => GOOD;
  gateway.orchestrator.onOrder = () => [];
});

interface Ran { readonly code: number; readonly out: string; readonly err: string }
async function aifirst(args: readonly string[], { input, env = {}, seen }: { readonly input?: string; readonly env?: Record<string, string>; readonly seen?: (text: string) => void } = {}): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    env: { AIFIRST_URL: gateway.url, AIFIRST_TOKEN: ADMIN_TOKEN, ...env }, out: text => { out += text; seen?.(text); }, err: text => { err += text; },
    input: () => (input === undefined ? null : Promise.resolve(Buffer.from(input))), onInterrupt: listener => { interrupt = listener; return () => {}; },
  });
  return { code, out, err };
}
const asAgent = (args: readonly string[], options: { readonly input?: string; readonly seen?: (text: string) => void } = {}) => aifirst(args, { ...options, env: { AIFIRST_TOKEN: agent.token } });
const file = (name: string, content: string): string => { const path = join(folder, name); writeFileSync(path, content); return path; };
async function started(facts: Facts = GOOD): Promise<string> {
  gateway.orchestrator.onStart = () => facts;
  const { body } = await gateway.call('POST', '/v1/intents', anIntent(), agent.token);
  await gateway.gateway.projection.waitFor('default', body['workflowId'] as string, (_view, sequence) => sequence > 0, 5_000);
  return body['workflowId'] as string;
}

describe('aifirst apply', () => {
  it('hands in YAML, shows its steps as they happen, and ends with 0 when it is completed', async () => {
    const { code, out, err } = await asAgent(['apply', file('intent.yaml', 'goal: "a \\e[31mgoal"\nsteps:\n  - { id: a, capability: noop, input: { value: 1 } }\n')]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^idempotency key [0-9a-f-]{36}\nworkflow {8}[0-9a-f-]{36}\n {3}\+0\.\d{3}s {2}submitted {5}a \\x1b\[31mgoal\n/);
    expect(out).toMatch(/decided +1 allow\n.*running +a noop file:\/\/docs\/a\\x1b\[2J\n.*succeeded +a noop\n.*ended +completed\n/);
    expect(out).not.toContain('\x1b');
  });
  it('is repeated under its key without a second workflow, and says so', async () => {
    const path = file('same.json', JSON.stringify(anIntent()));
    const first = await asAgent(['apply', path, '--key', 'order 4711', '--no-wait', '-o', 'json']);
    const second = await asAgent(['apply', path, '--key', 'order 4711', '--no-wait', '-o', 'json']);
    expect(JSON.parse(first.out)).toMatchObject({ idempotencyKey: 'order 4711', replayed: false });
    expect(JSON.parse(second.out)).toEqual({ ...JSON.parse(first.out), replayed: true });
    expect((await asAgent(['apply', path, '--key', 'order 4711'])).out).toContain('taken in before under this key');
    const other = await asAgent(['apply', '-', '--key', 'order 4711'], { input: JSON.stringify(anIntent({ goal: 'another' })) });
    expect(other).toMatchObject({ code: 1, err: expect.stringMatching(/IDEMPOTENCY_CONFLICT \(409\)[^]*take another --key/) });
  });
  it('ends with 1 and says why where it ended otherwise', async () => {
    gateway.orchestrator.onStart = () => [DECIDED, STARTED, { name: 'StepFailed', step: 'a', index: 0, generation: 1, error: { code: 'NOOP_FAILED', detail: 'told \x1b to', clean: true }, retryAt: null, decision: 'd' }, ended('rolledBack', 'NOOP_FAILED')] as unknown as Facts;
    const { code, out } = await asAgent(['apply'], { input: JSON.stringify(anIntent()) });
    expect(code).toBe(1);
    expect(out).toMatch(/failed +a noop NOOP_FAILED: told \\x1b to\n/);
    expect(out).toMatch(/\nrolledBack {2}[0-9a-f-]{36}\nSTEP +CAPABILITY +STATUS/);
  });
  it('ends with 1 and says what can be done where a person has to decide', async () => {
    gateway.orchestrator.onStart = () => PAUSED;
    const { code, out } = await asAgent(['apply'], { input: JSON.stringify(anIntent()) });
    expect(code).toBe(1);
    expect(out).toMatch(/what can be done:\n {2}aifirst resume [0-9a-f-]{36} --failed-step retry {2}by an administrator or the agent\n/);
    expect(out).toMatch(/go on watching: aifirst watch [0-9a-f-]{36}\n$/);
  });
  it('gives programs one document and keeps what happens meanwhile apart from it', async () => {
    const { code, out, err } = await asAgent(['apply', '-o', 'json'], { input: JSON.stringify(anIntent()) });
    expect([code, JSON.parse(out)]).toMatchObject([0, { status: 'completed', steps: [{ id: 'a', status: 'succeeded' }] }]);
    expect(err).toMatch(/succeeded/);
    expect(parse((await asAgent(['apply', '-o', 'yaml'], { input: JSON.stringify(anIntent()) })).out)).toMatchObject({ status: 'completed' });
  });
  it('shows every problem with the line of the file, and how to mend it', async () => {
    const path = file('bad.yaml', 'goal: x\nsteps:\n  - id: a\n    capability: fs.rite\n    input: {}\n  - id: b\n    capability: noop\n    input: { fail: 7 }\n');
    const { code, out, err } = await asAgent(['apply', path]);
    expect(code).toBe(1);
    expect(out).toMatch(/^idempotency key .*\n$/);
    expect(err).toContain(`aifirst: UNKNOWN_CAPABILITY (422): there is no capability of this name\n  at /steps/0/capability (${path}:4)\n`);
    expect(err).toContain(`INVALID_INPUT`);
    expect(err).toContain(`at /steps/1/input/fail (${path}:8)`);
    expect(err).toContain('mend: `aifirst get capabilities`');
  });
  it('says on Ctrl-C what goes on and how to go on watching, and ends with 130', async () => {
    gateway.orchestrator.onStart = () => [DECIDED, STARTED] as unknown as Facts;
    const { code, err } = await asAgent(['apply'], { input: JSON.stringify(anIntent()), seen: text => { if (text.includes('running')) interrupt(); } });
    expect(code).toBe(130);
    expect(err).toMatch(/stopped watching; workflow ([0-9a-f-]{36}) goes on on the server\n.*aifirst watch \1\n.*aifirst cancel \1\n/);
  });
  it.each<readonly [string, string[]]>([
    ['neither file nor input', ['apply']], ['a file and a plan', ['apply', 'x.yaml', '--plan', 'p']], ['a file that is not there', ['apply', 'nowhere.yaml']], ['a key that no header holds', ['apply', '--plan', 'p', '--key', 'ü']],
    ['a key with spaces around it', ['apply', '--plan', 'p', '--key', ' a']], ['two tokens', ['apply', '--token', 'a', '--token-file', 'b']], ['no token file', ['get', 'roles', '--token-file', 'nowhere']], ['a token that is none', ['get', 'roles', '--token', 'a b']],
    ['an address with a password', ['get', 'roles', '--server', 'http://a:b@127.0.0.1']], ['no address', ['get', 'roles', '--server', 'localhost']], ['an unknown format', ['get', 'roles', '-o', 'text']], ['no number', ['get', 'roles', '--limit', '0']],
    ['an unknown status', ['get', 'workflows', '--status', 'happy']], ['no time', ['get', 'workflows', '--created-from', 'x']], ['an unknown thing', ['get', 'nothing']], ['a path for an id', ['get', 'workflow', '..']], ['an unknown answer', ['resume', 'x', '--failed-step', 'maybe']],
  ])('is wrong usage with %s', async (_, args) => { expect(await aifirst(args)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/./) }); });
});

describe('aifirst watch', () => {
  it('shows a workflow from its beginning, waits for a person too, and ends with it', async () => {
    const id = await started(PAUSED);
    const { code, out } = await aifirst(['watch', id], { seen: text => { if (text.includes('paused')) void gateway.orchestrator.emit(id, [{ name: 'WorkflowResumed', by: 'admin', failedStep: 'skip' }, ended('completed')] as unknown as Facts); } });
    expect(code).toBe(0);
    expect(out).toMatch(/submitted[^]*paused +NOOP_FAILED: step `a` failed\n.*resumed +by admin\n.*ended +completed/);
  });
  it('gives programs the events', async () => {
    const id = await started();
    const { code, out, err } = await aifirst(['watch', id, '-o', 'json']);
    expect([code, err]).toEqual([0, '']);
    expect(out.trim().split('\n').map(text => (JSON.parse(text) as { type: string }).type)).toEqual(['intent-submitted', 'policy-decided', 'step-started', 'step-succeeded', 'workflow-ended'].map(name => `aifirst.workflow.${name}.v1`));
    expect(out).not.toContain('\x1b');
  });
  it('says so where there is none', async () => { expect(await aifirst(['watch', '01980000-0000-7000-8000-000000000000'])).toMatchObject({ code: 1, out: '', err: expect.stringContaining('NOT_FOUND (404)') }); });
});

describe('orders', () => {
  it('rollback takes back what has long ended, shows only that, and hands over the reason', async () => {
    const id = await started();
    gateway.orchestrator.onOrder = () => UNDONE;
    const { code, out } = await aifirst(['rollback', id, '--reason', 'wrong customer']);
    expect(code).toBe(0);
    expect(out).toMatch(/^rollback ordered: workflow .* is \w+\n.*rolling back +REQUESTED: wrong customer\n.*undoing +a noop\n.*undone +a noop verified\n.*ended +rolledBack/);
    expect(out).not.toContain('submitted');
    expect(gateway.orchestrator.orders.at(-1)).toMatchObject({ workflow: id, order: { order: 'rollback', reason: 'wrong customer' } });
  });
  it('rollback ends with 1 where something stands in the way', async () => {
    const id = await started();
    gateway.orchestrator.onOrder = () => [...UNDONE.slice(0, 2), { name: 'StepUndoBlocked', step: 'a', index: 0, generation: 1, code: 'TARGET_CHANGED', reason: 'somebody changed it', conflict: { resource: 'file://docs/a', what: 'content', expected: 'sha256:1', found: 'sha256:2' } }, { name: 'RollbackParked', code: 'TARGET_CHANGED', reason: 'blocked' }] as unknown as Facts;
    const { code, out } = await aifirst(['rollback', id]);
    expect(code).toBe(1);
    expect(out).toMatch(/undo blocked +a noop TARGET_CHANGED: somebody changed it content: expected sha256:1, found sha256:2\n/);
    expect(out).toContain('left: file://docs/a still stands');
  });
  it('rollback with what the server does not have yet is refused as the server says it', async () => {
    const id = await started();
    expect(await aifirst(['rollback', id, '--on-conflict', 'force'])).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/NOT_IMPLEMENTED \(501\): [^]*at \/onConflict/) });
    expect(await aifirst(['rollback', id, '--cascade'])).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/NOT_IMPLEMENTED \(501\): [^]*at \/cascade/) });
  });
  it.each<readonly [string, string[], object]>([
    ['cancel', ['--reason', 'no longer needed'], { order: 'cancel', reason: 'no longer needed' }], ['pause', ['--reason', 'let me look'], { order: 'pause', reason: 'let me look' }], ['resume', ['--failed-step', 'retry'], { order: 'resume', failedStep: 'retry' }], ['resume', [], { order: 'resume' }],
  ])('%s %j is ordered and shows the workflow', async (what, options, expected) => {
    const id = await started(PAUSED);
    const { code, out } = await aifirst([what, id, ...options]);
    expect([code, out]).toEqual([0, expect.stringContaining(`workflow ${id}  paused\n`)]);
    expect(gateway.orchestrator.orders.at(-1)).toMatchObject({ workflow: id, order: expected });
    expect(JSON.parse((await aifirst([what, id, '-o', 'json'])).out)).toMatchObject({ id });
  });
  it('cancel --wait and resume --wait end as the workflow does', async () => {
    const id = await started(PAUSED);
    gateway.orchestrator.onOrder = () => [ended('cancelled')] as unknown as Facts;
    expect(await aifirst(['cancel', id, '--wait'])).toMatchObject({ code: 0 });
    const other = await started(PAUSED);
    gateway.orchestrator.onOrder = () => [{ name: 'WorkflowResumed', by: 'admin', failedStep: null }, ended('failed')] as unknown as Facts;
    expect(await aifirst(['resume', other, '--wait'])).toMatchObject({ code: 1, out: expect.stringMatching(/resumed[^]*failed/) });
  });
  it('show the status that is in the way', async () => {
    const id = await started();
    gateway.orchestrator.onOrder = () => new Refusal({ code: 'WRONG_STATE', detail: 'a workflow that is `completed` can not be paused' }, { status: 'completed' });
    expect(await aifirst(['pause', id])).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/WRONG_STATE \(409\)[^]*the workflow is completed[^]*mend:/) });
  });
});

describe('aifirst get', () => {
  it('lists workflows by every filter, page by page, as many as asked for', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 3; i++) ids.add(await started());
    const all = JSON.parse((await aifirst(['get', 'workflows', '-o', 'json'])).out) as { items: { id: string }[] };
    expect(all.items.map(({ id }) => id)).toEqual(expect.arrayContaining([...ids]));
    expect(JSON.parse((await aifirst(['get', 'workflows', '--limit', '2', '-o', 'json'])).out)).toMatchObject({ items: [{}, {}] });
    const { out } = await aifirst(['get', 'workflows', '--status', 'completed', '--agent', agent.id, '--created-from', '2020-01-01', '--created-to', '2100-01-01']);
    expect(out).toMatch(/^ID +STATUS +STEPS +CREATED +AGENT +WHY +GOAL\n[0-9a-f-]{36} {2}completed +1 /);
    expect(await aifirst(['get', 'workflows', '--label', 'a=1', '--label', 'b=2'])).toEqual({ code: 0, out: '', err: 'no workflows\n' });
  });
  it('shows a workflow with its steps', async () => {
    const id = await started();
    expect((await aifirst(['get', 'workflow', id])).out).toMatch(new RegExp(`^workflow ${id}  completed\n  goal {5}a goal\n[^]*STEP +CAPABILITY +STATUS +DECISION +RISK +UNDO +DETAIL\na +noop +succeeded +allow +low +file://docs/a\\\\x1b\\[2J\n$`));
    expect(parse((await aifirst(['get', 'workflow', id, '-o', 'yaml'])).out)).toMatchObject({ id, steps: [{ resources: ['file://docs/a\x1b[2J'] }] });
  });
  it.each<readonly [string, string[], RegExp]>([
    ['agents', ['--role', 'clerk', '--status', 'active', '--name', 'an agent', '--owner', 'ana'], /^ID +NAME +STATUS +OWNER +ROLES +TOKENS +KEYS\n.*an agent +active +ana +clerk +1 +0\n$/],
    ['capabilities', ['--adapter', 'os', '--reversibility', 'reversible'], /^NAME +ADAPTER +REVERSIBILITY +UNDO +RISK +DESCRIPTION\nfs\.write +os +reversible +exact +low +fs\.write\n$/],
    ['roles', [], /^NAME +CAPABILITIES +CONNECTIONS +UPDATED\nclerk +\* +\* +\d{4}-/],
    ['connections', ['--adapter', 'os'], /^NAME +ADAPTER +CONFIG +LABELS +LIMITATIONS\ndocs +os +root=\/files +team=credit +no extended attributes\n$/],
    ['policies', [], /^NAME +VERSION +ACTIVE +UPDATED +CEDAR\nopen +\d+ +none +\S+ +permit\(/],
    ['kill-switches', [], /^ID +SCOPE +ROLLBACK +SINCE +REASON\nstop +agent [0-9a-f-]{36} +false +\S+ +testing\n$/],
    ['locks', ['--resource', 'file://docs/a', '--workflow', 'w'], /^RESOURCE +MODE +HELD BY +SINCE +WAITING +ID\nfile:\/\/docs\/a +write +w +\S+ +2 +lock-1\n$/],
  ])('lists %s %j', async (name, filters, expected) => {
    await gateway.call('PUT', '/v1/connections/docs', { adapter: 'os', config: { root: '/files' }, labels: { team: 'credit' } });
    await gateway.call('PUT', '/v1/policies/open', { cedar: 'permit(principal,\n action, resource);' });
    await gateway.call('PUT', '/v1/controls/kill-switches/stop', { scope: { kind: 'agent', id: agent.id }, reason: 'testing' });
    gateway.orchestrator.locks = [{ id: 'lock-1', tenant: 'default', resource: 'file://docs/a', mode: 'write', workflow: 'w', since: '2026-01-01T00:00:00.000Z', waiting: ['x', 'y'] }];
    const { code, out } = await aifirst(['get', name, ...filters]);
    expect([code, out]).toEqual([0, expect.stringMatching(expected)]);
    await gateway.call('DELETE', '/v1/controls/kill-switches/stop');
  });
  it('shows one named thing whole', async () => {
    expect(parse((await aifirst(['get', 'role', 'clerk'])).out)).toMatchObject({ name: 'clerk', capabilities: ['*'] });
    expect(JSON.parse((await aifirst(['get', 'capability', 'fs.write', '-o', 'json'])).out)).toMatchObject({ name: 'fs.write', inputSchema: { type: 'object' } });
    expect(await aifirst(['get', 'role', 'nobody'])).toMatchObject({ code: 1, err: expect.stringContaining('there is no role `nobody`') });
  });
  it('answers for another tenant, and with the token from where options and environment say', async () => {
    expect(await aifirst(['get', 'roles', '--tenant', 'nowhere'])).toMatchObject({ code: 1, err: expect.stringContaining('nowhere') });
    const path = file('token', `${ADMIN_TOKEN}\n`);
    for (const [args, env] of [[['--token-file', path], {}], [['--token', ADMIN_TOKEN], {}], [[], { AIFIRST_TOKEN: '', AIFIRST_TOKEN_FILE: path }]] as const) {
      expect(await aifirst(['get', 'roles', '--server', `${gateway.url}/`, ...args], { env: { AIFIRST_TOKEN: 'wrong', AIFIRST_URL: 'http://127.0.0.1:1', ...env } })).toMatchObject({ code: 0 });
    }
    expect(await aifirst(['get', 'roles'], { env: { AIFIRST_TOKEN: 'wrong' } })).toMatchObject({ code: 1, err: expect.stringMatching(/UNAUTHENTICATED[^]*mend: give a valid token/) });
    expect(await asAgent(['get', 'agents'])).toMatchObject({ code: 1, err: expect.stringContaining('FORBIDDEN (403)') });
  });
});

describe('help', () => {
  const COMMANDS = [['plan'], ['apply'], ['watch'], ['rollback'], ['cancel'], ['pause'], ['resume'], ['audit', 'verify'], ['audit', 'export'], ...['workflow', 'plan', 'workflows', 'agents', 'agent', 'capabilities', 'connections', 'roles', 'role', 'policies', 'locks', 'dead-letters', 'kill-switches'].map(name => ['get', name])];
  it.each(COMMANDS.map(command => [command.join(' '), command]))('of %s has examples', async (name, command) => {
    const { code, out, err } = await aifirst([...command, '--help']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/Examples:\n {2}\$ aifirst /);
    expect(out).toContain(`aifirst ${name}`);
    expect(out).toContain('AIFIRST_URL');
  });
  it('of everything names every command and the exit codes', async () => {
    const { out } = await aifirst(['--help']);
    for (const [name] of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect(out).toContain('Exit code: 0 ');
  });
});
