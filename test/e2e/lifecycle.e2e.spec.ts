import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expectStatus, noop, sleep, after, stepOf } from '../support/agent';
import { ROOT, ensureBuilt } from '../support/build';
import { isAlive, processesOf } from '../support/processes';
import { Stack } from '../support/stack';
import { until } from '../support/wait';

const GONE_MS_MAX = 10_000;
/** A warm start, on a machine that others may use too. */
const WARM_MS_MAX = 15_000;

describe('starting and stopping', () => {
  let stack: Stack;
  afterEach(async () => { await stack?.stop(); });
  const nothingRuns = (): Promise<unknown> => until('nothing works with the data folder any more', () => processesOf(stack.dataDir).length === 0, GONE_MS_MAX).catch((error: Error) => { throw new Error(`${error.message}: ${JSON.stringify(processesOf(stack.dataDir))}`); });

  it('the first start makes the demonstration, which works, and the next keeps it', async () => {
    stack = await Stack.start({ demo: true });
    const file = (name: string): string => join(stack.dataDir, name);
    await until('the demonstration is made', () => existsSync(file('demo.token')), 20_000);
    for (const name of ['demo.token', 'admin.token', 'master.key', 'audit.key', 'service.key']) expect(`${name} ${(statSync(file(name)).mode & 0o777).toString(8)}`).toBe(`${name} 600`);
    const token = readFileSync(file('demo.token'), 'utf8').trim();
    const demo = stack.as(token);
    const write = (connection: string, path: string) => ({ goal: 'g', steps: [{ id: 'a', capability: 'fs.write', input: { connection, path, content: 'hello' } }] });
    const done = await demo.post('/v1/intents', write('workspace', 'hello.txt'), { prefer: 'wait=20' });
    expect([done.status, done.body.status]).toEqual([200, 'completed']);
    expect(readFileSync(join(stack.dataDir, 'workspace', 'hello.txt'), 'utf8')).toBe('hello');
    // fs.* there, and nothing else.
    const elsewhere = await stack.connection();
    expect((await demo.post('/v1/intents', write(elsewhere.name, 'x'), { prefer: 'wait=20' })).body.status).toBe('rejected');
    expect((await demo.post('/v1/intents', { goal: 'g', steps: [noop('a')] }, { prefer: 'wait=20' })).body.status).toBe('rejected');
    expect((await demo.get('/v1/agents')).status).toBe(403);
    await stack.restart();
    expect(readFileSync(file('demo.token'), 'utf8').trim()).toBe(token);
    expect((await stack.admin.all('/v1/agents')).filter(({ name }) => name === 'demo')).toHaveLength(1);
    expect((await demo.get('/v1/workflows')).body.items).toHaveLength(3);
  });

  it('with DEMO=0 it leaves both out', async () => {
    stack = await Stack.start({ demo: false });
    expect(await stack.admin.all('/v1/agents')).toEqual([]);
    expect(await stack.admin.all('/v1/connections')).toEqual([]);
    expect([existsSync(join(stack.dataDir, 'demo.token')), existsSync(join(stack.dataDir, 'workspace'))]).toEqual([false, false]);
  });

  it('a second start on the same folder is refused with the reason, and the first does not notice', async () => {
    stack = await Stack.start();
    const agent = await stack.agent();
    const before = readdirSync(stack.dataDir).sort();
    const second = spawn(process.execPath, ['--no-turbo-inline-js-wasm-calls', 'apps/runtime/dist/main.js'], { cwd: ROOT, env: { ...stack.environment(), PORT: '0' }, stdio: ['ignore', 'pipe', 'pipe'] });
    const { code, output } = await ended(second);
    expect(code).not.toBe(0);
    expect(output).toMatch(/can't start: .*(in use|another|already)/);
    expect(output).toContain(stack.dataDir);
    expect(output).not.toMatch(/\n\s+at /);
    expect(readdirSync(stack.dataDir).sort()).toEqual(before);
    expectStatus(await agent.run([noop('a')]), 'completed');
  });

  it('a taken port, or a bad setting, ends the start with one clear line', async () => {
    stack = await Stack.start();
    for (const [env, said] of [[{ DATA_DIR: join(stack.folder, 'other'), PORT: new URL(stack.url).port }, /port|EADDRINUSE/i], [{ PORT: 'many' }, /PORT is "many"/], [{ DATA_DIR: join(stack.folder, 'other'), LOG_LEVEL: 'loud' }, /LOG_LEVEL/], [{ DATA_DIR: join(stack.folder, 'other'), KAFKA_BROKERS: 'x:9092' }, /KAFKA_BROKERS/]] as const) {
      const { code, output } = await ended(spawn(process.execPath, ['--no-turbo-inline-js-wasm-calls', 'apps/runtime/dist/main.js'], { cwd: ROOT, env: { ...stack.environment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] }));
      expect([code === 0, output.split('\n').find(line => line.startsWith("can't start"))]).toEqual([false, expect.stringMatching(said)]);
      expect(output).not.toMatch(/\n\s+at /);
    }
    await until('nothing of the other is left', () => processesOf(join(stack.folder, 'other')).length === 0, GONE_MS_MAX);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('%s drains, exits 0 within 10 s and leaves nothing running; the next start carries on with every workflow', async signal => {
    stack = await Stack.start();
    const agent = await stack.agent();
    const done = await agent.run([agent.fs('write', 'a', { path: 'done.txt', content: 'x' })]);
    const paused = await agent.run([agent.fs('write', 'a', { path: 'paused.txt', content: 'x' }), noop('b', { fail: 'clean' }, after('a'))], { onFailure: 'pause' });
    const open = await Promise.all(Array.from({ length: 5 }, (_, n) => agent.start([sleep('a', 2_000), agent.fs('append', 'b', { path: 'open.log', content: `${n}\n` }, after('a')), noop('c', {}, after('b'))])));
    const began = Date.now();
    stack.signal(signal);
    expect(await stack.ended).toEqual({ code: 0, signal: null });
    expect(Date.now() - began).toBeLessThan(10_000);
    await nothingRuns();
    const restarted = Date.now();
    await stack.restart();
    expect(Date.now() - restarted).toBeLessThan(WARM_MS_MAX);
    for (const id of open) expectStatus(await agent.rest(id), 'completed');
    expect(readFileSync(join(agent.root, 'open.log'), 'utf8').trimEnd().split('\n').sort()).toEqual(['0', '1', '2', '3', '4']);
    expectStatus(await agent.workflow(done.id), 'completed');
    expect(await agent.workflow(done.id)).toEqual(done);
    expectStatus(await agent.workflow(paused.id), 'paused');
    await stack.admin.must(202, 'POST', `/v1/workflows/${paused.id}/rollback`, { body: { reason: 'after the restart' } });
    expectStatus(await agent.reaches(paused.id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    await stack.admin.must(202, 'POST', `/v1/workflows/${done.id}/rollback`, { body: { reason: 'after the restart' } });
    expectStatus(await agent.reaches(done.id, ['rolledBack', 'rollbackBlocked']), 'rolledBack');
    expect([existsSync(join(agent.root, 'done.txt')), existsSync(join(agent.root, 'paused.txt'))]).toEqual([false, false]);
  });

  it('a caller who waits when it ends is answered', async () => {
    stack = await Stack.start();
    const agent = await stack.agent();
    const waiting = agent.submit([sleep('a', 20_000)], {}, { prefer: 'wait=60' });
    await until('it runs', async () => (await agent.get('/v1/workflows')).body.items.some((one: { steps: { status: string }[] }) => one.steps[0]!.status === 'running'));
    stack.signal('SIGTERM');
    expect((await waiting).status).toBe(202);
    expect(await stack.ended).toEqual({ code: 0, signal: null });
  });

  it('kill -9 leaves nothing running, and the next start carries on', async () => {
    stack = await Stack.start();
    const agent = await stack.agent();
    const id = await agent.start([agent.fs('write', 'a', { path: 'a.txt', content: 'x' }), sleep('b', 1_000, after('a')), noop('c', {}, after('b'))]);
    await until('it sleeps', async () => stepOf(await agent.workflow(id), 'b').status === 'running');
    await stack.kill9();
    await nothingRuns();
    await stack.restart();
    expectStatus(await agent.rest(id), 'completed');
  });

  describe('through npm', () => {
    let npm: ChildProcess | null = null;
    afterEach(() => { if (npm?.pid !== undefined && isAlive(npm.pid)) npm.kill('SIGKILL'); npm = null; });

    async function start(): Promise<{ npm: ChildProcess; runtime: number }> {
      await ensureBuilt();
      stack = await Stack.prepared();
      mkdirSync(stack.dataDir, { recursive: true });
      const child = spawn('npm', ['start'], { cwd: ROOT, env: stack.environment(), stdio: ['ignore', 'pipe', 'pipe'] });
      npm = child;
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => { stack.output += text.toString(); });
      await stack.ready();
      const runtime = processesOf(stack.dataDir).find(({ command }) => /start\.mjs|runtime/.test(command) && !command.startsWith('npm'))!.pid;
      return { npm: child, runtime };
    }
    const gone = (child: ChildProcess): Promise<unknown> => until('npm has ended', () => !isAlive(child.pid!), GONE_MS_MAX);

    it.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('%s to npm leaves nothing running after 10 s', async signal => {
      const started = await start();
      started.npm.kill(signal);
      await nothingRuns();
      await gone(started.npm);
    });

    it('kill -9 to its child leaves nothing running after 10 s, and the next start is ready', async () => {
      const started = await start();
      process.kill(started.runtime, 'SIGKILL');
      await nothingRuns();
      await gone(started.npm);
      await stack.launch();
      await stack.ready();
    });
  });
});

function ended(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text: Buffer) => { output += text.toString(); });
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
  return new Promise(resolve => { child.once('close', code => { clearTimeout(late); resolve({ code, output }); }); });
}
