import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentClient } from '../support/agent';
import { ROOT } from '../support/build';
import type { Body } from '../support/http';
import { Stack } from '../support/stack';

/** `AIFIRST_TEST_PYTHON`: one that has what `clients/python/requirements.txt` names. */
const PYTHON = process.env['AIFIRST_TEST_PYTHON'] ?? 'python3';
const PACKAGE = join(ROOT, 'clients/python');
const can = (python: string, program: string): boolean => spawnSync(python, ['-c', program], { stdio: 'ignore' }).status === 0;
const hasPython = can(PYTHON, 'import sys; sys.exit(sys.version_info < (3, 10))');
if (!hasPython) process.stderr.write(`The client library for Python is not tried: ${PYTHON} is not there, or older than 3.10 (AIFIRST_TEST_PYTHON)\n`);
const hasFrameworks = hasPython && can(PYTHON, 'import sys, importlib.util as i; sys.exit(not all(i.find_spec(n) for n in ("httpx", "autogen_agentchat", "autogen_ext", "crewai")))');
if (hasPython && !hasFrameworks) process.stderr.write(`Agents of AutoGen and CrewAI are not tried: ${PYTHON} has not what clients/python/requirements.txt names (AIFIRST_TEST_PYTHON)\n`);
const INSTALL_MS_MAX = 240_000;
const PROGRAM_MS_MAX = 120_000;
const CAPABILITIES = ['fs.read', 'fs.write', 'fs.append', 'fs.list', 'noop', 'timer.sleep', 'rollback'];

interface Line { readonly case: string; readonly ok: boolean; readonly said?: Body }

(hasPython ? describe : describe.skip)('the client library for Python', () => {
  let stack: Stack;
  let folder: string;
  let python = PYTHON;
  let installed = false;
  let agent: AgentClient;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'aifirst-python-'));
    // Why only there: where the packages are, nothing is fetched.
    if (!can(PYTHON, 'import httpx')) {
      must(spawnSync(PYTHON, ['-m', 'venv', join(folder, 'venv')], { encoding: 'utf8' }));
      python = join(folder, 'venv/bin/python');
      must(spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE], { encoding: 'utf8' }));
      installed = true;
    }
    stack = await Stack.start();
    agent = await stack.agent({ capabilities: CAPABILITIES });
    writeFileSync(join(agent.root, 'kept.txt'), 'kept');
  }, INSTALL_MS_MAX);
  afterAll(async () => { await stack?.stop(); rmSync(folder, { recursive: true, force: true }); });

  function environment(): Record<string, string> {
    const { PATH = '', HOME = '' } = process.env;
    return {
      PATH, HOME, LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1', ...(installed ? {} : { PYTHONPATH: join(PACKAGE, 'src') }), AIFIRST_URL: stack.url, AIFIRST_TOKEN: agent.token!, CONNECTION: agent.connection.name,
      CREWAI_DISABLE_TELEMETRY: 'true', CREWAI_TRACING_ENABLED: 'false', OTEL_SDK_DISABLED: 'true', CREWAI_STORAGE_DIR: join(folder, 'crewai'),
    };
  }

  /** @returns what the program printed, a line for each case */
  async function run(program: string, cases: readonly string[], onLine: (line: Line) => void = () => undefined): Promise<Line[]> {
    const child = spawn(python, [join(PACKAGE, 'tests', program), ...cases], { stdio: ['ignore', 'pipe', 'pipe'], timeout: PROGRAM_MS_MAX, env: environment() });
    const lines: Line[] = [];
    let [rest, problems] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = `${rest}${text}`.split('\n');
      rest = parts.pop()!;
      for (const line of parts.filter(part => part.startsWith('{"case"')).map(part => JSON.parse(part) as Line)) { lines.push(line); onLine(line); }
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { problems += text; });
    const code = await new Promise(resolve => { child.once('close', resolve); });
    expect(problems).not.toContain(agent.token);
    if (code !== 0 && lines.every(({ ok }) => ok)) throw new Error(`the program ended with ${String(code)}: ${problems.slice(-4_000)}`);
    return lines;
  }
  const fine = (...cases: readonly string[]): Line[] => cases.map(name => ({ case: name, ok: true, said: expect.anything() as Body }));

  it('hands in, waits, and tells what was refused, denied or undone', async () => {
    const cases = ['submit', 'odd_names', 'slow', 'failed', 'denied', 'refused'];
    expect(await run('against_server.py', cases)).toEqual(fine(...cases));
    expect(readFileSync(join(agent.root, 'a~b/out.txt'), 'utf8')).toBe('a line');
    expect(readFileSync(join(agent.root, 'kept.txt'), 'utf8')).toBe('kept');
  }, PROGRAM_MS_MAX);

  it('plans, applies, takes back, stops and goes on', async () => {
    const cases = ['plans', 'rollback', 'control'];
    expect(await run('against_server.py', cases)).toEqual(fine(...cases));
  }, PROGRAM_MS_MAX);

  it('shows live what happens, and acts once when an answer was lost', async () => {
    const cases = ['live', 'repeated'];
    expect(await run('against_server.py', cases)).toEqual(fine(...cases));
    expect(readFileSync(join(agent.root, 'once.txt'), 'utf8')).toBe('line\nline\n');
  }, PROGRAM_MS_MAX);

  it('does what the first example of its document says', () => {
    const example = /<!-- test: python example -->\n```python\n([^]*?)```/.exec(readFileSync(join(ROOT, 'docs/python.md'), 'utf8'))![1]!;
    const { stdout, stderr, status } = spawnSync(python, ['-c', example.replaceAll('"workspace"', JSON.stringify(agent.connection.name))], { encoding: 'utf8', env: environment(), timeout: PROGRAM_MS_MAX });
    expect([status, stdout, stderr]).toEqual([0, 'completed\n', '']);
    expect(readFileSync(join(agent.root, 'letters/42.txt'), 'utf8')).toBe('Dear Ada, …');
  }, PROGRAM_MS_MAX);

  it('gives capabilities as tools, and does everything without blocking too', async () => {
    const cases = ['as_tools', 'asynchronous'];
    expect(await run('against_server.py', cases)).toEqual(fine(...cases));
  }, PROGRAM_MS_MAX);

  (hasFrameworks ? it : it.skip)('serves real agents of AutoGen and CrewAI: what they do is recorded, what fails they can read, nothing is left out', async () => {
    const cases = ['autogen_agent', 'crewai_agent'];
    expect(await run('frameworks_against_server.py', cases)).toEqual(fine(...cases));
    for (const framework of ['autogen', 'crewai']) {
      expect(readFileSync(join(agent.root, `${framework}.txt`), 'utf8')).toBe('by an agent!!');
      const workflows = await agent.all(`/v1/workflows?label=framework=${framework}`);
      expect(workflows.map(({ status, labels }: Body) => [status, labels.via])).toEqual([['completed', 'python'], ['completed', 'python'], ['rolledBack', 'python'], ['completed', 'python'], ['completed', 'python']]);
    }
  }, PROGRAM_MS_MAX);

  it('goes on over a restart of the server, with every event once', async () => {
    let restarted: Promise<void> | undefined;
    const lines = await run('against_server.py', ['outage'], line => { if (line.case === 'restart now') restarted = stack.restart(); });
    await restarted;
    expect(lines.slice(1)).toEqual(fine('outage'));
  }, PROGRAM_MS_MAX);
});

function must({ status, stdout, stderr, error }: { readonly status: number | null; readonly stdout: string; readonly stderr: string; readonly error?: Error | undefined }): void {
  if (status !== 0) throw new Error(`${error?.message ?? `exit ${String(status)}`}: ${stdout}${stderr}`);
}
