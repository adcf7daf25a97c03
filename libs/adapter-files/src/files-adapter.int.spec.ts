import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import type { JsonObject } from '@aifirst/kernel';
import Ajv2020 from 'ajv/dist/2020';
import { openAside, sweepPrepared } from './aside';
import { FilesAdapter } from './files-adapter';
import { sha256 } from './seen';
import { Folder, Held } from './system/folder';
import { setExtendedAttribute, tryLock } from './system/libc';
import { aFileCall, aFileConnection, aFolder, carryOut, snapshot, type DoneStep } from './testing';

let root: string;
let adapter: FilesAdapter;
beforeEach(() => { root = aFolder(); adapter = new FilesAdapter(); });
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const put = (path: string, content = path): void => {
  fs.mkdirSync(`${root}/${path}`.replace(/\/[^/]*$/, ''), { recursive: true });
  fs.writeFileSync(`${root}/${path}`, content);
};
const text = (path: string): string => fs.readFileSync(`${root}/${path}`, 'utf8');
const act = (capability: string, input: JsonObject) => carryOut(adapter, aFileCall(root, capability, input));
async function doIt(capability: string, input: JsonObject): Promise<DoneStep> {
  const { result, done } = await act(capability, input);
  if (done === null) throw new Error(`${capability}: ${JSON.stringify(result)}`);
  return done;
}
const undo = (done: DoneStep) => adapter.undo(done.call, done.before, done.after);

/** What stands before each case: files, folders, a link, names of one file. */
function aTree(): void {
  put('a/one.txt'); put('a/b/two.txt'); put('log.txt', 'line 1\n'); put('a/b/c/three'); fs.mkdirSync(`${root}/empty`);
  fs.symlinkSync('a/one.txt', `${root}/link`);
  fs.linkSync(`${root}/a/one.txt`, `${root}/a/again.txt`);
  fs.chmodSync(`${root}/a/b/two.txt`, 0o640);
  for (const [path, seconds] of [['a/b/two.txt', 1_111_111_111.123], ['log.txt', 1_222_222_222.456], ['a/b', 1_333_333_333.5], ['a', 1_444_444_444.25], ['', 1_500_000_000.75]] as const) {
    fs.utimesSync(`${root}/${path}`, seconds, seconds);
  }
}

describe('every verb, and its undo', () => {
  const cases: readonly (readonly [title: string, capability: string, input: JsonObject])[] = [
    ['writes a new file', 'fs.write', { path: 'new.txt', content: 'hello' }],
    ['writes a new file with missing parents', 'fs.write', { path: 'x/y/z/new.txt', content: 'hello' }],
    ['replaces a file', 'fs.write', { path: 'a/b/two.txt', content: 'other' }],
    ['replaces a file that has several names', 'fs.write', { path: 'a/one.txt', content: 'other', mode: '600' }],
    ['appends to a file', 'fs.append', { path: 'log.txt', content: 'line 2\n' }],
    ['appends nothing', 'fs.append', { path: 'log.txt', content: '' }],
    ['appends to a file that is not there', 'fs.append', { path: 'n/log.txt', content: 'line 1\n' }],
    ['makes a folder', 'fs.mkdir', { path: 'a/d', mode: '0750' }],
    ['makes a folder and its parents', 'fs.mkdir', { path: 'p/q/r', parents: true }],
    ['makes a folder that is there', 'fs.mkdir', { path: 'a/b', parents: true }],
    ['moves a file', 'fs.move', { path: 'a/b/two.txt', to: 'a/moved.txt' }],
    ['moves a file over another', 'fs.move', { path: 'a/b/two.txt', to: 'log.txt', ifExists: 'replace' }],
    ['moves a file within its folder over another', 'fs.move', { path: 'a/one.txt', to: 'a/b/two.txt', ifExists: 'replace' }],
    ['moves a folder', 'fs.move', { path: 'a/b', to: 'b2' }],
    ['moves a folder over an empty one', 'fs.move', { path: 'a/b', to: 'empty', ifExists: 'replace' }],
    ['patches a file', 'fs.patch', { path: 'a/b/two.txt', patch: '@@ -1 +1 @@\n-a/b/two.txt\n\\ No newline at end of file\n+other\n' }],
    ['patches a file that has several names', 'fs.patch', { path: 'a/one.txt', patch: '@@ -1 +1 @@\n-a/one.txt\n\\ No newline at end of file\n+other\n' }],
    ['copies a file', 'fs.copy', { path: 'a/b/two.txt', to: 'a/copy.txt' }],
    ['copies a file with missing parents', 'fs.copy', { path: 'a/b/two.txt', to: 'x/y/copy.txt' }],
    ['copies a file over another', 'fs.copy', { path: 'a/b/two.txt', to: 'log.txt', ifExists: 'replace' }],
    ['copies a folder', 'fs.copy', { path: 'a', to: 'c', recursive: true }],
    ['copies a folder over an empty one', 'fs.copy', { path: 'a', to: 'empty', ifExists: 'replace', recursive: true }],
    ['changes the mode of a file', 'fs.chmod', { path: 'log.txt', mode: '0000' }],
    ['changes the mode of a folder', 'fs.chmod', { path: 'a', mode: '0500' }],
    ['changes a mode to what is there', 'fs.chmod', { path: 'a/b/two.txt', mode: '0640' }],
    ['deletes a file', 'fs.delete', { path: 'a/b/two.txt' }],
    ['deletes one name of a file', 'fs.delete', { path: 'a/one.txt' }],
    ['deletes an empty folder', 'fs.delete', { path: 'empty' }],
    ['deletes a folder with all in it', 'fs.delete', { path: 'a', recursive: true }],
  ];
  it.each(cases)('%s', async (title, capability, input) => {
    aTree();
    const before = snapshot(root);
    const done = await doIt(capability, input);
    if (!/nothing|is there$/.test(title)) expect(snapshot(root)).not.toEqual(before);
    expect(await adapter.probe(done.call, done.before)).toMatchObject({ outcome: /nothing|is there$/.test(title) ? 'didNotHappen' : 'succeeded' });
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(root)).toEqual(before);
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(root)).toEqual(before);
    await adapter.forget(done.call, done.before, done.after);
    expect(fs.readdirSync(`${root}/.aifirst`, { recursive: true })).toEqual(['kept', 'prepared', 'steps']);
    expect(snapshot(root)).toEqual(before);
  });
});

describe('reading', () => {
  it('gives text as it is and all else in base64', async () => {
    put('text', 'grüße\ufeff'); fs.writeFileSync(`${root}/bytes`, Buffer.from([0, 255, 254])); fs.chmodSync(`${root}/bytes`, 0o604);
    fs.utimesSync(`${root}/bytes`, 1_500_000_000, 1_500_000_000);
    expect((await act('fs.read', { path: 'text' })).result).toMatchObject({ output: { content: 'grüße\ufeff', encoding: 'utf8', size: 10 } });
    expect((await act('fs.read', { path: 'bytes' })).result).toMatchObject({ output: {
      content: 'AP/+', encoding: 'base64', size: 3, mode: '0604', mtime: '2017-07-14T02:40:00.000000000Z', digest: sha256(Buffer.from([0, 255, 254])),
    } });
  });

  it('lists what is there, sorted, links as links, without what was set aside', async () => {
    aTree();
    await doIt('fs.delete', { path: 'log.txt' });
    fs.mkdirSync(`${root}/a/.aifirst`);
    const paths = ({ result }: Awaited<ReturnType<typeof act>>) => (result as unknown as { output: { entries: { path: string; type: string }[] } }).output.entries.map(({ path, type }) => `${path} ${type}`);
    expect(paths(await act('fs.list', {}))).toEqual(['a directory', 'empty directory', 'link symlink']);
    expect(paths(await act('fs.list', { path: 'a', recursive: true }))).toEqual(['a/again.txt file', 'a/b directory', 'a/b/c directory', 'a/b/c/three file', 'a/b/two.txt file', 'a/one.txt file']);
    for (let index = 0; index <= 10_000; index++) fs.writeFileSync(`${root}/empty/${index}`, '');
    expect((await act('fs.list', { path: 'empty' })).result).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LARGE' } });
  });
});

describe('writing', () => {
  it('answers with path, digest and whether it is new', async () => {
    const output = async (capability: string, input: JsonObject) => (await act(capability, input)).result;
    expect(await output('fs.write', { path: 'f', content: 'aGk=', encoding: 'base64' })).toMatchObject({ output: { path: 'f', digest: sha256('hi'), created: true } });
    expect(await output('fs.write', { path: 'f', content: 'ho', mode: '600' })).toMatchObject({ output: { path: 'f', digest: sha256('ho'), created: false } });
    expect(fs.statSync(`${root}/f`).mode & 0o7777).toBe(0o600);
    expect(await output('fs.append', { path: 'f', content: '!' })).toMatchObject({ output: { path: 'f', digest: sha256('ho!'), created: false } });
    expect(await output('fs.append', { path: 'g', content: '!' })).toMatchObject({ output: { path: 'g', digest: sha256('!'), created: true } });
    expect(await output('fs.move', { path: 'f', to: 'g', ifExists: 'replace' })).toMatchObject({ output: { path: 'g', from: 'f', digest: sha256('ho!'), created: false } });
    expect(await output('fs.delete', { path: 'g' })).toMatchObject({ output: { path: 'g', digest: sha256('ho!'), created: false } });
    expect(await output('fs.mkdir', { path: 'd', mode: '700' })).toMatchObject({ output: { path: 'd', created: true } });
    expect(await output('fs.mkdir', { path: 'd', parents: true })).toMatchObject({ output: { path: 'd', created: false } });
  });

  it('keeps owner, mode and attributes of a file it replaces, and the group of a folder that hands it on', async () => {
    if (process.geteuid!() !== 0) return;
    put('f', 'x'); fs.chownSync(`${root}/f`, 1234, 1235); fs.chmodSync(`${root}/f`, 0o4664);
    const fd = fs.openSync(`${root}/f`, 'r+');
    setExtendedAttribute(fd, 'user.colour', Buffer.from('blue'));
    fs.closeSync(fd);
    fs.mkdirSync(`${root}/g`); fs.chownSync(`${root}/g`, 0, 4321); fs.chmodSync(`${root}/g`, 0o2775);
    const before = snapshot(root);
    const dones = [await doIt('fs.write', { path: 'f', content: 'y' }), await doIt('fs.write', { path: 'g/h/i', content: 'y' })];
    expect(fs.statSync(`${root}/f`)).toMatchObject({ uid: 1234, gid: 1235, mode: 0o100664 });
    expect(snapshot(root).find(line => line.startsWith('["/f"'))).toContain('user.colour=');
    expect(fs.statSync(`${root}/g/h`)).toMatchObject({ gid: 4321, mode: expect.any(Number) });
    expect(fs.statSync(`${root}/g/h`).mode & 0o2000).toBe(0o2000);
    expect(fs.statSync(`${root}/g/h/i`).gid).toBe(4321);
    for (const done of dones.reverse()) expect(await undo(done)).toMatchObject({ verified: true });
    expect(snapshot(root)).toEqual(before);
  });

  it('keeps a folder it made while somebody else has a file in it, and takes it away with the undo that empties it', async () => {
    const first = await doIt('fs.write', { path: 'new/deep/one', content: '1' });
    const second = await doIt('fs.write', { path: 'new/deep/two', content: '2' });
    expect(await undo(first)).toEqual({ outcome: 'undone', verified: true, reason: '`new` holds something of somebody else and stays until that is gone' });
    expect(fs.readdirSync(`${root}/new/deep`)).toEqual(['two']);
    expect(await undo(second)).toMatchObject({ outcome: 'undone', verified: true });
    expect(fs.existsSync(`${root}/new`)).toBe(false);
    await adapter.forget(first.call, first.before, first.after);
    expect(fs.readdirSync(`${root}/.aifirst/kept`)).toEqual([]);
  });

  it('leaves a folder alone whose time of change is somebody else\'s', async () => {
    aTree();
    const done = await doIt('fs.delete', { path: 'a/b/two.txt' });
    put('a/b/foreign');
    const { mtimeNs } = fs.statSync(`${root}/a/b`, { bigint: true });
    expect(await undo(done)).toMatchObject({ outcome: 'undone', verified: true });
    expect(fs.statSync(`${root}/a/b`, { bigint: true }).mtimeNs).toBeGreaterThanOrEqual(mtimeNs);
    expect(text('a/b/foreign')).toBe('a/b/foreign');
  });

  it('needs no content in its images', async () => {
    put('f', 'the secret before\n');
    for (const capability of ['fs.write', 'fs.append']) {
      const done = await doIt(capability, { path: 'f', content: 'the secret after\n' });
      expect(JSON.stringify([done.before, done.after])).not.toContain('secret');
    }
  });
});

describe('resources', () => {
  it('are given back after every call, good or bad', async () => {
    aTree();
    const once = async (): Promise<number> => {
      for (const [capability, input] of [
        ['fs.write', { path: 'p/q', content: 'x' }], ['fs.write', { path: 'link', content: 'x' }], ['fs.append', { path: 'log.txt', content: 'x' }], ['fs.move', { path: 'a/b', to: 'c' }],
        ['fs.delete', { path: 'a', recursive: true }], ['fs.read', { path: 'log.txt' }], ['fs.read', { path: 'link' }], ['fs.list', { recursive: true }], ['fs.delete', { path: 'empty/x' }],
      ] as const) {
        const { done } = await act(capability, input);
        if (done === null) continue;
        await adapter.probe(done.call, done.before); await undo(done); await adapter.forget(done.call, done.before, done.after);
      }
      return fs.readdirSync('/proc/self/fd').length;
    };
    const first = await once();
    for (let round = 0; round < 5; round++) await once();
    expect(await once()).toBeLessThan(first + 5);
  });

  it('that run out fail the step cleanly, half-written parts taken back', async () => {
    try { execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root], { stdio: 'ignore' }); } catch { console.log('files-adapter: no mounts can be made here, skipped'); return; }
    try {
      put('log', 'line 1\n');
      const tree = snapshot(root);
      for (const capability of ['fs.write', 'fs.append']) {
        for (const path of ['log', 'new/file']) {
          expect([capability, path, (await act(capability, { path, content: 'x'.repeat(2_000_000) })).result]).toMatchObject([capability, path, { outcome: 'failed', error: { code: 'NO_SPACE', clean: true } }]);
          expect(snapshot(root)).toEqual(tree);
        }
      }
      expect((await act('fs.write', { path: 'log', content: 'y' })).result).toMatchObject({ outcome: 'succeeded' });
    } finally { execFileSync('umount', [root]); }
  });
});

describe('the descriptors', () => {
  const validator = new Ajv2020({ strict: false, validateFormats: false });
  it('describe what goes in and comes out', async () => {
    aTree();
    for (const [capability, input] of [
      ['fs.read', { path: 'log.txt' }], ['fs.list', { recursive: true }], ['fs.write', { path: 'w', content: '', mode: '0644', ifExists: 'fail', encoding: 'utf8' }],
      ['fs.append', { path: 'w', content: 'x' }], ['fs.mkdir', { path: 'm', parents: true, mode: '755' }], ['fs.move', { path: 'm', to: 'n' }], ['fs.copy', { path: 'n', to: 'o', recursive: true, ifExists: 'fail' }], ['fs.copy', { path: 'w', to: 'o/w' }],
      ['fs.patch', { path: 'log.txt', patch: '@@ -1 +1 @@\n-line 1\n+line one\n' }], ['fs.chmod', { path: 'w', mode: '0600' }], ['fs.chmod', { path: 'n', mode: '0700' }], ['fs.delete', { path: 'n', recursive: true }],
    ] as const) {
      const descriptor = adapter.capabilities().find(({ name }) => name === capability)!;
      const call = aFileCall(root, capability, input);
      expect([capability, validator.validate(descriptor.inputSchema, call.input), validator.errors]).toEqual([capability, true, null]);
      const { result } = await carryOut(adapter, call);
      expect([capability, result.outcome === 'succeeded' && validator.validate(descriptor.outputSchema, result.output), validator.errors]).toEqual([capability, true, null]);
      expect(validator.validate(descriptor.inputSchema, { ...call.input, extra: 1 })).toBe(false);
    }
  });
});

describe('connections', () => {
  it('accepts a folder and leaves no trace of trying', async () => {
    const before = snapshot(root);
    expect(await adapter.probeConnection(aFileConnection(root))).toEqual({ limitations: process.geteuid!() === 0 ? [] : [expect.stringContaining('other users')], lockBase: `file://${root}` });
    expect(snapshot(root)).toEqual(before);
    expect(fs.readdirSync(`${root}/.aifirst`, { recursive: true })).toEqual(['kept', 'prepared', 'steps']);
    expect(fs.statSync(`${root}/.aifirst`).mode & 0o777).toBe(0o700);
  });

  it('says what is wrong, and where', async () => {
    put('file');
    for (const [config, pointer] of [[{}, '/config/root'], [{ root: 'relative' }, '/config/root'], [{ root: '/' }, '/config/root'], [{ root: '//' }, '/config/root'], [{ root: `${root}/missing` }, '/config/root'],
      [{ root: `${root}/file` }, '/config/root'], [{ root: 7 }, '/config/root'], [{ root, rooot: 1 }, '/config/rooot'], [{ root: '/proc/self' }, '/config/root']] as const) {
      expect([config, await adapter.probeConnection({ ...aFileConnection(root), config })]).toEqual([config, { pointer, problem: expect.any(String) }]);
    }
    expect(await adapter.probeConnection({ ...aFileConnection(root), secretRefs: { password: 'env:X' } })).toMatchObject({ pointer: '/secretRefs' });
  });

  it('follows links in the root itself, and says so', async () => {
    fs.mkdirSync(`${root}/real`); fs.symlinkSync('real', `${root}/alias`);
    expect(await adapter.probeConnection(aFileConnection(`${root}/alias`))).toMatchObject({ limitations: expect.arrayContaining([expect.stringContaining(`${root}/real`)]) });
    const { done } = await carryOut(adapter, aFileCall(`${root}/alias`, 'fs.write', { path: 'f', content: 'x' }));
    // What it stands for changes: the step is still about the folder it worked in.
    fs.unlinkSync(`${root}/alias`); fs.mkdirSync(`${root}/alias`);
    expect(await adapter.undo(done!.call, done!.before, done!.after)).toMatchObject({ outcome: 'unknown', error: { code: 'CONNECTION_UNUSABLE' } });
    fs.rmdirSync(`${root}/alias`); fs.symlinkSync('real', `${root}/alias`);
    expect(await adapter.undo(done!.call, done!.before, done!.after)).toMatchObject({ outcome: 'undone', verified: true });
  });

  it('undoes beneath the root it worked in, though the connection has moved on', async () => {
    fs.mkdirSync(`${root}/one`); fs.mkdirSync(`${root}/two`);
    const { done } = await carryOut(adapter, aFileCall(`${root}/one`, 'fs.write', { path: 'f', content: 'x' }));
    expect(await adapter.undo({ ...done!.call, connection: aFileConnection(`${root}/two`) }, done!.before, done!.after)).toMatchObject({ outcome: 'undone' });
    expect(fs.existsSync(`${root}/one/f`)).toBe(false);
    await adapter.forget({ ...done!.call, connection: null }, done!.before, done!.after);
    expect(fs.readdirSync(`${root}/one/.aifirst/steps`)).toEqual([]);
    fs.rmSync(`${root}/one`, { recursive: true });
    await adapter.forget(done!.call, done!.before, done!.after);
  });
});

describe('several processes', () => {
  /** Another process at work holds the lock of the step's folder. */
  function somebodyHolds(place: string): () => void {
    const fd = fs.openSync(place, fs.constants.O_DIRECTORY);
    expect(tryLock(fd)).toBe(true);
    return () => fs.closeSync(fd);
  }

  it('wait for one another on a step, and nothing is told of it meanwhile', async () => {
    const patient = new FilesAdapter({ lockMsMax: 60 });
    const call = aFileCall(root, 'fs.write', { path: 'f', content: 'x' });
    const before = await patient.prepare(call);
    const [name] = fs.readdirSync(`${root}/.aifirst/prepared`);
    let release = somebodyHolds(`${root}/.aifirst/prepared/${name}`);
    expect(await patient.probe(call, before)).toMatchObject({ outcome: 'cannotTell' });
    expect(await patient.execute(call, before)).toMatchObject({ outcome: 'unknown' });
    release();
    const result = await patient.execute(call, before);
    expect(result).toMatchObject({ outcome: 'succeeded' });
    release = somebodyHolds(`${root}/.aifirst/steps/${name}`);
    const after = (result as { after: JsonObject }).after;
    expect(await patient.undo(call, before, after)).toMatchObject({ outcome: 'unknown', error: { code: 'LOCKED' } });
    setTimeout(release, 20);
    expect(await patient.undo(call, before, after)).toMatchObject({ outcome: 'undone' });
  });

  it('wait for one another on a folder, and fail cleanly when that takes too long', async () => {
    const patient = new FilesAdapter({ lockMsMax: 60 });
    fs.mkdirSync(`${root}/d`);
    const release = somebodyHolds(`${root}/d`);
    const tree = snapshot(root);
    expect((await carryOut(patient, aFileCall(root, 'fs.write', { path: 'd/f', content: 'x' }))).result).toMatchObject({ outcome: 'failed', error: { code: 'LOCKED', clean: true } });
    expect(snapshot(root)).toEqual(tree);
    release();
    expect((await carryOut(patient, aFileCall(root, 'fs.write', { path: 'd/f', content: 'x' }))).result).toMatchObject({ outcome: 'succeeded' });
  });

  it('do not begin what is over by now', async () => {
    const call = aFileCall(root, 'fs.write', { path: 'f', content: 'x' }, { signal: AbortSignal.abort() });
    expect((await carryOut(adapter, call)).result).toMatchObject({ outcome: 'failed', error: { code: 'TIMEOUT', clean: true } });
    expect(fs.existsSync(`${root}/f`)).toBe(false);
    expect(fs.readdirSync(`${root}/.aifirst/prepared`)).toEqual([]);
  });

  it('take turns on a path and its folder', () => {
    put('d/log');
    const keys = (capability: string, input: JsonObject) => adapter.serialiseOn(aFileCall(root, capability, input)).map(key => key.replace(root, ''));
    expect(keys('fs.write', { path: 'd/f' })).toEqual(['file:/d', 'file:/d/f']);
    expect(keys('fs.move', { path: 'd/f', to: 'e' })).toEqual(['file:/', 'file:/d', 'file:/d/f', 'file:/e']);
    expect(keys('fs.append', { path: 'd/log' })).toEqual(['file:/d/log']);
    expect(keys('fs.append', { path: 'd/new' })).toEqual(['file:/d', 'file:/d/new']);
    expect(keys('fs.read', { path: 'd/f' })).toEqual([]);
    expect(keys('fs.write', { path: 'd/p/q/f' })).toEqual(['file:/d', 'file:/d/p', 'file:/d/p/q', 'file:/d/p/q/f']);
  });

  it('take turns, when they are undone, on every folder that may go with them', () => {
    put('d/e/log');
    for (const capability of ['fs.write', 'fs.append']) {
      const call = aFileCall(root, capability, { path: 'd/e/log' }, { key: 'w/step/1/undo' });
      expect(adapter.serialiseOn(call).map(key => key.replace(root, ''))).toEqual(['file:/', 'file:/d', 'file:/d/e', 'file:/d/e/log']);
    }
  });

  it('find what a crash left behind before it was recorded gone after a day, and a sleeper does not begin', async () => {
    const call = aFileCall(root, 'fs.write', { path: 'f', content: 'x' });
    const before = await adapter.prepare(call);
    const held = new Held();
    try {
      const aside = openAside(held, held.folder(Folder.open(root)), false)!;
      await sweepPrepared(held, aside, Date.now() + 23 * 3_600_000);
      expect(aside.prepared.names()).toHaveLength(1);
      await sweepPrepared(held, aside, Date.now() + 25 * 3_600_000);
      expect(aside.prepared.names()).toHaveLength(0);
    } finally { held.close(); }
    expect(await adapter.execute(call, before)).toMatchObject({ outcome: 'failed', error: { code: 'FENCED' } });
  });
});
