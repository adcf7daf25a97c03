import { readFile } from 'node:fs/promises';
import { OperationalError } from '@aifirst/kernel';

const FILE_BYTES_MAX = 64 * 1024;

/**
 * The secret that a connection's reference stands for: `env:NAME` of this process, `file:/path` (a line end at its end is not part of it).
 * @throws OperationalError SECRET_UNAVAILABLE, which names the reference and never what is behind it
 */
export async function resolveSecret(reference: string, env: Readonly<Record<string, string | undefined>> = process.env): Promise<string> {
  const [, kind, name] = /^(env|file|vault):(.+)$/s.exec(reference) ?? [];
  if (kind === 'env') {
    const value = env[name!];
    if (value === undefined) throw unavailable(`the environment of the adapters' process has no \`${name}\``);
    return value;
  }
  if (kind === 'file') {
    const content = await readFile(name!).catch((error: NodeJS.ErrnoException) => { throw unavailable(`\`${name}\` can't be read (${error.code ?? 'unknown'})`); });
    if (content.length > FILE_BYTES_MAX) throw unavailable(`\`${name}\` has more than ${FILE_BYTES_MAX} bytes`);
    return content.toString('utf8').replace(/\r?\n$/, '');
  }
  throw unavailable(kind === 'vault' ? 'references into a vault are not built yet: use `env:` or `file:`' : 'a reference is `env:NAME` or `file:/path`');
}

const unavailable = (detail: string): OperationalError => new OperationalError('SECRET_UNAVAILABLE', detail);
