import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { kafkaClient } from '@aifirst/bus-kafka';
import { SHARED_BROKERS, describeWithKafka, uniqueName } from '@aifirst/bus-kafka/testing';
import { TOPICS } from '@aifirst/contracts';
import type { Log } from '@aifirst/store';
import { ADMIN_TOKEN, GatewayUnderTest } from '../testing';
import { KafkaRawTopics } from './kafka-raw-topics';

const CLIENT = join(__dirname, '../../../../test/clients/python/intents.py');
const PYTHON = process.env['AIFIRST_TEST_PYTHON'] ?? 'python3';
const hasLibraries = spawnSync(PYTHON, ['-c', 'import joserfc, confluent_kafka'], { stdio: 'ignore' }).status === 0;
if (!hasLibraries) process.stderr.write(`The Python client is not tried: ${PYTHON} has not what test/clients/python/requirements.txt names (AIFIRST_TEST_PYTHON)\n`);

describeWithKafka('an agent in Python', () => {
  (hasLibraries ? it : it.skip)('has its intents carried out, is answered, and finds every abuse refused', async () => {
    const prefix = `${uniqueName()}.`;
    const topics = new KafkaRawTopics({ client: () => kafkaClient({ brokers: SHARED_BROKERS, clientId: 'test' }), deployment: 'aifirst', topicPrefix: prefix });
    for (const topic of [TOPICS.intentEvents, TOPICS.workflowEvents]) await topics.create(topic, { partitions: 2, settings: {} });
    const gateway = await GatewayUnderTest.start({ intentTopic: { topics, deployment: 'aifirst', create: { partitions: 2 } } });
    gateway.orchestrator.onStart = () => [{ name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] }];
    const stops = [gateway.log, gateway.orchestrator.log].map(log => relayed(log, topics));
    try {
      const { code, output } = await run(['all', '--brokers', SHARED_BROKERS.join(','), '--url', gateway.url, '--token', ADMIN_TOKEN, '--topic-prefix', prefix, '--timeout', '20', '--compression', 'lz4']);
      const lines = output.trim().split('\n').map(line => JSON.parse(line) as { case: string; ok: boolean });
      expect(lines.filter(({ ok }) => !ok)).toEqual([]);
      expect(lines.length).toBeGreaterThanOrEqual(24);
      expect(code).toBe(0);
    } finally {
      for (const stop of stops) stop();
      await gateway.close();
      await topics.close();
    }
  }, 120_000);
});

/** What the bus does with a log: its facts on their topics, in structured mode. */
function relayed(log: Log, topics: KafkaRawTopics): () => void {
  return log.onCommitted(rows => {
    for (const { topic, key, event } of rows.flatMap(({ messages }) => messages)) {
      if (topic === TOPICS.intentEvents || topic === TOPICS.workflowEvents) void topics.produce(topic, [{ key, value: Buffer.from(JSON.stringify(event)), headers: { 'content-type': 'application/cloudevents+json' } }]);
    }
  });
}

function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(PYTHON, [CLIENT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', chunk => { output += chunk; });
  return new Promise(resolve => { child.once('exit', code => { resolve({ code, output }); }); });
}
