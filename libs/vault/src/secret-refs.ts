import { OperationalError, Refusal, type Problem } from '@aifirst/kernel';
import { pointerToken } from '@aifirst/contracts';

/**
 * The credentials of a target, for one step: the caller lets go of them when the step ends, and neither stores nor logs them.
 * `env:NAME` is that environment variable, `file:/path` that file without the line feed at its end.
 * Nothing that was read stands in an error, also not in its cause.
 * @throws Refusal `NOT_IMPLEMENTED` (`vault:`), `INVALID_FIELD` (another form), with a pointer into the connection
 * @throws OperationalError `SECRET_UNAVAILABLE` (retryable): not there, empty, or not readable
 */
export async function resolveSecretRefs(
  refs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => Promise<string> | string,
): Promise<Readonly<Record<string, string>>> {
  const problems = Object.entries(refs).flatMap(([name, reference]) => problemOf(name, reference));
  if (problems.length > 0) throw new Refusal(problems as [Problem, ...Problem[]]);
  const entries = await Promise.all(Object.entries(refs).map(async ([name, reference]): Promise<[string, string]> => {
    const secret = reference.startsWith('env:') ? env[reference.slice(4)] : await contentOf(reference.slice(5), name, readFile);
    if (secret === undefined || secret === '') throw unavailable(name, reference.startsWith('env:') ? 'its environment variable is not set' : 'its file is empty');
    return [name, secret];
  }));
  return Object.fromEntries(entries);
}

const ENV = /^env:[A-Za-z_][A-Za-z0-9_]*$/;
const FILE = /^file:\/[^\u0000]+$/;

function problemOf(name: string, reference: string): Problem[] {
  const pointer = `/secretRefs/${pointerToken(name)}`;
  if (reference.startsWith('vault:')) return [{ code: 'NOT_IMPLEMENTED', pointer, detail: '`vault:` references are not there yet: use `env:NAME` or `file:/path`' }];
  return ENV.test(reference) || FILE.test(reference) ? [] : [{ code: 'INVALID_FIELD', pointer, detail: 'a reference is `env:NAME` or `file:/path`' }];
}

async function contentOf(path: string, name: string, readFile: (path: string) => Promise<string> | string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path);
  } catch (error) {
    // Why: only the system's code; a message of whoever reads may quote what was read.
    const code = (error as { code?: unknown } | null)?.code;
    throw unavailable(name, typeof code === 'string' && /^[A-Z0-9_]{1,32}$/.test(code) ? `its file can't be read (${code})` : "its file can't be read");
  }
  return text.replace(/\r?\n$/, '');
}

const unavailable = (name: string, why: string): OperationalError =>
  new OperationalError('SECRET_UNAVAILABLE', `secret \`${name}\` is not to be had: ${why}`, { retryable: true });
