import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperationalError } from '@aifirst/kernel';
import type { Binaries } from './binaries';
import { runGuarded } from './guard';
import { giveTo } from './place';
import { failureOf } from './start-failure';
import type { ServerUser } from './server-user';
import { syncFolder, writeDurably } from './write-durably';

export const SUPERUSER = 'aifirst';

const PARTIAL = 'data-partial-';

/**
 * The folder of the database's files, made at the first start: whole or not at all, so that a start that was killed half-way is begun again.
 * @param sync false in tests only: a machine that fails soon afterwards then loses the database
 */
export async function ensureCluster(place: string, binaries: Binaries, user: ServerUser, sync: boolean, onLog: (line: string) => void): Promise<{ dataPath: string; password: string }> {
  const dataPath = join(place, 'data');
  const password = ensurePassword(join(place, 'password'), existsSync(dataPath));
  for (const name of readdirSync(place)) {
    if (name.startsWith(PARTIAL)) rmSync(join(place, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
  if (existsSync(dataPath)) {
    refuseOtherMajor(dataPath, binaries.major);
    // Why only then: brought back from a backup by root, say. What the server's user owns it may have filled with links to what it must not be given.
    if (user.other && statSync(dataPath).uid === 0) giveTo(user, dataPath);
    return { dataPath, password };
  }

  const partial = mkdtempSync(join(place, PARTIAL));
  const passwordFile = `${partial}.password`;
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user.other) for (const path of [partial, passwordFile]) chownSync(path, user.uid, user.gid);
  try {
    const initdb = runGuarded(user, binaries.initdb, [
      '--pgdata', partial, '--username', SUPERUSER, '--pwfile', passwordFile, '--auth', 'scram-sha-256',
      '--encoding', 'UTF8', '--no-locale', '--no-instructions', ...(sync ? [] : ['--no-sync']),
    ], () => undefined);
    const code = await initdb.ended;
    if (code !== 0) throw failureOf(initdb.tail, place, `initdb ended with code ${code}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(partial, dataPath);
  if (sync) syncFolder(place);
  onLog(`made a new database in \`${dataPath}\``);
  return { dataPath, password };
}

function ensurePassword(path: string, dataExist: boolean): string {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  if (dataExist) throw new OperationalError('POSTGRES_NO_PASSWORD', `\`${path}\` is not there, and the database beside it needs it: bring it back`);
  const password = randomBytes(24).toString('base64url');
  writeDurably(path, `${password}\n`, 0o600);
  return password;
}

function refuseOtherMajor(dataPath: string, major: number): void {
  const found = Number.parseInt(readFileSync(join(dataPath, 'PG_VERSION'), 'utf8'), 10);
  if (found === major) return;
  throw new OperationalError('POSTGRES_OTHER_VERSION',
    `\`${dataPath}\` was made by PostgreSQL ${found} and this release has PostgreSQL ${major}: start it with the release that made it, or run PostgreSQL ${found} on it yourself and set DATABASE_URL`);
}
