import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noop, type AgentClient } from '../support/agent';
import { AppendLoad } from '../support/append-load';
import { chanceOf, Havoc } from '../support/havoc';
import { startKafka, type KafkaBroker } from '../support/kafka-broker';
import { logFaults } from '../support/log-faults';
import { Stack } from '../support/stack';
import { pause, sizeOf, until } from '../support/wait';

const SECONDS = sizeOf('AIFIRST_CHAOS_SECONDS', 60);
const WORKFLOWS = sizeOf('AIFIRST_CHAOS_WORKFLOWS', 200);
const SEED = sizeOf('AIFIRST_CHAOS_SEED', 1);
/** Among which the copies share the work. */
const SHARDS = process.env['AIFIRST_CHAOS_SHARDS'] ?? '2';
/** Of all messages, for good. */
const DROPPED = process.env['AIFIRST_CHAOS_DROP'] ?? '0.3';
const FREEZE_MS: readonly [number, number] = [5_000, Math.min(40_000, SECONDS * 250)];
const IN_FLIGHT = 20;
const FILES = 60;
const CALM_MS_MAX = 60_000;

describe(`two copies of every service, ${SECONDS} s of kills, freezes and restarts, ${DROPPED} of all messages lost`, () => {
  let broker: KafkaBroker;
  let stack: Stack;
  let agent: AgentClient;
  let load: AppendLoad;
  let havoc: Havoc;
  /** As long as this file is there messages are lost. */
  let losing: string;

  beforeAll(async () => {
    broker = await startKafka();
    const folder = mkdtempSync(join(tmpdir(), 'aifirst-chaos-'));
    losing = join(folder, 'losing');
    writeFileSync(losing, '');
    stack = await Stack.start({ env: { LOG_LEVEL: 'warn', COPIES: '2', SHARDS, AIFIRST_DROP: `${DROPPED}:${losing}`, KAFKA_BROKERS: broker.brokers.join(',') } });
    agent = await stack.agent();
    load = new AppendLoad(stack, agent, 'load', Array.from({ length: FILES }, (_, at) => `${at % 2 === 0 ? '' : 'deep/er/'}${at}.log`));
    load.allowed = 0;
    havoc = new Havoc({
      dataDir: stack.dataDir, chance: chanceOf(SEED), freezeMs: FREEZE_MS,
      bounceBroker: async () => { await broker.kill9(); await broker.restart(); },
      bounceDatabase: async () => {
        // Why: struck again before it is up again, there is nobody to strike.
        try { process.kill(stack.distribution!.postgresPid, 'SIGQUIT'); } catch (error) { if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; }
        await pause(1_000);
      },
      probe: () => probe(agent),
    });
    const sending = load.sendAll(WORKFLOWS, IN_FLIGHT);
    const feeding = (async () => {
      for (let second = 0; second < SECONDS; second++) { load.allowed = Math.ceil(((second + 1) / SECONDS) * WORKFLOWS); await pause(1_000); }
      load.allowed = Infinity;
    })();
    await havoc.rage(SECONDS * 1_000);
    rmSync(losing);
    await havoc.settle();
    await feeding;
    await sending;
  }, 300_000 + SECONDS * 2_000);
  afterAll(async () => {
    console.log(havoc?.report());
    await stack?.stop();
    await broker?.stop();
    rmSync(join(losing, '..'), { recursive: true, force: true });
  }, 60_000);

  it('nothing that was accepted is lost, done twice, or stuck a minute after', async () => {
    expect(await load.faults(CALM_MS_MAX)).toEqual([]);
  }, CALM_MS_MAX + 10_000);

  it('the log verifies, has every number once, and for every outcome the decision and start before it', async () => {
    expect(await logFaults(stack.admin, load.workflows, 60_000)).toEqual([]);
  }, 90_000);

  it('nothing waits any more: no lock, no dead letter, no step in the dark', async () => {
    expect(await stack.admin.all('/v1/locks')).toEqual([]);
    expect(await stack.admin.all('/v1/dead-letters')).toEqual([]);
  });
});

/** A workflow from the sending to its end. */
async function probe(agent: AgentClient): Promise<void> {
  const key = `probe-${Math.random().toString(36).slice(2)}`;
  await until('a probe is accepted and ends', async () => {
    const { status, body } = await agent.submit([noop('a')], { goal: key }, { 'idempotency-key': key });
    if (status !== 202) return false;
    return (await agent.get(`/v1/workflows/${body.workflowId}`)).body.endedAt !== null;
  }, 120_000, 100);
}
