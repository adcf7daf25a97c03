import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServedLog, workflowFacts } from '@aifirst/audit/testing';
import { run } from './cli';

const numbers = () => ({ gateway: 0, orchestrator: 0, policy: 0, adapter: 0 });
const someFacts = () => { const from = numbers(); return Array.from({ length: 20 }, (_, i) => workflowFacts(`01980000-0000-7000-8000-${String(i).padStart(12, '0')}`, from)).flat(); };

let folder: string;
let log: ServedLog;
let answer: (path: string) => { readonly status: number; readonly body: Uint8Array };
let server: Server;
let env: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aifirst-cli-'));
  log = ServedLog.of(someFacts());
  answer = path => { const body = log.answer(path); return body === null ? { status: 404, body: Buffer.from('{"code":"NOT_FOUND"}') } : { status: 200, body }; };
  server = createServer((request, response) => {
    const { status, body } = request.headers.authorization === 'Bearer secret' ? answer(request.url!) : { status: 401, body: Buffer.from('{"code":"UNAUTHENTICATED","detail":"no such token"}') };
    response.writeHead(status).end(body);
  });
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
  env = { AIFIRST_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, AIFIRST_TOKEN: 'secret', HOME: folder };
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function aifirst(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await run(args, { env, out: text => { out += text; }, err: text => { err += text; } });
  return { code, out, err };
}

describe('aifirst audit verify', () => {
  it('verifies a server\'s log, remembers it, and says whether the key was pinned', async () => {
    const first = await aifirst('audit', 'verify');
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toContain('verified: test/default, 380 entries from index 0 on, tree of size 380');
    expect(first.out).toContain('key not pinned');
    expect(JSON.parse(readFileSync(join(folder, '.aifirst', 'seen.json'), 'utf8'))).toEqual({ [env['AIFIRST_URL']!.slice(0, -1)]: { vkey: log.vkey(), size: 380, root: Buffer.from(log.root()).toString('base64') } });
    const second = await aifirst('audit', 'verify', '--key', log.vkey(), '-o', 'json');
    expect(second.code).toBe(0);
    expect(JSON.parse(second.out)).toMatchObject({ ok: true, firstBadIndex: null, problems: [], summary: { keyPinned: true, size: 380 } });
  });

  it('takes the key from a file, and the token from the data folder', async () => {
    writeFileSync(join(folder, 'audit.vkey'), `${log.vkey()}\n`);
    writeFileSync(join(folder, 'admin.token'), 'secret\n');
    delete env['AIFIRST_TOKEN'];
    env['DATA_DIR'] = folder;
    expect(await aifirst('audit', 'verify', '--key', join(folder, 'audit.vkey'))).toMatchObject({ code: 0 });
  });

  it('ends with 1 and the first bad index where an entry was changed', async () => {
    const [note, tile] = [log.note(), ['000', '001.p/124'].map(number => log.answer(`/v1/audit/tile/0/${number}`)!)];
    const honest = answer;
    log.texts[300] = log.texts[300]!.replace('"time":"2025', '"time":"2024');
    answer = path => (path.endsWith('checkpoint') ? { status: 200, body: Buffer.from(note) } : path.includes('tile/0') ? { status: 200, body: tile[path.includes('001') ? 1 : 0]! } : honest(path));
    const { code, out } = await aifirst('audit', 'verify');
    expect([code, out.split('\n')[0]]).toEqual([1, 'TAMPERED: first bad index 300']);
  });

  it('ends with 1 where the log was rolled back since it was last seen, in this or another file', async () => {
    const seen = join(folder, 'other.json');
    expect(await aifirst('audit', 'verify', '--seen', seen)).toMatchObject({ code: 0 });
    log.texts.length = 100;
    const { code, out } = await aifirst('audit', 'verify', '--seen', seen);
    expect([code, out]).toEqual([1, expect.stringContaining('ROLLED_BACK')]);
    expect(JSON.parse(readFileSync(seen, 'utf8'))[env['AIFIRST_URL']!.slice(0, -1)].size).toBe(380);
    expect(await aifirst('audit', 'verify')).toMatchObject({ code: 0 });
  });

  it('ends with 1 where another key has signed', async () => {
    const other = log.vkey();
    log.signer = new (log.signer.constructor as new (seed: Uint8Array) => typeof log.signer)(Buffer.alloc(32, 3));
    expect(await aifirst('audit', 'verify', '--key', other)).toMatchObject({ code: 1, out: expect.stringContaining('SIGNATURE') });
  });

  it.each<readonly [string, string[], () => void]>([
    ['nobody listens', [], () => { env['AIFIRST_URL'] = 'http://127.0.0.1:9'; }],
    ['the address is none', [], () => { env['AIFIRST_URL'] = 'ftp://x'; }],
    ['the token is wrong', [], () => { env['AIFIRST_TOKEN'] = 'wrong'; }],
    ['there is no token', [], () => { delete env['AIFIRST_TOKEN']; env['DATA_DIR'] = join(folder, 'nowhere'); }],
    ['the server is out of order', [], () => { answer = () => ({ status: 503, body: Buffer.from('out of order') }); }],
    ['there is no checkpoint yet', [], () => { answer = () => ({ status: 404, body: Buffer.from('{}') }); }],
    ['the key is none', ['--key', 'nonsense'], () => undefined],
    ['a time is none', ['--from', 'yesterday'], () => undefined],
    ['an option is unknown', ['--nonsense'], () => undefined],
    ['options contradict each other', ['--offline', 'x', '--from', '2026-01-01'], () => undefined],
    ['the file is not there', ['--offline', '/nowhere/at/all'], () => undefined],
    ['the format is unknown', ['-o', 'yaml'], () => undefined],
    ['the token is no file', ['--token-file', '/nowhere/at/all'], () => undefined],
    ['what was seen can\'t be read', [], () => { env['HOME'] = join(folder, 'file'); writeFileSync(env['HOME'], ''); }],
  ])('ends with 2 and one line where %s', async (_, args, arrange) => {
    arrange();
    const { code, out, err } = await aifirst('audit', 'verify', ...args);
    expect([code, out]).toEqual([2, '']);
    expect(err.trim()).not.toBe('');
    expect(err).not.toMatch(/\n {4}at /);
  });
});

describe('aifirst', () => {
  it('writes an export as it comes', async () => {
    answer = path => ({ status: 200, body: Buffer.from(`export ${path}\n`) });
    const file = join(folder, 'out.aifirst');
    expect(await aifirst('audit', 'export', '--from', '2026-01-01', '--tenant', 'a b', '-o', file)).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toBe('export /v1/audit/export?from=2026-01-01&tenant=a+b\n');
    expect(await aifirst('audit', 'export', '-o', '-')).toMatchObject({ code: 0, out: 'export /v1/audit/export\n' });
    expect(await aifirst('audit', 'verify', '--offline', file)).toMatchObject({ code: 1, out: expect.stringContaining('NOT_CANONICAL') });
    expect(await aifirst('audit', 'export', '-o', join(folder, 'no', 'such', 'folder'))).toMatchObject({ code: 2 });
    expect(await aifirst('audit', 'export')).toMatchObject({ code: 2 });
  });

  it('shows help with examples, and knows only what is there', async () => {
    const help = await aifirst('audit', 'verify', '--help');
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toContain('aifirst audit verify --offline');
    expect((await aifirst('--help')).out).toMatch(/audit/);
    expect(await aifirst('approve')).toMatchObject({ code: 2 });
    expect(await aifirst('audit', 'report')).toMatchObject({ code: 2 });
  });

  it('runs as a program of its own', async () => {
    const child = spawn(process.execPath, [join(__dirname, '..', 'bin', 'aifirst.js'), 'audit', 'verify', '--offline', join(folder, 'none')], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let err = '';
    child.stderr.on('data', chunk => { err += String(chunk); });
    const code = await new Promise(resolve => { child.once('close', resolve); });
    expect([code, err]).toEqual([2, expect.stringMatching(/^aifirst: can't read .*none`: ENOENT/)]);
  });
});
