import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse } from 'yaml';
import { run } from './cli';

interface Asked { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers']; readonly body: string }
type Answer = (asked: Asked, response: ServerResponse) => void;

const ID = '01980000-0000-7000-8000-000000000000';
const PLAN = {
  planId: 'plan-1', digest: 'sha256:ab', pointOfNoReturn: null,
  steps: [{
    order: 1, id: 'letter', capability: 'fs.write', decision: { outcome: 'allow', policies: [], policyVersion: '1', reason: '', at: '' }, risk: { level: 'low', score: 20, factors: [] }, approvals: [], undo: { how: 'exact', detail: '' },
    preview: { summary: 'changes a file', footprint: [], truncated: false, changes: [{ kind: 'file', resource: 'file://docs/a\x1b]0;x\x07.txt', action: 'change', before: null, after: null, diff: '--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\x1b[2J\n' }] },
  }],
};
const WORKFLOW = { id: ID, status: 'completed', statusReason: null, goal: 'x', steps: [], residue: [], createdAt: '2026-01-01T00:00:00.000Z', endedAt: '2026-01-01T00:00:01.000Z' };

let server: Server;
let asked: Asked[];
let answers: Answer[];
let url: string;

/** A server that answers one after the other as told, and the last ever after. */
beforeEach(async () => {
  [asked, answers] = [[], []];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk as Buffer)).on('end', () => {
      const one = { method: request.method!, url: request.url!, headers: request.headers, body: Buffer.concat(chunks).toString() };
      asked.push(one);
      (answers.length > 1 ? answers.shift()! : answers[0]!)(one, response);
    });
  });
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
});

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => (_, response) => { response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...headers }).end(JSON.stringify(body)); };
const problem = (status: number, code: string, headers: Record<string, string> = {}): Answer => json(status, { code, detail: 'why', errors: [{ code, detail: 'why' }] }, headers);
const broken: Answer = (_, response) => { response.destroy(); };
const event = (id: number, fact: string, data: object = {}): string => `id: ${id}\nevent: aifirst.workflow.${fact}.v1\ndata: ${JSON.stringify({ type: `aifirst.workflow.${fact}.v1`, time: '2026-01-01T00:00:00.000Z', sequence: id, data })}\n\n`;
/** Events, and then the end of the stream; or its breaking. */
const stream = (events: string, isBroken = false): Answer => (_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.write(events, () => { if (isBroken) response.destroy(); else response.end(); });
};

async function aifirst(args: readonly string[], { env = {}, terminal = false }: { readonly env?: Record<string, string>; readonly terminal?: boolean } = {}): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    env: { AIFIRST_URL: url, AIFIRST_TOKEN: 'secret', ...env }, out: text => { out += text; }, err: text => { err += text; }, input: () => Promise.resolve(Buffer.from('{"goal":"x","steps":[]}')),
    ...(terminal ? { terminal: { out: true, err: true, columns: 80 } } : {}),
  });
  return { code, out, err };
}

describe('aifirst plan', () => {
  it('shows the plan of what it sends as it stands', async () => {
    answers = [json(200, PLAN)];
    const { code, out, err } = await aifirst(['plan']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/1 {2}letter {2}fs\.write {2}allow[^]*change file:\/\/docs\/a\\x1b\]0;x\\x07\.txt[^]*-old\n {5}\+new\\x1b\[2J\n[^]*aifirst apply --plan plan-1\n$/);
    expect(asked).toMatchObject([{ method: 'POST', url: '/v1/plans', body: '{"goal":"x","steps":[]}', headers: { authorization: 'Bearer secret', 'content-type': 'application/json' } }]);
  });
  it('is in colour on a terminal, and even then nothing of the server drives it', async () => {
    answers = [json(200, PLAN)];
    const { out } = await aifirst(['plan'], { terminal: true });
    expect(out).toContain('\x1b[31m-old\x1b[39m');
    expect(out.replaceAll(/\x1b\[\d+m/g, '')).not.toContain('\x1b');
    expect((await aifirst(['plan'], { terminal: true, env: { NO_COLOR: '1' } })).out).not.toContain('\x1b');
    expect((await aifirst(['plan'], { env: { FORCE_COLOR: '1' } })).out).toContain('\x1b[31m-old');
  });
  it('gives programs what the server gave', async () => {
    answers = [json(200, PLAN)];
    expect(JSON.parse((await aifirst(['plan', '-o', 'json'])).out)).toEqual(PLAN);
    expect(parse((await aifirst(['plan', '-o', 'yaml'])).out)).toEqual(PLAN);
    expect((await aifirst(['plan', '-o', 'yaml'])).out).not.toContain('\x1b');
  });
  it('waits for one that is still being made', async () => {
    answers = [json(202, { planId: 'plan-1' }), json(202, { planId: 'plan-1' }), json(200, PLAN)];
    const { code, out, err } = await aifirst(['plan', '-o', 'json']);
    expect([code, JSON.parse(out), err]).toEqual([0, PLAN, 'plan plan-1 is being made …\n']);
    expect(asked.map(one => `${one.method} ${one.url}`)).toEqual(['POST /v1/plans', 'GET /v1/plans/plan-1', 'GET /v1/plans/plan-1']);
  });
  it('is shown again by its id', async () => {
    answers = [json(200, PLAN)];
    expect(await aifirst(['get', 'plan', 'plan-1'])).toMatchObject({ code: 0, out: expect.stringContaining('changes a file') });
  });
  it('where there is none yet says what to do instead', async () => {
    answers = [problem(501, 'NOT_IMPLEMENTED')];
    expect(await aifirst(['plan'])).toEqual({ code: 1, out: '', err: 'aifirst: NOT_IMPLEMENTED (501): why\n' });
  });
});

describe('aifirst apply', () => {
  it('runs exactly a plan, and says what to do when it is stale', async () => {
    answers = [problem(409, 'PLAN_STALE')];
    expect(await aifirst(['apply', '--plan', 'plan-1', '--key', 'k'])).toMatchObject({ code: 1, err: expect.stringMatching(/PLAN_STALE \(409\)[^]*mend: .*make a new plan/) });
    expect(asked).toMatchObject([{ method: 'POST', url: '/v1/intents', body: '{"planId":"plan-1"}', headers: { 'idempotency-key': 'k' } }]);
  });
  it('tries again under the same key where the answer was lost or the server was not ready', async () => {
    answers = [broken, problem(503, 'UNAVAILABLE', { 'retry-after': '0' }), json(202, { intentId: 'i', workflowId: ID })];
    expect(await aifirst(['apply', '--no-wait'])).toMatchObject({ code: 0, out: expect.stringContaining(ID) });
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(asked).toHaveLength(3);
  });
  it('says that it is not known, and how to find out, where the server stays away', async () => {
    answers = [broken];
    const { code, err } = await aifirst(['apply', '--plan', 'p', '--key', 'it\'s']);
    expect(code).toBe(3);
    expect(err).toContain('it is not known whether it was taken in: `aifirst apply --plan p --key \'it\'\\\'\'s\'` does not do it twice');
  });
});

describe('aifirst watch', () => {
  const head = json(200, WORKFLOW);
  it('takes a broken stream up where it broke and shows nothing twice', async () => {
    answers = [
      head, stream(event(5, 'policy-asked') + event(7, 'step-started', { step: 'a' }), true), problem(503, 'UNAVAILABLE'), stream(`: still here\n\n${event(7, 'step-started', { step: 'a' })}${event(8, 'step-succeeded', { step: 'a' })}`),
      stream(event(9, 'workflow-ended', { status: 'completed' })), head,
    ];
    const { code, out, err } = await aifirst(['watch', ID]);
    expect(code).toBe(0);
    expect(out.match(/running|succeeded|ended/g)).toEqual(['running', 'succeeded', 'ended']);
    expect(err.match(/lost sight of it/g)).toHaveLength(1);
    const streams = asked.filter(one => one.url.endsWith('/events'));
    expect(streams.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '7', '7', '8']);
    expect(streams.every(({ headers }) => headers.accept === 'text/event-stream')).toBe(true);
  });
  it('ends where there is nothing after what was seen', async () => {
    answers = [head, stream(event(5, 'step-started', { step: 'a' }), true), (_, response) => { response.writeHead(204).end(); }, head];
    expect(await aifirst(['watch', ID])).toMatchObject({ code: 0 });
  });
  it('ends with 1 where it may not, or may not any more', async () => {
    answers = [head, stream(event(5, 'step-started', { step: 'a' })), problem(401, 'UNAUTHENTICATED')];
    expect(await aifirst(['watch', ID])).toMatchObject({ code: 1, err: expect.stringContaining('UNAUTHENTICATED (401)') });
  });
  it('bears facts that it does not know', async () => {
    answers = [head, stream(`${event(1, 'something-new\x1b'.slice(0, -1), { step: 'a' })}id: 2\ndata: no JSON\n\n${event(3, 'workflow-ended', { status: 'completed' })}`), head];
    expect(await aifirst(['watch', ID])).toMatchObject({ code: 0, out: expect.stringContaining('something-new') });
  });
});

describe('a server', () => {
  it('that is not there ends with 3', async () => {
    expect(await aifirst(['get', 'roles', '--server', 'http://127.0.0.1:1'])).toMatchObject({ code: 3, out: '', err: expect.stringMatching(/^aifirst: can't reach http:\/\/127\.0\.0\.1:1: .+\n$/) });
  });
  it('that is another one ends with 3', async () => {
    answers = [(_, response) => { response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>'); }];
    expect(await aifirst(['get', 'roles'])).toMatchObject({ code: 3, err: expect.stringContaining('does not answer as an AI-First Runtime does') });
    answers = [json(200, { hello: 'there' })];
    expect(await aifirst(['get', 'roles'])).toMatchObject({ code: 3, err: expect.stringContaining('does not answer with a list') });
    answers = [(_, response) => { response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(); }];
    expect(await aifirst(['get', 'roles'])).toMatchObject({ code: 3 });
  });
  it('that is busy is asked again, and told of with 3 where it stays so', async () => {
    answers = [problem(503, 'UNAVAILABLE', { 'retry-after': '0' }), json(200, { items: [], next: null })];
    expect(await aifirst(['get', 'roles'])).toMatchObject({ code: 0 });
    answers = [problem(503, 'UNAVAILABLE', { 'retry-after': '3600' })];
    expect(await aifirst(['get', 'roles'])).toMatchObject({ code: 3, err: expect.stringContaining('try again in 3600 s') });
  });
  it('that pages in circles is not followed for ever; pages are as large as needed', async () => {
    answers = [json(200, { items: [{ name: 'a' }], next: 'again' })];
    expect(await aifirst(['get', 'roles'])).toMatchObject({ code: 3, err: expect.stringContaining('goes round in circles') });
    asked.length = 0;
    const page = { items: Array.from({ length: 200 }, (_, i) => ({ name: `r${i}` })) };
    answers = [json(200, { ...page, next: 'a' }), json(200, { ...page, next: 'b' }), json(200, { ...page, next: 'c' })];
    expect((JSON.parse((await aifirst(['get', 'roles', '--limit', '450', '-o', 'json'])).out) as { items: unknown[] }).items).toHaveLength(450);
    expect(asked.map(one => one.url)).toEqual(['/v1/roles?limit=200', '/v1/roles?limit=200&cursor=a', '/v1/roles?limit=50&cursor=b']);
  });
  it('gets orders once, as nobody knows what came of one that was lost', async () => {
    answers = [json(200, { items: [], next: null }), broken];
    expect(await aifirst(['rollback', ID])).toMatchObject({ code: 3, err: expect.stringContaining(`whether it was taken in shows \`aifirst get workflow ${ID}\``) });
    expect(asked).toHaveLength(2);
  });
  it('previews a rollback', async () => {
    const answer = { digest: 'sha256:ab', steps: [{ id: 'a', summary: 'put back\x1b' }] };
    const options = ['rollback', ID, '--preview', '--cascade', '--on-conflict', 'skip', '--reason', 'why', '--digest', 'sha256:cd'];
    answers = [json(200, answer), json(200, answer), json(200, answer)];
    const [yaml, asJson, text] = [await aifirst([...options, '-o', 'yaml']), await aifirst([...options, '-o', 'json']), await aifirst(options)];
    expect([yaml.code, parse(yaml.out), asJson.code, JSON.parse(asJson.out), text.code]).toEqual([0, answer, 0, answer, 0]);
    expect(asked.map(({ body }) => JSON.parse(body) as unknown)).toEqual([1, 2, 3].map(() => ({ preview: true, cascade: true, onConflict: 'skip', reason: 'why', digest: 'sha256:cd' })));
    expect(text.out).toContain('put back\\x1b');
    expect(yaml.out + asJson.out + text.out).not.toContain('\x1b');
  });
  it('hands over the digest of a preview, and shows what a rollback would take the ground from', async () => {
    const dependent = { workflow: '01980000-0000-7000-8000-000000000001', step: 'b', agent: 'clerk', kind: 'lock', resource: 'file://docs/a', at: '2026-01-01T00:00:00.000Z', blocks: true };
    answers = [json(409, { code: 'IN_USE', detail: 'another workflow builds on it', errors: [], dependents: [dependent] })];
    const { code, out, err } = await aifirst(['rollback', ID, '--digest', 'sha256:ab', '--no-wait']);
    expect([code, out, JSON.parse(asked[0]!.body)]).toEqual([1, '', { digest: 'sha256:ab' }]);
    expect(err).toMatch(/IN_USE \(409\): another workflow builds on it\n {2}WORKFLOW [^]*\n {2}01980000-0000-7000-8000-000000000001 +b +clerk +lock +file:\/\/docs\/a +2026-01-01T00:00:00.000Z +in the way\n {2}mend: .*--digest/);
  });
});
