import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import type { JsonObject } from '@aifirst/kernel';
import { FilesAdapter } from './files-adapter';
import { sha256 } from './seen';
import { setExtendedAttribute } from './system/libc';
import { aFileCall, aFolder, carryOut, snapshot, type DoneStep } from './testing';

let root: string;
let adapter: FilesAdapter;
beforeEach(() => { root = aFolder(); adapter = new FilesAdapter(); });
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const asRoot = process.geteuid!() === 0;
const act = (capability: string, input: JsonObject) => carryOut(adapter, aFileCall(root, capability, input));
async function doIt(capability: string, input: JsonObject): Promise<DoneStep> {
  const { result, done } = await act(capability, input);
  if (done === null) throw new Error(`${capability}: ${JSON.stringify(result)}`);
  return done;
}
const undo = (done: DoneStep) => adapter.undo(done.call, done.before, done.after);
const mode = (path: string): string => (fs.lstatSync(`${root}/${path}`).mode & 0o7777).toString(8).padStart(4, '0');
const text = (path: string): string => fs.readFileSync(`${root}/${path}`, 'utf8');
const attributesOf = (path: string): string => (JSON.parse(snapshot(root).find(line => line.startsWith(JSON.stringify([`/${path}`]).slice(0, -1)))!) as string[]).at(-1)!;
function setAttribute(path: string, name: string, value: string | Buffer): boolean {
  const fd = fs.openSync(`${root}/${path}`, 'r');
  try { setExtendedAttribute(fd, name, Buffer.from(value)); return true; } catch { return false; } finally { fs.closeSync(fd); }
}
/** rw for the owner, r for user 1234, r for the group, mask rw, nothing for others. */
const ACCESS_LIST = Buffer.from('0200000001000600ffffffff02000400d204000004000400ffffffff10000600ffffffff20000000ffffffff', 'hex');

describe('a copy', () => {
  it('keeps content, rights, access list and user attributes, and no more', async () => {
    fs.mkdirSync(`${root}/d/in`, { recursive: true });
    fs.writeFileSync(`${root}/d/f`, 'content'); fs.linkSync(`${root}/d/f`, `${root}/d/again`);
    fs.writeFileSync(`${root}/d/listed`, 'listed'); fs.writeFileSync(`${root}/d/in/run`, '#!');
    fs.symlinkSync('../../outside', `${root}/d/in/link`); fs.symlinkSync('/not/there', `${root}/d/absolute`);
    const listed = setAttribute('d/listed', 'system.posix_acl_access', ACCESS_LIST);
    setAttribute('d/f', 'user.colour', 'blue'); setAttribute('d', 'user.kind', 'folder');
    if (asRoot) { fs.chownSync(`${root}/d/f`, 1234, 1235); fs.chownSync(`${root}/d`, 1234, 1235); }
    fs.chmodSync(`${root}/d/in/run`, 0o4755); fs.chmodSync(`${root}/d/f`, 0o640); fs.chmodSync(`${root}/d/in`, 0o3550); fs.chmodSync(`${root}/d`, 0o555);
    for (const path of ['d/f', 'd/in', 'd']) fs.utimesSync(`${root}/${path}`, 1_500_000_000, 1_500_000_000);
    const before = snapshot(root);
    const done = await doIt('fs.copy', { path: 'd', to: 'c', recursive: true });
    expect(['c', 'c/f', 'c/again', 'c/in', 'c/in/run'].map(mode)).toEqual(['0755', '0640', '0640', '0550', '0755']);
    expect([text('c/f'), text('c/in/run')]).toEqual(['content', '#!']);
    expect([fs.readlinkSync(`${root}/c/in/link`), fs.readlinkSync(`${root}/c/absolute`)]).toEqual(['../../outside', '/not/there']);
    expect(fs.statSync(`${root}/c/f`)).toMatchObject({ uid: process.geteuid!(), gid: process.getegid!(), nlink: 1 });
    expect(fs.statSync(`${root}/c/f`).mtimeMs).toBeGreaterThan(1_600_000_000_000);
    for (const path of ['f', 'listed', 'in']) expect(attributesOf(`c/${path}`)).toBe(attributesOf(`d/${path}`));
    if (listed) expect(attributesOf('c/listed')).toContain('posix_acl_access');
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(root)).toEqual(before);
  });

  it('answers with both paths and the digest of the copy', async () => {
    fs.writeFileSync(`${root}/f`, 'hi');
    expect((await act('fs.copy', { path: 'f', to: 'p/g' })).result).toMatchObject({ output: { path: 'p/g', from: 'f', digest: sha256('hi'), created: true } });
    expect((await act('fs.copy', { path: 'f', to: 'p/g', ifExists: 'replace' })).result).toMatchObject({ output: { created: false } });
    expect((await act('fs.copy', { path: 'p', to: 'q', recursive: true })).result).toMatchObject({ output: { path: 'q', from: 'p', digest: expect.stringMatching(/^sha256:/), created: true } });
  });

  it('gets the group of a folder that hands it on, folders the bit too', async () => {
    if (!asRoot) return;
    fs.mkdirSync(`${root}/d/in`, { recursive: true }); fs.writeFileSync(`${root}/d/in/f`, ''); fs.symlinkSync('f', `${root}/d/in/l`);
    fs.mkdirSync(`${root}/g`); fs.chownSync(`${root}/g`, 0, 4321); fs.chmodSync(`${root}/g`, 0o2775);
    await doIt('fs.copy', { path: 'd', to: 'g/d', recursive: true });
    for (const path of ['g/d', 'g/d/in', 'g/d/in/f', 'g/d/in/l']) expect([path, fs.lstatSync(`${root}/${path}`).gid]).toEqual([path, 4321]);
    expect(['g/d', 'g/d/in'].map(mode)).toEqual(['2755', '2755']);
  });

  it('of more than can be copied at once is refused, with what the bound is', async () => {
    fs.mkdirSync(`${root}/many`);
    for (let index = 0; index <= 10_000; index++) fs.writeFileSync(`${root}/many/${index}`, '');
    expect((await act('fs.copy', { path: 'many', to: 'copy', recursive: true })).result).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE', detail: 'the folder holds more than 10000 entries', clean: true } });
    fs.unlinkSync(`${root}/many/0`);
    const started = Date.now();
    const done = await doIt('fs.copy', { path: 'many', to: 'copy', recursive: true });
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(fs.readdirSync(`${root}/copy`)).toHaveLength(10_000);
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    fs.mkdirSync(`${root}/large`);
    for (const name of ['a', 'b']) { fs.writeFileSync(`${root}/large/${name}`, ''); fs.truncateSync(`${root}/large/${name}`, 600 * 1024 * 1024); }
    expect((await act('fs.copy', { path: 'large', to: 'copy', recursive: true })).result).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE', detail: 'it holds more than 1073741824 bytes', clean: true } });
    fs.truncateSync(`${root}/large/a`, 1024 * 1024 * 1024 + 1);
    expect((await act('fs.copy', { path: 'large/a', to: 'copy' })).result).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE' } });
    expect(fs.readdirSync(`${root}/.aifirst/prepared`)).toEqual([]);
  }, 60_000);

  it('of what changes while it is copied is refused', async () => {
    for (const change of [() => fs.appendFileSync(`${root}/d/f`, 'x'), () => fs.writeFileSync(`${root}/d/new`, ''), () => fs.chmodSync(`${root}/d/f`, 0o600)]) {
      for (const input of [{ path: 'd', to: 'c', recursive: true }, { path: 'd/f', to: 'c' }] as const) {
        fs.rmSync(`${root}/d`, { recursive: true, force: true });
        fs.mkdirSync(`${root}/d`); fs.writeFileSync(`${root}/d/f`, 'f');
        const changing = new FilesAdapter({ boundary: name => { if (name === 'prepare.staged') change(); } });
        const { result } = await carryOut(changing, aFileCall(root, 'fs.copy', input));
        if (input.path === 'd/f' && fs.existsSync(`${root}/d/new`)) { expect(result.outcome).toBe('succeeded'); fs.unlinkSync(`${root}/c`); continue; }
        expect(result).toMatchObject({ outcome: 'failed', error: { code: 'TARGET_CHANGED', clean: true } });
        expect(fs.existsSync(`${root}/c`)).toBe(false);
        expect(fs.readdirSync(`${root}/.aifirst/prepared`)).toEqual([]);
      }
    }
  });

  it('that is over by time is given up cleanly', async () => {
    fs.mkdirSync(`${root}/d`); fs.writeFileSync(`${root}/d/f`, 'f');
    expect((await carryOut(adapter, aFileCall(root, 'fs.copy', { path: 'd', to: 'c', recursive: true }, { signal: AbortSignal.abort() }))).result).toMatchObject({ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } });
    expect(fs.readdirSync(root)).toEqual(['.aifirst', 'd']);
  });

  it('into which somebody else put something is not taken away, until that is gone again', async () => {
    fs.mkdirSync(`${root}/d/in`, { recursive: true }); fs.writeFileSync(`${root}/d/in/f`, 'f');
    const done = await doIt('fs.copy', { path: 'd', to: 'c', recursive: true });
    fs.writeFileSync(`${root}/c/in/theirs`, 'x');
    expect(await undo(done)).toMatchObject({ outcome: 'blocked', conflict: { resource: 'file://docs/c' } });
    expect(text('c/in/theirs')).toBe('x');
  });

  it('does not run out of space half done', async () => {
    try { execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', root], { stdio: 'ignore' }); } catch { console.log('copy: no mounts can be made here, skipped'); return; }
    try {
      fs.mkdirSync(`${root}/d`); fs.writeFileSync(`${root}/d/f`, Buffer.alloc(1_500_000, 1));
      const tree = snapshot(root);
      for (const input of [{ path: 'd', to: 'c', recursive: true }, { path: 'd/f', to: 'c' }]) {
        expect((await act('fs.copy', input)).result).toMatchObject({ outcome: 'failed', error: { code: 'NO_SPACE', clean: true } });
        expect(snapshot(root)).toEqual(tree);
        expect(fs.readdirSync(`${root}/.aifirst/prepared`)).toEqual([]);
      }
    } finally { execFileSync('umount', [root]); }
  });
});

describe('a patch', () => {
  it('keeps owner, mode, attributes and line ends', async () => {
    fs.writeFileSync(`${root}/f`, 'one\r\ntwo\r\nthree'); fs.chmodSync(`${root}/f`, 0o664);
    setAttribute('f', 'user.colour', 'blue');
    if (asRoot) fs.chownSync(`${root}/f`, 1234, 1235);
    const [before, attributes] = [snapshot(root), attributesOf('f')];
    const done = await doIt('fs.patch', { path: 'f', patch: '--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n' });
    expect([text('f'), mode('f'), attributesOf('f')]).toEqual(['one\r\nzwei\r\nthree', '0664', attributes]);
    if (asRoot) expect(fs.statSync(`${root}/f`)).toMatchObject({ uid: 1234, gid: 1235 });
    expect(JSON.stringify([done.before, done.after])).not.toContain('zwei');
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(root)).toEqual(before);
  });

  it('that does not fit names the hunk and none of the content', async () => {
    fs.writeFileSync(`${root}/f`, 'canary\n');
    const { result } = await act('fs.patch', { path: 'f', patch: '@@ -1 +1 @@\n-sparrow\n+x\n' });
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'TARGET_CHANGED', detail: expect.stringContaining('hunk 1 of 1'), clean: true } });
    expect(JSON.stringify(result)).not.toMatch(/canary|sparrow/);
    expect(fs.readdirSync(`${root}/.aifirst/prepared`)).toEqual([]);
  });
});

describe('a mode', () => {
  it('may keep or lose a special bit, which undo puts back on the very file that had it', async () => {
    fs.writeFileSync(`${root}/f`, 'f'); fs.chmodSync(`${root}/f`, 0o4755); fs.mkdirSync(`${root}/d`); fs.chmodSync(`${root}/d`, 0o3775);
    const before = snapshot(root);
    for (const [path, wanted] of [['f', '4700'], ['f', '0755'], ['d', '2755'], ['d', '0700']] as const) {
      const done = await doIt('fs.chmod', { path, mode: wanted });
      expect(mode(path)).toBe(wanted);
      expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
      expect(snapshot(root)).toEqual(before);
    }
    const done = await doIt('fs.chmod', { path: 'f', mode: '0755' });
    fs.copyFileSync(`${root}/f`, `${root}/same`); fs.renameSync(`${root}/same`, `${root}/f`);
    expect(await undo(done)).toMatchObject({ outcome: 'blocked' });
    expect(mode('f')).toBe('0755');
  });

  it('is put back whatever others did in the folder, and as a part of its access list', async () => {
    fs.mkdirSync(`${root}/d`); fs.writeFileSync(`${root}/f`, 'f');
    const listed = setAttribute('f', 'system.posix_acl_access', ACCESS_LIST);
    const before = snapshot(root).filter(line => line.startsWith('["/f"'));
    const dones = [await doIt('fs.chmod', { path: 'd', mode: '0700' }), await doIt('fs.chmod', { path: 'f', mode: '0600' })];
    fs.writeFileSync(`${root}/d/theirs`, 'x');
    for (const done of dones) expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(mode('d')).toBe('0755');
    expect(snapshot(root).filter(line => line.startsWith('["/f"'))).toEqual(before);
    if (listed) expect(before[0]).toContain('posix_acl_access');
  });

  it('that somebody else changed since, or that opens what they wrote since, is left alone', async () => {
    fs.writeFileSync(`${root}/f`, 'f');
    const done = await doIt('fs.chmod', { path: 'f', mode: '0600' });
    fs.chmodSync(`${root}/f`, 0o640);
    expect(await undo(done)).toMatchObject({ outcome: 'blocked', conflict: { what: 'its mode is another', found: expect.stringContaining('0640') } });
    fs.chmodSync(`${root}/f`, 0o600); fs.writeFileSync(`${root}/f`, 'a secret');
    expect(await undo(done)).toMatchObject({ outcome: 'blocked', conflict: { what: 'its content is another' } });
    expect(mode('f')).toBe('0600');
    // Whoever puts it back by hand has undone it.
    fs.writeFileSync(`${root}/f`, 'f'); fs.chmodSync(`${root}/f`, 0o644);
    expect(await undo(done)).toMatchObject({ outcome: 'undone', verified: true });
  });

  it('that is there already is found, not changed', async () => {
    fs.writeFileSync(`${root}/f`, 'f');
    const call = aFileCall(root, 'fs.chmod', { path: 'f', mode: '0644' });
    fs.chmodSync(`${root}/f`, 0o644);
    const image = await adapter.prepare(call);
    expect(await adapter.execute(call, image)).toMatchObject({ outcome: 'succeeded', output: { path: 'f', digest: sha256('f'), created: false, mode: '0644', previousMode: '0644' } });
    fs.chmodSync(`${root}/f`, 0o600);
    expect(await adapter.execute(call, image)).toMatchObject({ outcome: 'failed', error: { code: 'TARGET_CHANGED', clean: true } });
  });

  it('takes turns on its path alone, as does what is copied', () => {
    fs.mkdirSync(`${root}/d`);
    const keys = (capability: string, input: JsonObject) => adapter.serialiseOn(aFileCall(root, capability, input)).map(key => key.replace(root, ''));
    expect(keys('fs.chmod', { path: 'd/f', mode: '0600' })).toEqual(['file:/d/f']);
    expect(keys('fs.copy', { path: 'd/f', to: 'e/g' })).toEqual(['file:/', 'file:/d/f', 'file:/e', 'file:/e/g']);
    expect(keys('fs.patch', { path: 'd/f', patch: '' })).toEqual(['file:/d', 'file:/d/f']);
  });
});
