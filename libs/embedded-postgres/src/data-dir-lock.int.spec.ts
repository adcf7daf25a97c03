import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockDataDir } from './index';
import { isRoot } from './server-user';
import { exitOf, firstJsonLine, runScript, temporaryFolder } from './testing/child-process';

const INDEX = JSON.stringify(join(__dirname, 'index.ts'));

describe('the lock on a data folder', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => { folder = temporaryFolder(); });
  afterEach(() => { folder.remove(); });

  it('makes the folder, its parents too, for its owner alone', () => {
    const lock = lockDataDir(join(folder.path, 'a', 'b'));
    expect(statSync(lock.dataDir).mode & 0o777).toBe(isRoot() ? 0o710 : 0o700);
    lock.release();
  });

  it('leaves the mode of a folder that is there', () => {
    mkdirSync(join(folder.path, 'mine'));
    chmodSync(join(folder.path, 'mine'), 0o750);
    lockDataDir(join(folder.path, 'mine')).release();
    expect(statSync(join(folder.path, 'mine')).mode & 0o777).toBe(0o750);
  });

  it('refuses a second holder, under another name of the folder too, and names the first', () => {
    const lock = lockDataDir(join(folder.path, 'data'));
    symlinkSync(lock.dataDir, join(folder.path, 'alias'));
    expect(() => lockDataDir(join(folder.path, 'alias'))).toThrow(expect.objectContaining({ code: 'DATA_DIR_IN_USE', pid: process.pid }));
    lock.release();
    lock.release();
    lockDataDir(join(folder.path, 'alias')).release();
  });

  it('ends with its holder, however that ends', async () => {
    const path = join(folder.path, 'data');
    const child = runScript(`const { lockDataDir } = require(${INDEX}); lockDataDir(${JSON.stringify(path)}); console.log(JSON.stringify({ pid: process.pid })); setInterval(() => {}, 1000);`);
    const { pid } = await firstJsonLine<{ pid: number }>(child);
    expect(() => lockDataDir(path)).toThrow(expect.objectContaining({ pid }));
    child.kill('SIGKILL');
    const lock = lockDataDir(path); // At once: the kernel may still be taking it down.
    expect(readFileSync(join(path, 'lock'), 'utf8')).toBe(`${process.pid}\n`);
    lock.release();
  });

  it('does not pass to the programs that its holder starts', async () => {
    const path = join(folder.path, 'data');
    const child = runScript(`const { lockDataDir } = require(${INDEX}); lockDataDir(${JSON.stringify(path)});
      const { pid } = require('node:child_process').spawn('sleep', ['30'], { detached: true, stdio: 'ignore' }); console.log(JSON.stringify({ pid })); setInterval(() => {}, 1000);`);
    const { pid } = await firstJsonLine<{ pid: number }>(child);
    child.kill('SIGKILL');
    await exitOf(child);
    expect(() => { lockDataDir(path).release(); }).not.toThrow();
    process.kill(pid, 'SIGKILL');
  });

  it('says what is wrong with a folder that can not be made', () => {
    writeFileSync(join(folder.path, 'file'), '');
    expect(() => lockDataDir(join(folder.path, 'file', 'data'))).toThrow(expect.objectContaining({ code: 'DATA_DIR_UNUSABLE' }));
  });
});
