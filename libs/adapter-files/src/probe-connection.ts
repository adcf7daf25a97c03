import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import type { Connection } from '@aifirst/contracts';
import { CannotDo } from '@aifirst/execution';
import { openAside, sweepPrepared } from './aside';
import { removeTree } from './remove-tree';
import { errnoOf, releaseLease, supported, takeLease } from './system/libc';
import { Folder, Held } from './system/folder';

type Probed = { readonly limitations: readonly string[]; readonly lockBase?: string } | { readonly problem: string; readonly pointer: string };
const ROOT = '/config/root';

/** Config `{ root }`: the absolute path of a folder, not `/`. What undo needs from its file system is tried out. */
export async function probeFileRoot(connection: Connection): Promise<Probed> {
  const problem = (text: string, pointer = ROOT): Probed => ({ problem: text, pointer });
  const { root, ...others } = connection.config;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return problem(`\`${unknown}\` is not known here: the config of a file root is { root }`, `/config/${unknown.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  if (Object.keys(connection.secretRefs).length > 0) return problem('a file root takes no secrets', '/secretRefs');
  if (!supported) return problem('file roots need Linux on a common processor: elsewhere nothing could be put back exactly');
  if (typeof root !== 'string' || !root.startsWith('/') || root.includes('\0')) return problem('`root` must be the absolute path of a folder');
  const held = new Held();
  try {
    const real = fs.realpathSync(root);
    if (real === '/') return problem('`root` may not be the root of the machine');
    if (/^\/(proc|sys|dev)(\/(?!shm\/)|$)/.test(real)) return problem('`root` lies where the kernel shows itself, not files');
    if (!fs.statSync(real).isDirectory()) return problem('`root` is no folder');
    if (!fs.existsSync('/proc/self/fd')) return problem('/proc is not mounted: paths could not be resolved safely');
    const limitations = real === root.replace(/\/+$/, '') ? [] : [`\`root\` passes a symbolic link and stands for ${real}; a step refuses to go on where it comes to stand for another folder`];
    const folder = held.folder(Folder.open(real));
    return { limitations: [...limitations, ...await tryOut(held, folder)], lockBase: `file://${real}` };
  } catch (error) {
    if (error instanceof CannotDo) return problem(error.message);
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return problem(errno === 'ENOENT' ? '`root` does not exist' : errno === 'EACCES' ? 'this process may not enter `root`' : `the file system of \`root\` can't do what undo needs (${errno})`);
  } finally { held.close(); }
}

const READ_ONLY = 'this process may not write to `root`: only fs.read and fs.list work';

async function tryOut(held: Held, root: Folder): Promise<readonly string[]> {
  let aside;
  try {
    fs.accessSync(root.at('.'), fs.constants.W_OK);
    aside = openAside(held, root, true)!;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EACCES' || errno === 'EROFS' || errno === 'EPERM') return [READ_ONLY];
    throw error;
  }
  await sweepPrepared(held, aside, Date.now());
  const name = `gone-trial-${randomUUID()}`;
  aside.prepared.makeFolder(name, 0o700);
  try {
    return tryRenames(held, held.folder(aside.prepared.openFolder(name)!));
  } finally {
    await removeTree(aside.prepared, name);
  }
}

function tryRenames(held: Held, trial: Folder): string[] {
  const limitations: string[] = [];
  for (const name of ['a', 'b']) fs.writeFileSync(trial.at(name), name);
  trial.exchange('a', trial, 'b');
  if (fs.readFileSync(trial.at('a'), 'utf8') !== 'b') throw new CannotDo('CONNECTION_UNUSABLE', 'the file system of `root` does not exchange files');
  let refused = false;
  try { trial.renameTo('a', trial, 'b'); } catch (error) { refused = errnoOf(error) === 'EEXIST'; }
  if (!refused) throw new CannotDo('CONNECTION_UNUSABLE', 'the file system of `root` replaces files it was told not to');
  trial.setModified(1_000_000_000_123_456_789n);
  if (trial.stat().mtimeNs !== 1_000_000_000_123_456_789n) limitations.push('the file system keeps times of change less exactly than in nanoseconds');
  if (!trial.tryLock()) throw new CannotDo('CONNECTION_UNUSABLE', 'the file system of `root` does not lock');
  const fd = held.fd(fs.openSync(trial.at('a'), 'r+'));
  try {
    takeLease(fd);
    releaseLease(fd);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    limitations.push('the file system gives no leases: an undo of fs.append can\'t keep others from writing in the very instant it cuts off');
  }
  if (process.geteuid!() !== 0) limitations.push('files of other users can be read, copied, moved and deleted as rights allow, but neither replaced, as their owner could not be kept, nor given another mode');
  return limitations;
}
