import { chmodSync, chownSync, constants, cpSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findBinaries, prepareBinaries, type BinariesPackage } from './binaries';
import { isRoot, runAs, serverUser } from './server-user';
import { temporaryFolder } from './testing/child-process';

process.umask(0o022); // What the tests lay out must be reachable by others unless they say otherwise.

describe('the programs of PostgreSQL', () => {
  const user = serverUser();
  let folder: ReturnType<typeof temporaryFolder>;
  let unpacked: BinariesPackage;
  let copyTo: string;
  const links = () => (JSON.parse(readFileSync(join(unpacked.native, 'pg-symlinks.json'), 'utf8')) as { target: string }[]).map(({ target }) => join(dirname(unpacked.native), target));

  beforeEach(() => {
    folder = temporaryFolder();
    const { native, version } = findBinaries();
    unpacked = { native: join(folder.path, 'package', 'native'), version };
    cpSync(native, unpacked.native, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
    for (const link of links()) rmSync(link); // As npm leaves it without install scripts.
    copyTo = join(folder.path, 'copy');
    mkdirSync(copyTo);
    chmodSync(copyTo, 0o755);
  });
  afterEach(() => { folder.remove(); });

  it('get the links that npm can not store, and run where they are', () => {
    const binaries = prepareBinaries(unpacked, user, copyTo, () => undefined);
    expect(binaries).toMatchObject({ postgres: join(unpacked.native, 'bin', 'postgres'), major: 18 });
    expect(links().every(link => lstatSync(link).isSymbolicLink() && existsSync(link))).toBe(true);
    expect(runAs(user, binaries.initdb, ['--version'])).toMatchObject({ ok: true });
  });

  (isRoot() ? it : it.skip)('are copied, once, where the user of the server can not reach the package', () => {
    chmodSync(join(folder.path, 'package'), 0o700);
    mkdirSync(join(copyTo, 'binaries-17.0.0'));
    mkdirSync(join(copyTo, 'binaries-partial-abc'));
    const log: string[] = [];
    const binaries = prepareBinaries(unpacked, user, copyTo, line => { log.push(line); });
    const madeAtMs = statSync(binaries.postgres).ctimeMs;
    const again = prepareBinaries(unpacked, user, copyTo, line => { log.push(line); });
    expect(binaries.postgres).toBe(join(copyTo, `binaries-${unpacked.version}`, 'bin', 'postgres'));
    expect(again).toEqual(binaries);
    expect(statSync(again.postgres).ctimeMs).toBe(madeAtMs);
    expect(runAs(user, binaries.initdb, ['--version'])).toMatchObject({ ok: true });
    expect(log).toEqual([expect.stringContaining(copyTo)]);
    expect(existsSync(join(copyTo, 'binaries-17.0.0')) || existsSync(join(copyTo, 'binaries-partial-abc'))).toBe(false);
  });

  (isRoot() ? it : it.skip)('are copied where the package may not be written', () => {
    const theirs = { ...user, other: true };
    const lib = join(unpacked.native, 'lib');
    chownSync(copyTo, theirs.uid, theirs.gid);
    const { ok, output } = runAs(theirs, process.execPath, ['-r', join(__dirname, 'testing', 'run-typescript.cjs'), '-e', `
      const { prepareBinaries } = require(${JSON.stringify(join(__dirname, 'binaries.ts'))});
      const user = { name: 'me', uid: process.getuid(), gid: process.getgid(), other: false };
      console.log(prepareBinaries(${JSON.stringify(unpacked)}, user, ${JSON.stringify(copyTo)}, () => {}).postgres);`]);
    expect({ ok, output }).toEqual({ ok: true, output: join(copyTo, `binaries-${unpacked.version}`, 'bin', 'postgres') });
    expect(existsSync(join(lib, 'libpq.so.5'))).toBe(false);
  });

  it('that do not run are refused with what the system says', () => {
    rmSync(join(unpacked.native, 'lib'), { recursive: true });
    mkdirSync(join(unpacked.native, 'lib'));
    rmSync(join(unpacked.native, 'pg-symlinks.json'));
    expect(() => prepareBinaries(unpacked, user, copyTo, () => undefined)).toThrow(expect.objectContaining({ code: 'POSTGRES_UNAVAILABLE', message: expect.stringContaining('set DATABASE_URL') }));
  });
});
