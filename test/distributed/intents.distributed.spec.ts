import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLog } from '../support/audit-log';
import { ROOT } from '../support/build';
import { Stack } from '../support/stack';
import { pause, sizeOf } from '../support/wait';

/** `AIFIRST_TEST_PYTHON`: one that has what `requirements.txt` names. */
const PYTHON = process.env['AIFIRST_TEST_PYTHON'] ?? 'python3';
const hasLibraries = spawnSync(PYTHON, ['-c', 'import confluent_kafka, joserfc'], { stdio: 'ignore' }).status === 0;
if (!hasLibraries) process.stderr.write(`Intents by Kafka are not tried with the Python client: ${PYTHON} has not what test/clients/python/requirements.txt names (AIFIRST_TEST_PYTHON)\n`);
const describeWithPython = hasLibraries ? describe : describe.skip;

/** How long everything is down. */
const OUTAGE_SECONDS = sizeOf('AIFIRST_OUTAGE_SECONDS', 20);
/** Far shorter than the outage: what counts is when a record came to the topic. */
const FRESHNESS_SECONDS = sizeOf('AIFIRST_OUTAGE_FRESHNESS_SECONDS', 5);

interface Line { readonly case: string; readonly ok: boolean; readonly code?: string; readonly [more: string]: unknown }

describeWithPython('an agent in Python that shares no code with us, over Kafka', () => {
  let stack: Stack;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'aifirst-python-'));
    stack = await Stack.start({ env: { INTENT_FRESHNESS_SECONDS: String(FRESHNESS_SECONDS) } });
  });
  afterAll(async () => { await stack?.stop(); rmSync(folder, { recursive: true, force: true }); });

  /** @returns what it printed, a JSON line for each case */
  async function agent(...args: readonly string[]): Promise<Line[]> {
    const { KAFKA_BROKERS = '', KAFKA_TOPIC_PREFIX = '' } = stack.environment();
    const child = spawn(PYTHON, [join(ROOT, 'test/clients/python/intents.py'), ...args, '--brokers', KAFKA_BROKERS, '--topic-prefix', KAFKA_TOPIC_PREFIX, '--url', stack.url, '--token', stack.admin.token!, '--freshness', String(FRESHNESS_SECONDS)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, problems] = ['', ''];
    child.stdout.on('data', chunk => { output += chunk; });
    child.stderr.on('data', chunk => { problems += chunk; });
    await new Promise(resolve => { child.once('close', resolve); });
    const lines = output.split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Line);
    if (lines.length === 0) throw new Error(`the client printed nothing; ${problems}`);
    return lines;
  }

  it('has its good intents carried out, and every abuse refused with a code, recorded, and nothing done', async () => {
    const lines = await agent('all');
    expect(lines.filter(({ ok }) => !ok)).toEqual([]);
    const refused = new Set(lines.flatMap(({ code }) => (code === undefined || code === null ? [] : [code])));
    for (const code of ['UNSIGNED', 'BAD_SIGNATURE', 'STALE', 'REVOKED_KEY', 'WRONG_ALGORITHM', 'ATTRIBUTE_MISMATCH']) expect([...refused]).toContain(code);
    const entries = await new AuditLog(stack.admin).entries();
    expect(entries.some(({ event }) => event.type === 'aifirst.intent.refused.v1')).toBe(true);
  }, 240_000);

  it(`has an intent carried out that it published while everything was down for ${OUTAGE_SECONDS} s`, async () => {
    const state = join(folder, 'agent.json');
    expect((await agent('publish', '--state', state, '--id', 'before')).filter(({ ok }) => !ok)).toEqual([]);
    await agent('await', '--state', state, '--id', 'before');
    await stack.terminate();
    expect((await agent('publish', '--state', state, '--id', 'meanwhile')).filter(({ ok }) => !ok)).toEqual([]);
    await pause(OUTAGE_SECONDS * 1_000);
    await stack.launch();
    await stack.ready();
    const lines = await agent('await', '--state', state, '--id', 'meanwhile');
    console.log(`published while everything was down for ${OUTAGE_SECONDS} s, with a freshness limit of ${FRESHNESS_SECONDS} s: ${JSON.stringify(lines)}`);
    expect(lines.filter(({ ok }) => !ok)).toEqual([]);
  }, 300_000 + OUTAGE_SECONDS * 1_000);
});
