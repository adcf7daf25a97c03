// `npm run simulate -- --seeds N [--from S]`, or `--seed S [--trace]`: the deterministic simulator (test/simulation) on the sources.
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { loadTypeScript } from './load-typescript.mjs';

// Why: without it the policy engine's WebAssembly crashes Node 20 under load. It must be set before that is loaded.
setFlagsFromString('--no-turbo-inline-js-wasm-calls');

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
loadTypeScript(root);
const { simulate, PLANTS: plants } = createRequire(import.meta.url)(join(root, 'test/simulation/index.ts'));

let running;
process.on('unhandledRejection', error => {
  console.error(error);
  console.log(`VIOLATION nobody waited for an error: ${error}\nagain: npm run simulate -- --seed ${running} --trace`);
  process.exit(1);
});

const given = readArguments(process.argv.slice(2));
process.exitCode = given.seed === undefined ? await many(given) : await one(given);

function readArguments(words) {
  const usage = why => { console.error(`${why}\nusage: npm run simulate -- --seeds N [--from S] [--plant NAME]\n       npm run simulate -- --seed S [--trace] [--plant NAME]`); process.exit(2); };
  const found = { seeds: 100, from: 1, seed: undefined, trace: false, plant: undefined };
  while (words.length > 0) {
    const word = words.shift();
    if (word === '--trace') { found.trace = true; continue; }
    const name = { '--seeds': 'seeds', '--from': 'from', '--seed': 'seed', '--plant': 'plant' }[word];
    const value = words.shift();
    if (name === undefined || value === undefined) usage(`\`${word}\` is not known, or lacks its value`);
    if (name === 'plant') {
      found.plant = plants.find(plant => plant.name === value);
      if (found.plant === undefined) usage(`there is no fault \`${value}\`: ${plants.map(plant => plant.name).join(', ')}`);
    } else if (/^[0-9]+$/.test(value)) found[name] = Number(value);
    else usage(`\`${word}\` takes a whole number`);
  }
  return found;
}

async function many({ seeds, from, plant }) {
  const begunAt = performance.now();
  const seconds = () => (performance.now() - begunAt) / 1000;
  const sum = { workflows: 0, events: 0, virtualMs: 0 };
  const ends = {};
  for (let seed = from; seed < from + seeds; seed++) {
    running = seed;
    const result = await simulate(seed, { plant });
    if (result.violations.length > 0) { tell(result, true); return 1; }
    for (const name of Object.keys(sum)) sum[name] += result[name];
    for (const [status, count] of Object.entries(result.ends)) ends[status] = (ends[status] ?? 0) + count;
    if ((seed - from + 1) % 50 === 0) console.error(`${seed - from + 1} seeds, ${((seed - from + 1) / seconds()).toFixed(1)}/s`);
    // Why: lets signals through between two runs.
    await new Promise(resolve => setImmediate(resolve));
  }
  console.log(`seeds ${seeds}, workflows ${sum.workflows} (${Object.entries(ends).map(([status, count]) => `${status} ${count}`).join(', ')}), events ${sum.events}, simulated ${(sum.virtualMs / 3_600_000).toFixed(1)} h, ${(seeds / seconds()).toFixed(1)} seeds/s, violations 0`);
  return 0;
}

async function one({ seed, trace, plant }) {
  running = seed;
  const result = await simulate(seed, { plant, ...(trace ? { traceMax: Infinity } : {}) });
  tell(result, trace || result.violations.length > 0);
  return result.violations.length > 0 ? 1 : 0;
}

function tell({ seed, options, violations, hash, workflows, events, ticks, virtualMs, ends, trace }, withTrace) {
  if (withTrace) for (const line of trace) console.log(line);
  console.log(`seed ${seed}, options ${JSON.stringify(options)}`);
  console.log(`workflows ${workflows} ${JSON.stringify(ends)}, events ${events}, steps of the scheduler ${ticks}, simulated ${(virtualMs / 1000).toFixed(1)} s`);
  console.log(`trace hash ${hash}, violations ${violations.length}`);
  for (const violation of violations) console.log(`VIOLATION ${violation}`);
  if (violations.length > 0) console.log(`again: npm run simulate -- --seed ${seed} --trace`);
}
