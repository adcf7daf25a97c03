// Runs an example in TypeScript as it stands, with what it needs compiled: `node tools/example.mjs examples/planner.ts "<goal>"`.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { loadTypeScript } from './load-typescript.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [, , file, ...args] = process.argv;
if (file === undefined) {
  console.error('Usage: node tools/example.mjs <file.ts> [argument]…');
  process.exit(2);
}
await build();
loadTypeScript(root);
process.argv = [process.argv[0], resolve(file), ...args];
createRequire(import.meta.url)(resolve(file));
