import { spawn } from 'node:child_process';
import { ROOT, ensureBuilt } from '../support/build';
import type { Body } from '../support/http';

const CLIENTS = 40;
const ROUNDS = 2;
const BENCH_MS_MAX = 150_000;

async function bench(env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['tools/bench/mcp.mjs'], { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text; });
  const late = setTimeout(() => child.kill('SIGTERM'), BENCH_MS_MAX);
  return new Promise(resolve => { child.once('close', code => { clearTimeout(late); resolve({ code, output }); }); });
}

describe('the benchmark of many clients by MCP', () => {
  it(`has ${CLIENTS} clients do ${ROUNDS} transactions each, without an error, and says what a governed call costs`, async () => {
    await ensureBuilt();
    const { code, output } = await bench({ AIFIRST_MCP_CLIENTS: `${CLIENTS}`, AIFIRST_MCP_ROUNDS: `${ROUNDS}`, AIFIRST_MCP_ALONE: '10', AIFIRST_MCP_AGENTS: '4' });
    const line = output.split('\n').find(one => one.startsWith('{"benchmark"'));
    if (line === undefined) throw new Error(`it printed no result:\n${output.slice(-4_000)}`);
    const result: Body = JSON.parse(line);
    expect([code, result.errors, result.firstErrors, result.lost]).toEqual([0, 0, undefined, undefined]);
    const calls = 2 * CLIENTS * ROUNDS;
    expect(result).toMatchObject({ clients: CLIENTS, transactions: CLIENTS * ROUNDS, calls, load: { begin: { count: CLIENTS * ROUNDS }, commit: { count: CLIENTS * ROUNDS }, bare: { count: calls }, direct: { count: calls }, single: { count: CLIENTS } }, one: { call: { count: 10 }, bare: { count: 10 } } });
    for (const cost of [result.cost.one, result.cost.load]) expect([typeof cost.p50, typeof cost.p99]).toEqual(['number', 'number']);
  }, BENCH_MS_MAX + 60_000);

  it('says in one line which size is wrong', async () => {
    const { code, output } = await bench({ AIFIRST_MCP_CLIENTS: 'many' });
    expect([code, output.trim()]).toEqual([2, 'AIFIRST_MCP_CLIENTS is "many": it must be a whole number from 1 to 999999']);
  });
});
