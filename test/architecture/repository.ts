import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';

export const ROOT = join(__dirname, '../..');

const NOT_OURS = new Set(['.git', '.nx', 'node_modules', 'dist', 'coverage', 'tmp', '.aifirst', 'workspace-data']);

/** Paths of everything that is committed, from the root, with `/`. Where there is no history (an unpacked archive): everything that is not made. */
export const FILES: readonly string[] = listed();

function listed(): readonly string[] {
  try {
    return execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 })
      .split('\0').filter(path => path !== '' && existsSync(join(ROOT, path)));
  } catch { return [...walk('')]; }
}

function* walk(folder: string): Iterable<string> {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) { if (!NOT_OURS.has(entry.name)) yield* walk(path); } else yield path;
  }
}

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
export const readJson = <T>(path: string): T => JSON.parse(read(path)) as T;

/** Files that a person reads: no lock file, no pictures. */
export const TEXTS: readonly string[] = FILES.filter(path => path !== 'package-lock.json' && !/\.(png|ico|woff2?|gz)$/.test(path));
export const SOURCES: readonly string[] = FILES.filter(path => /^(apps|libs|test|tools)\/.*\.ts$/.test(path) && !path.endsWith('.d.ts'));

export const isSpec = (path: string): boolean => /\.spec\.ts$/.test(path);
/** What stands in for the real thing, or holds it to its promises: never part of the product. */
export const isTestSupport = (path: string): boolean => isSpec(path) || path.endsWith('.contract.ts') || path.includes('/testing/') || path.startsWith('test/');
export const PRODUCT: readonly string[] = SOURCES.filter(path => /^(apps|libs)\//.test(path) && !isTestSupport(path));

/** `libs/bus/src/turn.ts` → `libs/bus`. */
export const projectOf = (path: string): string => path.split('/').slice(0, 2).join('/');
export const PROJECTS: readonly string[] = [...new Set(FILES.filter(path => /^(apps|libs)\/[^/]+\/package\.json$/.test(path)).map(projectOf))].sort();

export interface Import { readonly from: string; readonly specifier: string; /** The file of ours that is meant, or null for a package. */ readonly to: string | null }

/** `import … from`, `export … from`, `import()`, `require()`, types included; of our own files also those that a worker is started from. */
export const importsOf = (path: string): readonly Import[] => {
  const text = read(path);
  const specifiers = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  const workers = [...text.matchAll(/['"`](\.{0,2}\/?[\w./-]+)\.js['"`]/g)].map(([, name]) => (name!.startsWith('.') ? name! : `./${name!.replace(/^\//, '')}`))
    .filter(name => resolved(path, name) !== null);
  return [...specifiers, ...workers].map(specifier => ({ from: path, specifier, to: resolved(path, specifier) }));
};

/** Packages for others, which are no libs of the product. */
const CLIENTS: Readonly<Record<string, string>> = { '@aifirst/client': 'clients/typescript/src/index.ts', '@aifirst/client/kafka': 'clients/typescript/src/kafka.ts', '@aifirst/planner': 'clients/planner/src/index.ts' };

function resolved(from: string, specifier: string): string | null {
  const client = CLIENTS[specifier];
  if (client !== undefined) return client;
  const ours = /^@aifirst\/([^/]+)(\/testing)?$/.exec(specifier);
  if (ours !== null) return `libs/${ours[1]}/src/${ours[2] === undefined ? '' : 'testing/'}index.ts`;
  if (!specifier.startsWith('.')) return null;
  const base = posix.join(dirname(from), specifier);
  return [base, `${base}.ts`, `${base}/index.ts`, base.replace(/\.js$/, '.ts')].find(path => /\.[cm]?[jt]s$/.test(path) && existsSync(join(ROOT, path))) ?? null;
}

export const parsed = (path: string): ts.SourceFile => ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);

export function* nodesOf(node: ts.Node): Iterable<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}
