import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, ensureBuilt } from '../support/build';
import { processesOf } from '../support/processes';
import { until } from '../support/wait';

const RECORDED = /<!-- demo -->\s*```text\n(?<text>[\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.groups?.['text'];
const MS_MAX = 120_000;

describe('the demonstration', () => {
  let folder: string;
  beforeAll(ensureBuilt, MS_MAX);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'aifirst-e2e-'));
    chmodSync(folder, 0o711); // Why: as root its databases run as another user.
  });
  afterEach(() => { rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }); });

  /** @param sees told of all output so far, with a way to signal it */
  const run = (env: Readonly<Record<string, string>>, sees: (output: string, signal: (name: NodeJS.Signals) => void) => void = () => undefined) => new Promise<{ code: number | null; output: string; errors: string }>(resolve => {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn('npm', ['run', '--silent', 'demo'], { cwd: ROOT, env: { PATH, HOME, TMPDIR: folder, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text; sees(output, name => { process.kill(-child.pid!, name); }); });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { errors += text; });
    child.once('close', code => { resolve({ code, output, errors }); });
  });
  const nothingIsLeft = async (): Promise<void> => {
    await until('all its processes are gone', () => processesOf(folder).length === 0);
    expect(readdirSync(folder)).toEqual([]);
  };

  it('prints what the README shows, and leaves nothing', async () => {
    const { code, output, errors } = await run({});
    expect({ code, errors, lines: output.split('\n') }).toEqual({ code: 0, errors: '', lines: RECORDED?.split('\n') });
    await nothingIsLeft();
  }, MS_MAX);

  it('says the same in colour', async () => {
    const { code, output } = await run({ FORCE_COLOR: '1' });
    expect(output).toMatch(/\x1b\[32m/);
    expect([code, output.replace(/\x1b\[\d+m/g, '').split('\n').map(line => line.trimEnd())]).toEqual([0, RECORDED?.split('\n')]);
  }, MS_MAX);

  it.each(['The start', 'The way back'])('leaves nothing when Ctrl-C ends it at "%s"', async at => {
    let sent = false;
    const { code, output } = await run({}, (seen, signal) => { if (!sent && seen.includes(at)) { sent = true; signal('SIGINT'); } });
    expect(code).not.toBe(0);
    expect(output).not.toContain('The forgery');
    await nothingIsLeft();
  }, MS_MAX);
});
