// Compiles every app and lib from src to dist with swc (decorator metadata kept, no type check: `npm run typecheck` does that).
// A file is compiled again only when its source is newer than what was made of it, so a warm start costs some tens of milliseconds.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') && !/\.spec\.ts$|\.contract\.ts$/.test(entry.name)) yield path;
  }
}

const modifiedMs = path => { try { return statSync(path).mtimeMs; } catch { return -1; } };

/** Why the annotation: what is `import`ed by name from an ES module is found only by it. */
const MODULE = { type: 'commonjs', exportInteropAnnotation: true };

export async function build() {
  const stale = [];
  for (const group of ['apps', 'libs', 'clients'].filter(folder => existsSync(join(root, folder)))) {
    for (const name of readdirSync(join(root, group))) {
      const source = join(root, group, name, 'src');
      const target = join(root, group, name, 'dist');
      if (modifiedMs(source) < 0) continue;
      const kept = new Set();
      for (const from of sources(source)) {
        const to = join(target, relative(source, from)).replace(/\.ts$/, '.js');
        kept.add(to);
        if (modifiedMs(to) < modifiedMs(from)) stale.push({ from, to });
      }
      if (modifiedMs(target) < 0) continue;
      // Why: a source that was removed or renamed must not live on in dist.
      for (const entry of readdirSync(target, { recursive: true })) {
        const path = join(target, entry);
        if (path.endsWith('.js') && !kept.has(path)) { rmSync(path, { force: true }); rmSync(`${path}.map`, { force: true }); }
      }
    }
  }
  if (stale.length === 0) return 0;
  const { transformFile } = await import('@swc/core');
  await Promise.all(stale.map(async ({ from, to }) => {
    const { code, map } = await transformFile(from, { configFile: join(root, '.swcrc'), sourceFileName: relative(dirname(to), from), module: MODULE });
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(`${to}.map`, map);
    writeFileSync(to, `${code}\n//# sourceMappingURL=${to.split('/').pop()}.map\n`);
  }));
  return stale.length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(`compiled ${await build()} files`);
