'use strict';
/** One broker for all specs of a run. Without Java and Maven they are skipped, in one line; AIFIRST_REQUIRE_KAFKA=1 makes that a failure. */
const { spawn } = require('node:child_process');
const { mkdtempSync } = require('node:fs');
const { createServer } = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject);
  server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => { resolve(port); }); });
});

module.exports = async () => {
  // Somebody else's broker, or one that another project of this run has started.
  if (process.env.AIFIRST_TEST_KAFKA_BROKERS) return;
  const folder = mkdtempSync(join(tmpdir(), 'aifirst-kafka-'));
  const port = await freePort();
  const launcher = spawn(process.execPath, [join(__dirname, '../../tools/kafka/kafka.mjs')], {
    env: { ...process.env, KAFKA_PORT: String(port), KAFKA_DATA_DIR: folder, KAFKA_HEAP_MB: '384', KAFKA_VIA: 'jars' }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let problem = '';
  launcher.stderr.on('data', chunk => { problem += chunk; });
  const isReady = await new Promise(resolve => {
    launcher.stdout.on('data', chunk => { if (String(chunk).includes(' is ready ')) resolve(true); });
    launcher.once('exit', () => { resolve(false); });
  });
  if (!isReady) {
    const line = problem.trim().split('\n')[0];
    if (process.env.AIFIRST_REQUIRE_KAFKA === '1') throw new Error(line);
    process.stderr.write(`Kafka specs are skipped: ${line}\n`);
    return;
  }
  process.env.AIFIRST_TEST_KAFKA_BROKERS = `127.0.0.1:${port}`;
  process.env.AIFIRST_TEST_KAFKA_FOLDER = folder;
  globalThis.aifirstTestKafka = { launcher, folder };
};
