import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parseVkey, verifyExport, verifyServer, type Verification } from '@aifirst/audit';
import { messageOf } from '@aifirst/kernel';
import { fetchExport } from './audit-export';
import { CannotDo, EXIT, type ExitCode, type Surroundings } from './exit';
import { SeenLogs } from './seen-logs';
import { safeLines } from './screen/shown';
import { jsonOf } from './screen/structured';
import { Server, type ServerOptions } from './server';

export interface VerifyArguments extends ServerOptions {
  readonly offline?: string;
  readonly key?: string;
  readonly from?: string;
  readonly to?: string;
  readonly seen?: string;
  readonly output: 'text' | 'json';
}

export async function verifyLog(options: VerifyArguments, surroundings: Surroundings): Promise<ExitCode> {
  const vkey = options.key === undefined ? {} : { vkey: vkeyOf(options.key) };
  const found = options.offline !== undefined ? verifyExport(await contentOf(options.offline), vkey) : await verifyOnline(options, vkey, surroundings);
  if (options.output === 'json') surroundings.out(`${jsonOf(found)}\n`);
  else surroundings.out(safeLines(textOf(found)));
  return found.ok ? EXIT.ok : EXIT.tampered;
}

async function verifyOnline({ from, to, tenant, seen: seenFile, ...where }: VerifyArguments, vkey: { readonly vkey?: string }, surroundings: Surroundings): Promise<Verification> {
  const server = new Server(surroundings, where);
  if (from !== undefined || to !== undefined) return verifyExport(await fetchExport(server, { from, to, tenant }), vkey);
  const logs = new SeenLogs(seenFile, surroundings.env);
  const name = `${server.url}${tenant === undefined ? '' : ` ${tenant}`}`;
  const before = logs.of(name);
  const { seen, ...found } = await verifyServer(path => server.get(path), { ...vkey, ...(before && { seen: before }), ...(tenant === undefined ? {} : { tenant }) });
  if (found.problems.some(({ code }) => code === 'NO_CHECKPOINT')) throw new CannotDo('there is nothing to verify: the log has no checkpoint yet');
  if (seen !== null) logs.remember(name, seen);
  return found;
}

/** @param given a key, or a file that holds one */
function vkeyOf(given: string): string {
  if (parseVkey(given) !== null) return given;
  let text: string;
  try {
    text = readFileSync(given, 'utf8').trim();
  } catch (error) {
    throw new CannotDo(`--key is neither a key nor a file that can be read (${(error as NodeJS.ErrnoException).code ?? messageOf(error)})`);
  }
  if (parseVkey(text) === null) throw new CannotDo(`\`${given}\` holds no key of the form <name>+<id>+<base64>`);
  return text;
}

async function contentOf(path: string): Promise<Uint8Array> {
  try { return await readFile(path); } catch (error) { throw new CannotDo(`can't read \`${path}\`: ${messageOf(error)}`); }
}

function textOf({ ok, firstBadIndex, problems, summary }: Verification): string {
  const producers = Object.entries(summary.producers).sort().map(([name, { first, last }]) => `${name} ${first}–${last}`);
  const lines = [
    ok ? `verified: ${summary.origin ?? ''}, ${summary.entries} entries from index ${summary.first} on, tree of size ${summary.size}`
      : `TAMPERED: ${firstBadIndex === null ? 'no single entry is to blame' : `first bad index ${firstBadIndex}`}`,
    // Why entries first: what is wrong with the whole mostly follows from one of them.
    ...[...problems.filter(({ index }) => index !== null), ...problems.filter(({ index }) => index === null)].map(({ code, detail }) => `  ${code}: ${detail}`),
    ...(summary.root === null ? [] : [`  root       ${summary.root}`]),
    ...(summary.vkey === null ? [] : [`  key        ${summary.vkey}${summary.keyPinned ? '' : '\n             key not pinned: give it with --key to be sure whose log this is'}`]),
    ...(ok ? [`  outcomes   ${summary.outcomes}, each with its start and its decision recorded before it${notJudged(summary)}`] : []),
    ...(producers.length === 0 ? [] : [`  producers  ${producers.join('\n             ')}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function notJudged({ causesBefore, causesPending }: Verification['summary']): string {
  const parts = [causesBefore > 0 ? `${causesBefore} causes lie before the first entry` : '', causesPending > 0 ? `${causesPending} causes are not folded yet` : ''].filter(part => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
