import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, lstatSync, lchownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { canEnter, isRoot, serverUser, type ServerUser } from './server-user';
import { writeDurably } from './write-durably';

/** Names the place of the database where it could not be in the data folder. */
export const PATH_FILE = 'postgres.path';

/** For a root whose data folder the server's user can't reach: the first that can be written. Both outlast a restart of the machine. */
const ELSEWHERE = ['/var/lib/aifirst', '/var/tmp'];

/**
 * The folder that holds everything of the database: `data`, `socket`, `password`, `lock` and, if need be, programs.
 * It is `<dataDir>/postgres`; as root, where the server's user can't get there, one elsewhere that `<dataDir>/postgres.path` names from then on.
 */
export function findPlace(dataDir: string, user: ServerUser, onLog: (line: string) => void): string {
  const pathFile = join(dataDir, PATH_FILE);
  const inside = join(dataDir, 'postgres');
  if (existsSync(pathFile)) {
    const place = readFileSync(pathFile, 'utf8').trim();
    if (!existsSync(place)) throw new OperationalError('POSTGRES_DATA_GONE', `\`${pathFile}\` names \`${place}\`, which is not there: bring it back, or remove that file to start with an empty database`);
    onLog(`the database is in \`${place}\` (named by \`${pathFile}\`)`);
    return place;
  }
  if (canEnter(user, dataDir)) {
    mkdirSync(inside, { recursive: true, mode: 0o700 });
    giveWay(inside, user);
    return inside;
  }
  const place = makePlaceElsewhere(user);
  if (existsSync(join(inside, 'data'))) copyData(inside, place);
  writeDurably(pathFile, `${place}\n`, 0o644);
  if (existsSync(inside)) rmSync(inside, { recursive: true, force: true });
  onLog(`the database is in \`${place}\`, because the user \`${user.name}\`, which runs PostgreSQL in place of root, can't enter \`${dataDir}\`; \`${pathFile}\` names it`);
  return place;
}

/** Why not given to the server's user: the password and the lock in it are ours alone. */
function giveWay(path: string, user: ServerUser): void {
  if (!user.other || statSync(path).uid !== 0) return;
  chownSync(path, 0, user.gid);
  chmodSync(path, 0o710);
}

function makePlaceElsewhere(user: ServerUser): string {
  const reasons: string[] = [];
  for (const base of ELSEWHERE) {
    try {
      if (mkdirSync(base, { recursive: true }) !== undefined) chmodSync(base, 0o755);
      const place = mkdtempSync(join(base, 'postgres-'));
      giveWay(place, user);
      if (canEnter(user, place)) return place;
      rmSync(place, { recursive: true });
      reasons.push(`\`${base}\`: ${user.name} can't enter it`);
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  throw new OperationalError('POSTGRES_NO_PLACE', `the user \`${user.name}\`, which runs PostgreSQL in place of root, can't enter the data folder, nor is there a place elsewhere (${reasons.join('; ')}): set DATA_DIR or DATABASE_URL`);
}

function copyData(from: string, to: string): void {
  for (const name of ['data', 'password']) {
    if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  }
  spawnSync('sync'); // Why: what it was copied from is removed next.
}

/** Whom the server runs as: ourselves; as root whoever owns the data that are there, so that what another user began goes on. */
export function serverUserFor(dataDir: string): ServerUser {
  if (!isRoot()) return serverUser();
  const pathFile = join(dataDir, PATH_FILE);
  const place = existsSync(pathFile) ? readFileSync(pathFile, 'utf8').trim() : join(dataDir, 'postgres');
  const { uid, gid } = statSync(join(place, 'data'), { throwIfNoEntry: false }) ?? { uid: 0, gid: 0 };
  return uid === 0 || uid === serverUser().uid ? serverUser() : { name: `uid ${uid}`, uid, gid, other: true };
}

/** Gives everything under a folder to the server's user. Links are not followed. */
export function giveTo(user: ServerUser, path: string): void {
  const entry = lstatSync(path);
  if (entry.uid !== user.uid || entry.gid !== user.gid) lchownSync(path, user.uid, user.gid);
  if (entry.isDirectory()) for (const name of readdirSync(path)) giveTo(user, join(path, name));
}

/** A folder that the server alone writes. */
export function makeServerFolder(path: string, user: ServerUser): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (user.other) lchownSync(path, user.uid, user.gid);
}

