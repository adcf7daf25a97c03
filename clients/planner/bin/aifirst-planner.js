#!/usr/bin/env node
'use strict';
// Plain JavaScript, so that it runs in a fresh clone: compiles what is missing first.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const main = join(__dirname, '..', 'dist', 'main.js');

async function run() {
  if (!existsSync(main)) {
    const { build } = await import('../../../tools/build.mjs');
    await build();
  }
  require(main);
}

run().catch(error => {
  console.error(`aifirst-planner: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
});
