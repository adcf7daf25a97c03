import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { shardOf } from '@aifirst/bus';
import { after, expectStatus, noop, sleep, type AgentClient } from '../support/agent';
import { AppendLoad } from '../support/append-load';
import { servicesOf } from '../support/havoc';
import { useStack } from '../support/stack';
import { until } from '../support/wait';

const SHARDS = 4;
/** A lease that nobody gave back lasts 10 s. */
const SHARED_MS_MAX = 60_000;
/** Services whose copies share the work, with where the first one listens from the gateway on. */
const SHARED = { orchestrator: 1, 'adapter-os': 4, 'adapter-sql': 6 } as const;
const ALL = Array.from({ length: SHARDS }, (_, shard) => shard);

describe('two copies of every service', () => {
  const running = useStack({ env: { COPIES: '2', SHARDS: `${SHARDS}`, LOG_LEVEL: 'warn' } });
  let agent: AgentClient;
  beforeAll(async () => { agent = await running.stack.agent(); });

  /** By copy, the shards of a service that it writes. */
  async function seats(service: keyof typeof SHARED): Promise<number[][]> {
    const { hostname, port } = new URL(running.stack.url);
    return Promise.all([0, 10].map(async copy => {
      const page = await fetch(`http://${hostname}:${Number(port) + copy + SHARED[service]}/metrics`).then(answer => answer.text(), () => '');
      return ALL.filter(shard => page.includes(`aifirst_active_writer{log="${service}.${shard}"} 1`));
    }));
  }
  const shared = async (): Promise<void> => {
    for (const service of Object.keys(SHARED) as (keyof typeof SHARED)[]) {
      await until(`each copy of ${service} has two shards`, async () => {
        const found = await seats(service);
        if (!found.every(mine => mine.length === SHARDS / 2)) throw new Error(JSON.stringify(found));
        expect(found.flat().sort()).toEqual(ALL);
        return true;
      }, SHARED_MS_MAX, 200);
    }
  };

  it('share the work, each two shards of four, and workflows of all shards end', async () => {
    await shared();
    const ids = await Promise.all(Array.from({ length: 24 }, (_, n) => agent.start([noop('a', { value: n }), agent.fs('write', 'b', { path: `shared/${n}.txt`, content: `${n}` }, after('a'))])));
    for (const id of ids) expectStatus(await agent.rest(id), 'completed');
    expect(new Set(ids.map(id => shardOf(id, SHARDS)))).toEqual(new Set(ALL));
    expect(ids.map((_, n) => readFileSync(join(agent.root, `shared/${n}.txt`), 'utf8'))).toEqual(ids.map((_, n) => `${n}`));
  }, 120_000);

  it('let workflows of different shards take turns on one file, and undo what fails', async () => {
    const load = new AppendLoad(running.stack, agent, 'turns', ['one.log', 'two.log']);
    await load.sendAll(40, 20);
    expect(new Set(load.workflows.map(id => shardOf(id, SHARDS))).size).toBeGreaterThan(1);
    expect(await load.faults(60_000)).toEqual([]);
    expect(await running.stack.admin.all('/v1/locks')).toEqual([]);
  }, 120_000);

  it('tell apart who calls, whichever gateway is called, and believe no caller who says so', async () => {
    const { hostname, port } = new URL(running.stack.url);
    const callers = ['127.0.0.21', '127.0.0.22'];
    const asked = await Promise.all(callers.map((localAddress, copy) => new Promise((resolve, reject) => {
      const headers = { authorization: 'Bearer wrong', 'x-forwarded-for': '192.0.2.66', forwarded: 'for=192.0.2.66' };
      get({ hostname, port: Number(port) + 10 * copy, path: '/v1/workflows', localAddress, headers }, answer => { answer.resume(); resolve(answer.statusCode); }).once('error', reject);
    })));
    expect(asked).toEqual([401, 401]);
    const sources = await until('both refusals are in the log', async () => {
      const found = JSON.stringify(await running.stack.admin.all('/v1/audit/entries?tenant=system'));
      return callers.every(caller => found.includes(caller)) ? found : undefined;
    }, 30_000, 500);
    expect(sources).not.toContain('192.0.2.66');
  }, 120_000);

  it('hand work over when one is killed, and back when it is there again', async () => {
    await shared();
    const ids = await Promise.all(Array.from({ length: 12 }, (_, n) => agent.start([sleep('a', 1_500), agent.fs('append', 'b', { path: 'handed.log', content: `${n}\n` }, after('a'))])));
    for (const name of Object.keys(SHARED)) process.kill(servicesOf(running.stack.dataDir).find(service => service.name === name)!.pid, 'SIGKILL');
    for (const id of ids) expectStatus(await agent.rest(id), 'completed');
    expect(readFileSync(join(agent.root, 'handed.log'), 'utf8').trimEnd().split('\n').map(Number).sort((a, b) => a - b)).toEqual(ids.map((_, n) => n));
    await shared();
    expectStatus(await agent.run([noop('a')]), 'completed');
  }, 180_000);
});
