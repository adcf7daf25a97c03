'use strict';
const { rmSync } = require('node:fs');

module.exports = async () => {
  const started = globalThis.aifirstTestKafka;
  if (started === undefined) return;
  globalThis.aifirstTestKafka = undefined;
  delete process.env.AIFIRST_TEST_KAFKA_BROKERS;
  delete process.env.AIFIRST_TEST_KAFKA_FOLDER;
  const { launcher, folder } = started;
  await new Promise(resolve => { launcher.once('exit', resolve); launcher.kill('SIGTERM'); });
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
};
