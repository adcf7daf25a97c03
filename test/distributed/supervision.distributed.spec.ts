import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, expectStatus, noop, sleep, stepOf } from '../support/agent';
import { ROOT } from '../support/build';
import { servicesOf } from '../support/havoc';
import { Http } from '../support/http';
import { processesOf } from '../support/processes';
import { Stack } from '../support/stack';
import { until } from '../support/wait';

const SERVICES = ['gateway', 'orchestrator', 'policy', 'audit', 'adapter-os', 'adapter-sql'] as const;
const GONE_MS_MAX = 10_000;
/** A lease that nobody gave back lasts 10 s. */
const TAKEN_OVER_MS_MAX = 30_000;
const BAD_SETTINGS = 2;
/** Of a service's second copy. */
const NEXT_COPY = 10;

let stack: Stack;
afterEach(async () => { await stack?.stop(); });

const nothingRuns = (): Promise<unknown> => until('nothing works with the data folder any more', () => processesOf(stack.dataDir).length === 0, GONE_MS_MAX).catch((error: Error) => { throw new Error(`${error.message}: ${JSON.stringify(processesOf(stack.dataDir))}`); });
const pidOf = (service: string): number => servicesOf(stack.dataDir).find(({ name }) => name === service)!.pid;

describe('services that a supervisor keeps alive', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s drains them all, exits 0 within 10 s and leaves nothing running; the next start carries on with every workflow', async signal => {
    stack = await Stack.start();
    const agent = await stack.agent();
    const done = await agent.run([agent.fs('write', 'a', { path: 'done.txt', content: 'x' })]);
    const open = await Promise.all(Array.from({ length: 5 }, (_, n) => agent.start([sleep('a', 2_000), agent.fs('append', 'b', { path: 'open.log', content: `${n}\n` }, after('a')), noop('c', {}, after('b'))])));
    const waiting = agent.submit([sleep('a', 20_000)], {}, { prefer: 'wait=60' });
    await until('it runs', async () => (await agent.get('/v1/workflows')).body.items.some(({ steps }: { steps: { status: string; capability: string }[] }) => steps.length === 1 && steps[0]!.status === 'running'));
    const began = Date.now();
    stack.signal(signal);
    expect((await waiting).status).toBe(202);
    expect(await stack.ended).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(10_000);
    expect(stack.deaths).toEqual([]);
    await nothingRuns();
    await stack.restart();
    for (const id of open) expectStatus(await agent.rest(id), 'completed');
    expect(readFileSync(join(agent.root, 'open.log'), 'utf8').trimEnd().split('\n').sort()).toEqual(['0', '1', '2', '3', '4']);
    expect(await agent.workflow(done.id)).toEqual(done);
  }, 120_000);

  it('kill -9 of the supervisor alone leaves nothing running, and the next start carries on', async () => {
    stack = await Stack.start();
    const agent = await stack.agent();
    const id = await agent.start([agent.fs('write', 'a', { path: 'a.txt', content: 'x' }), sleep('b', 1_000, after('a')), noop('c', {}, after('b'))]);
    await until('it sleeps', async () => stepOf(await agent.workflow(id), 'b').status === 'running');
    expect(servicesOf(stack.dataDir)).toHaveLength(SERVICES.length);
    stack.signal('SIGKILL');
    expect(await stack.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await nothingRuns();
    await stack.restart();
    expectStatus(await agent.rest(id), 'completed');
  }, 120_000);

  it('kill -9 of any service starts it again, and workflows go on', async () => {
    stack = await Stack.start();
    const agent = await stack.agent();
    for (const [at, service] of SERVICES.entries()) {
      const [killed, supervisor] = [pidOf(service), stack.pid];
      const id = await agent.start([agent.fs('write', 'a', { path: `${service}.txt`, content: service }), sleep('b', 1_500, after('a')), noop('c', {}, after('b'))]);
      await until('it sleeps', async () => stepOf(await agent.workflow(id), 'b').status === 'running');
      process.kill(killed, 'SIGKILL');
      await until(`${service} is there again`, () => servicesOf(stack.dataDir).some(({ name, pid }) => name === service && pid !== killed), GONE_MS_MAX);
      await stack.ready();
      expectStatus(await agent.rest(id), 'completed');
      expectStatus(await agent.run([agent.fs('read', 'a', { path: `${service}.txt` })]), 'completed');
      expect([stack.pid, stack.hasEnded, stack.deaths]).toEqual([supervisor, false, SERVICES.slice(0, at + 1).map(name => `${name} SIGKILL`)]);
    }
  }, 240_000);

  it('a setting that is wrong ends the start with code 2 and one clear line, before anything is made', async () => {
    stack = await Stack.prepared();
    await stack.distribution!.prepare();
    const wrong = [
      [{ PORT: 'many' }, /PORT is "many"/], [{ PORT: '0' }, /PORT is "0"/], [{ PORT: '65520', COPIES: '3' }, /PORT is "65520": it must be from 1 to 65509, because the 18 processes/], [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL is "loud"/], [{ COPIES: 'two' }, /COPIES is "two"/], [{ COPIES: '0' }, /COPIES/], [{ COPIES: 'nobody=2' }, /COPIES/],
      [{ KAFKA_BROKERS: '' }, /KAFKA_BROKERS is not set/], [{ KAFKA_BROKERS: 'nowhere' }, /KAFKA_BROKERS is "nowhere"/], [{ DATABASE_URL: '' }, /DATABASE_URL is not set/], [{ DATABASE_URL: 'mysql://x' }, /DATABASE_URL/],
    ] as const;
    for (const [env, said] of wrong) {
      const { code, output } = await run(['distributed.js'], env);
      expect([env, code, output.split('\n').filter(line => line.startsWith("can't start"))]).toEqual([env, BAD_SETTINGS, [expect.stringMatching(said)]]);
      expect(output).not.toMatch(/\n\s+at /);
    }
    expect([existsSync(stack.dataDir), processesOf(stack.dataDir)]).toEqual([false, []]);
  }, 120_000);

  it('a service that finds its settings wrong ends everything with code 2, and is not tried again', async () => {
    stack = await Stack.prepared();
    await stack.distribution!.prepare();
    const loaded = join(stack.folder, 'refuses.cjs');
    writeFileSync(loaded, `if (process.argv[2] === 'policy') { console.error("policy can't start: its settings are wrong"); process.exit(${BAD_SETTINGS}); }`);
    const { code, output } = await run(['distributed.js'], { NODE_OPTIONS: `--require ${loaded}` });
    expect([code, output.match(/can't start: its settings are wrong/g)]).toEqual([BAD_SETTINGS, [expect.anything()]]);
    await nothingRuns();
  }, 60_000);

  it('a port that somebody else has ends everything with code 2, and says which', async () => {
    stack = await Stack.prepared();
    await stack.distribution!.prepare();
    const port = Number(new URL(stack.url).port) + 2;
    const other = createServer().listen(port, '127.0.0.1');
    try {
      const { code, output } = await run(['distributed.js'], {});
      expect([code, output]).toEqual([BAD_SETTINGS, expect.stringContaining(`policy can't start: PORT is "${port}": policy can't listen there`)]);
    } finally {
      other.close();
    }
    await nothingRuns();
  }, 60_000);

  it('another number of shards than at the first start is refused, and the first one works on', async () => {
    stack = await Stack.start({ env: { SHARDS: '2' } });
    await stack.terminate();
    const { code, output } = await run(['distributed.js'], { SHARDS: '4' });
    expect([code, output]).toEqual([BAD_SETTINGS, expect.stringMatching(/orchestrator can't start: log `orchestrator` was begun with 2 shards, not 4, .*set SHARDS=2/)]);
    await stack.restart();
    expectStatus(await (await stack.agent()).run([noop('a')]), 'completed');
  }, 120_000);

  it('a service alone says in one line what it misses, and exits 2', async () => {
    stack = await Stack.prepared();
    await stack.distribution!.prepare();
    const cases = [
      [['service.js'], {}, /^name the service: .*gateway\|orchestrator/], [['service.js', 'nobody'], {}, /^there is no service `nobody`/], [['service.js', 'adapter-http'], {}, /^service `adapter-http` is not built yet/],
      [['service.js', 'policy'], { KAFKA_BROKERS: '' }, /^policy can't start: KAFKA_BROKERS is not set/], [['service.js', 'adapter-sql'], { KAFKA_BROKERS: '' }, /^adapter-sql can't start: KAFKA_BROKERS is not set/], [['service.js', 'audit'], { DATABASE_URL: '' }, /^audit can't start: DATABASE_URL is not set, nor is AUDIT_DATABASE_URL/],
      [['service.js', 'gateway'], { PORT: '70000' }, /^gateway can't start: PORT is "70000"/],
    ] as const;
    for (const [args, env, said] of cases) {
      const { code, output } = await run(args, env);
      const lines = output.split('\n').filter(line => line !== '' && !line.startsWith('ending: '));
      expect([args, code, lines]).toEqual([args, BAD_SETTINGS, [expect.stringMatching(said)]]);
    }
  }, 60_000);
});

describe('two copies of every service', () => {
  it('when the active gateway is killed the other takes over, and calls are answered at either port', async () => {
    stack = await Stack.start({ env: { COPIES: '2' } });
    const first = Number(new URL(stack.url).port);
    const ports = [first, first + NEXT_COPY];
    const agent = await stack.agent();
    const ask = async (port: number, path: string) => {
      const http = new Http({ url: `http://127.0.0.1:${port}` });
      try { return await http.call('GET', path, { token: agent.token, headers: { connection: 'close' } }); } finally { http.close(); }
    };
    const isActive = async (port: number): Promise<boolean> => /^aifirst_active_writer\{[^}]*log="gateway"[^}]*\} 1$/m.test((await ask(port, '/metrics')).bytes.toString());
    const id = await agent.start([agent.fs('write', 'a', { path: 'a.txt', content: 'x' }), sleep('b', 1_500, after('a')), noop('c', {}, after('b'))]);
    for (const port of ports) expect([port, (await ask(port, `/v1/workflows/${id}`)).body.id]).toEqual([port, id]);

    const said = await Promise.all(ports.map(isActive));
    expect(said.filter(Boolean)).toHaveLength(1);
    const killed = ports[said.indexOf(true)]!;
    const other = ports.find(port => port !== killed)!;
    // As often as it comes back: else it may be the one that takes over.
    await until('the other takes over', async () => {
      const pid = listenerOf(killed);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      const { status } = await ask(other, `/v1/workflows/${id}`);
      if (status !== 503) expect(status).toBe(200);
      return status === 200 && await isActive(other);
    }, TAKEN_OVER_MS_MAX, 100);
    expect(new Set(stack.deaths)).toEqual(new Set(['gateway SIGKILL']));
    await until('the one that was killed hands on', async () => (await ask(killed, `/v1/workflows/${id}`)).status === 200, TAKEN_OVER_MS_MAX, 50);
    expect([await isActive(killed), await isActive(other)]).toEqual([false, true]);
    // What the stack's client calls, the first port, and what it answers do not depend on who is active.
    expectStatus(await agent.rest(id), 'completed');
    expectStatus(await agent.run([agent.fs('append', 'a', { path: 'a.txt', content: 'y' })]), 'completed');
    expect(readFileSync(join(agent.root, 'a.txt'), 'utf8')).toBe('xy');
    for (const port of ports) expect([port, (await ask(port, '/health/ready')).status]).toEqual([port, 200]);
    // SIGTERM ends all twelve in time as well.
    expect(await stack.terminate()).toEqual({ code: 0, signal: null });
    await nothingRuns();
  }, 180_000);
});

/** The service that was told to listen there. */
function listenerOf(port: number): number | undefined {
  return servicesOf(stack.dataDir).find(({ pid }) => { try { return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`PORT=${port}`); } catch { return false; } })?.pid;
}

async function run([entry, ...args]: readonly string[], env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['--no-turbo-inline-js-wasm-calls', `apps/runtime/dist/${entry}`, ...args], { cwd: ROOT, env: { ...stack.environment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => { output += text.toString(); });
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
  return new Promise(resolve => { child.once('close', code => { clearTimeout(late); resolve({ code, output }); }); });
}
