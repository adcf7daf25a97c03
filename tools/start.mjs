// `npm start`, `npm run start:distributed`, `npm run service -- <name>`: compiles what is stale, then becomes the runtime. One process, not a launcher and a child: signals reach it,
// its exit code is npm's, and there is nothing between them that could be killed and leave the other running.
import { setFlagsFromString } from 'node:v8';
import { build } from './build.mjs';

// Why: without it the policy engine's WebAssembly crashes Node 20 under load (docs/adr). It must be set before that is loaded.
setFlagsFromString('--no-turbo-inline-js-wasm-calls');
process.setSourceMapsEnabled(true);

const parent = process.ppid;
await build();
// Why: npm may have been killed while we compiled; nobody is waiting for us then.
if (process.ppid !== parent) process.exit(0);
// Why taken out: what starts sees its own arguments alone.
const [entry = 'main'] = process.argv.splice(2, 1);
await import(`../apps/runtime/dist/${entry}.js`);
