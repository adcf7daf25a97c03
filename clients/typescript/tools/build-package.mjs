// Makes dist as it is packed: the JavaScript that the repository's build makes of every project, and declarations beside it.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../../../tools/build.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const dist = join(ROOT, 'dist');

await build();
const { status } = spawnSync(process.execPath, [createRequire(import.meta.url).resolve('typescript/bin/tsc'), '-p', join(ROOT, 'tsconfig.build.json')], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
// Why: a declaration whose source was removed must not be packed.
for (const path of readdirSync(dist, { recursive: true }).filter(path => path.endsWith('.d.ts'))) {
  if (!existsSync(join(ROOT, 'src', path.replace(/\.d\.ts$/, '.ts')))) rmSync(join(dist, path));
}
