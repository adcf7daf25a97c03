import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SeenLog } from '@aifirst/audit';
import { messageOf } from '@aifirst/kernel';
import { CannotDo } from './exit';

/** What was seen of logs when they were last verified, in a file: so that a log that was rolled back is found out. */
export class SeenLogs {
  readonly #path: string;

  constructor(path: string | undefined, env: Readonly<Record<string, string | undefined>>) {
    this.#path = path ?? join(env['HOME'] ?? homedir(), '.aifirst', 'seen.json');
  }

  /** @throws CannotDo where the file can't be read: to go on without it would be to forget */
  of(name: string): SeenLog | undefined {
    const all = this.#read();
    return Object.hasOwn(all, name) ? all[name] : undefined;
  }

  remember(name: string, seen: SeenLog): void {
    const all = { ...this.#read(), [name]: seen };
    const partial = `${this.#path}.${randomBytes(4).toString('hex')}.partial`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(partial, `${JSON.stringify(all, null, 2)}\n`, { mode: 0o600 });
      renameSync(partial, this.#path);
    } catch (error) {
      throw new CannotDo(`can't remember what was seen in \`${this.#path}\`: ${messageOf(error)}`);
    }
  }

  #read(): Readonly<Record<string, SeenLog>> {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw new CannotDo(`can't read \`${this.#path}\`: ${messageOf(error)}`);
    }
    try {
      const all: unknown = JSON.parse(text);
      if (typeof all === 'object' && all !== null && Object.values(all).every(isSeen)) return all as Record<string, SeenLog>;
    } catch { /* said below */ }
    throw new CannotDo(`\`${this.#path}\` does not hold what was seen of logs: repair or remove it`);
  }
}

function isSeen(value: unknown): value is SeenLog {
  const { vkey, size, root } = (value ?? {}) as Partial<SeenLog>;
  return typeof vkey === 'string' && Number.isSafeInteger(size) && typeof root === 'string';
}
