import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { PORT } from './server';
import { makeServerFolder } from './place';
import { canEnter, type ServerUser } from './server-user';
import { writeDurably } from './write-durably';

/** What fits sockaddr_un without its closing zero: 107 on Linux, 103 on macOS. */
const SOCKET_PATH_BYTES_MAX = 103;

const TEMPORARY = [tmpdir(), '/tmp', '/var/tmp', '/dev/shm'];
const PREFIX = 'aifirst-pg-';

const fits = (folder: string): boolean => Buffer.byteLength(join(folder, `.s.PGSQL.${PORT}`)) <= SOCKET_PATH_BYTES_MAX;

export interface SocketFolder { readonly folder: string; remove(): void }

/** A folder for the socket that the server's user and we alone can enter: in the place, or where its path would be too long, in a temporary folder. */
export function makeSocketFolder(place: string, user: ServerUser): SocketFolder {
  const inside = join(place, 'socket');
  if (fits(inside)) {
    makeServerFolder(inside, user);
    return { folder: inside, remove: () => undefined };
  }
  const nameFile = join(place, 'socket.path');
  removeFormer(nameFile);
  const reasons: string[] = [];
  for (const base of TEMPORARY) {
    try {
      const folder = mkdtempSync(join(base, PREFIX));
      const remove = () => { rmSync(folder, { recursive: true, force: true }); rmSync(nameFile, { force: true }); };
      if (user.other) chownSync(folder, user.uid, user.gid);
      if (fits(folder) && canEnter(user, folder)) {
        writeDurably(nameFile, `${folder}\n`, 0o644);
        return { folder, remove };
      }
      remove();
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  throw new OperationalError('POSTGRES_NO_PLACE', `the path of \`${place}\` is too long for the database's socket, and no temporary folder will do (${reasons.join('; ')}): set a shorter DATA_DIR`);
}

/** What a start that was killed left. */
function removeFormer(nameFile: string): void {
  if (!existsSync(nameFile)) return;
  const former = readFileSync(nameFile, 'utf8').trim();
  // Why: whoever may write that file must not make root remove what they like.
  if (!TEMPORARY.includes(dirname(former)) || !basename(former).startsWith(PREFIX)) return;
  try {
    rmSync(former, { recursive: true, force: true });
  } catch (error) {
    // Why: another user's may stay, it holds nothing.
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
