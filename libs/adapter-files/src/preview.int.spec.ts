import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { CannotDo } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { applyPatch } from 'diff';
import { FilesAdapter } from './files-adapter';
import { sha256 } from './seen';
import { tryLock } from './system/libc';
import { aFileCall, aFolder, carryOut, snapshot } from './testing';

let root: string;
let adapter: FilesAdapter;
beforeEach(() => {
  root = aFolder();
  adapter = new FilesAdapter();
  fs.mkdirSync(`${root}/a/b`, { recursive: true }); fs.mkdirSync(`${root}/empty`);
  fs.writeFileSync(`${root}/a/one`, 'one\ntwo\nthree\n'); fs.writeFileSync(`${root}/a/b/two`, 'two\n'); fs.writeFileSync(`${root}/bytes`, Buffer.from([0, 1, 255]));
  fs.symlinkSync('one', `${root}/a/link`);
  // Why old: a time of access earlier than the time of change is one that reading sets anew.
  for (const path of ['a/one', 'a/b/two', 'bytes', 'a/b', 'a', 'empty', '']) fs.utimesSync(`${root}/${path}`, 1_400_000_000, 1_500_000_000);
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const preview = (capability: string, input: JsonObject) => adapter.preview(aFileCall(root, capability, input));
const codeOf = async (act: () => Promise<unknown>): Promise<string> => {
  try { await act(); return 'none'; } catch (error) {
    if (error instanceof CannotDo) return error.code;
    throw error;
  }
};

const PATCH = '@@ -2 +2 @@\n-two\n+zwei\n';
const every: readonly (readonly [string, JsonObject])[] = [
  ['fs.read', { path: 'a/one' }], ['fs.list', { recursive: true }], ['fs.write', { path: 'p/q/new', content: 'x' }], ['fs.write', { path: 'a/one', content: 'x' }], ['fs.append', { path: 'a/one', content: 'x' }],
  ['fs.append', { path: 'new', content: 'x' }], ['fs.patch', { path: 'a/one', patch: PATCH }], ['fs.mkdir', { path: 'p/q', parents: true }], ['fs.mkdir', { path: 'a', parents: true }],
  ['fs.move', { path: 'a', to: 'c' }], ['fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }], ['fs.copy', { path: 'a', to: 'p/c', recursive: true }],
  ['fs.copy', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }], ['fs.copy', { path: 'a', to: 'empty', ifExists: 'replace', recursive: true }],
  ['fs.delete', { path: 'a', recursive: true }], ['fs.delete', { path: 'bytes' }], ['fs.chmod', { path: 'a/one', mode: '0600' }], ['fs.chmod', { path: 'a', mode: '0700' }],
];

describe('a preview', () => {
  it.each(every)('of %s %j leaves no trace: nothing made, no time set, nothing locked or open', async (capability, input) => {
    const paths = ['', 'a', 'a/b', 'a/b/two', 'a/link', 'a/one', 'bytes', 'empty'];
    // All the kernel keeps of an entry, times of access and of change of the inode too.
    const states = (): readonly string[] => paths.map(path => JSON.stringify([path, ...Object.values(fs.lstatSync(`${root}/${path}`, { bigint: true }))].map(String)));
    const before = states();
    const open = fs.readdirSync('/proc/self/fd').length;
    const first = await preview(capability, input);
    expect(states()).toEqual(before);
    expect(fs.readdirSync('/proc/self/fd').length).toBe(open);
    expect(await preview(capability, input)).toEqual(first);
    expect(fs.readdirSync(root)).toEqual(['a', 'bytes', 'empty']);
    for (const path of ['', 'a', 'a/b']) {
      const fd = fs.openSync(`${root}/${path}`, fs.constants.O_DIRECTORY);
      try { expect(tryLock(fd)).toBe(true); } finally { fs.closeSync(fd); }
    }
  });

  it.each(every)('of %s %j waits for no lock of others and says what is done then', async (capability, input) => {
    const locks = ['', 'a', 'a/b'].map(path => fs.openSync(`${root}/${path}`, fs.constants.O_DIRECTORY));
    for (const fd of locks) expect(tryLock(fd)).toBe(true);
    const told = await preview(capability, input);
    for (const fd of locks) fs.closeSync(fd);
    const before = snapshot(root);
    const { result } = await carryOut(adapter, aFileCall(root, capability, input));
    expect(result).toMatchObject({ outcome: 'succeeded' });
    const changed = snapshot(root).filter(line => !before.includes(line)).map(line => (JSON.parse(line) as [string])[0].slice(1)).filter(path => path !== '');
    const uriOf = (path: string): string => `file://docs/${path}`;
    // A folder whose entries change has another time; what was moved along with its folder is told by that.
    for (const path of changed.filter(one => !['a', 'a/b'].includes(one) && !one.startsWith('c/'))) expect([path, ...told.changes.map(({ resource }) => resource)]).toContain(uriOf(path === 'c' ? 'a' : path));
    for (const change of told.changes) {
      if (change.kind !== 'file' || change.after === null || change.action === 'move') continue;
      const stats = fs.lstatSync(`${root}/${change.resource.slice('file://docs/'.length)}`);
      expect([change.resource, (stats.mode & 0o7777).toString(8).padStart(4, '0')]).toEqual([change.resource, change.after.mode]);
      expect(stats.isDirectory()).toBe(change.after.type === 'directory');
      if (stats.isFile()) expect([sha256(fs.readFileSync(`${root}/${change.resource.slice('file://docs/'.length)}`)), stats.size]).toEqual([change.after.digest, change.after.size]);
    }
  });

  it('shows what changes in a text as a diff that leads there', async () => {
    const before = fs.readFileSync(`${root}/a/one`, 'utf8');
    for (const [capability, input, after] of [['fs.write', { content: 'one\nzwei' }, 'one\nzwei'], ['fs.append', { content: 'four' }, `${before}four`], ['fs.patch', { patch: PATCH }, 'one\nzwei\nthree\n']] as const) {
      const told = await preview(capability, { path: 'a/one', ...input });
      expect(told).toMatchObject({ footprint: ['file://docs/a/one'], truncated: false, changes: [{ kind: 'file', resource: 'file://docs/a/one', action: 'change', before: { type: 'file', size: 14, digest: sha256(before) }, after: { size: after.length, digest: sha256(after) } }] });
      expect(applyPatch(before, (told.changes[0] as { diff: string }).diff)).toBe(after);
    }
    expect((await preview('fs.write', { path: 'a/b/two', content: 'deux\n' })).changes).toMatchObject([{ diff: '--- a/a/b/two\n+++ b/a/b/two\n@@ -1,1 +1,1 @@\n-two\n+deux\n' }]);
  });

  it('names parents that would be made, and what is no text by its state alone', async () => {
    expect(await preview('fs.write', { path: 'p/q/f', content: 'x\n', mode: '0640' })).toEqual({
      summary: 'creates `p/q/f` (2 bytes) and 2 folders on its way', footprint: ['file://docs/p', 'file://docs/p/q', 'file://docs/p/q/f'], truncated: false,
      changes: [
        ...['p', 'p/q'].map(path => ({ kind: 'file', resource: `file://docs/${path}`, action: 'create', diff: null, before: null, after: { type: 'directory', size: 0, mode: '0755', digest: null } })),
        { kind: 'file', resource: 'file://docs/p/q/f', action: 'create', diff: '--- /dev/null\n+++ b/p/q/f\n@@ -0,0 +1,1 @@\n+x\n', before: null, after: { type: 'file', size: 2, mode: '0640', digest: sha256('x\n') } },
      ],
    });
    expect(await preview('fs.delete', { path: 'bytes' })).toMatchObject({ changes: [{ action: 'delete', diff: null, before: { size: 3, digest: sha256(Buffer.from([0, 1, 255])) }, after: null }], truncated: false });
    expect(await preview('fs.chmod', { path: 'a/one', mode: '0600' })).toMatchObject({ summary: 'changes the mode of `a/one` from 0644 to 0600', changes: [{ action: 'mode', diff: null, before: { mode: '0644' }, after: { mode: '0600' } }] });
    expect(await preview('fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' })).toMatchObject({
      summary: 'moves `a/one` to `a/b/two` in place of what is there', footprint: ['file://docs/a/one', 'file://docs/a/b/two'],
      changes: [{ resource: 'file://docs/a/one', action: 'move' }, { resource: 'file://docs/a/b/two', action: 'change', diff: expect.stringContaining('+three') }],
    });
  });

  it('counts what is in a folder, and lists a bounded part of it', async () => {
    expect(await preview('fs.delete', { path: 'a', recursive: true })).toMatchObject({
      summary: 'deletes the folder `a` (2 files, 2 folders, 1 link or other, 18 bytes)', footprint: ['file://docs/a'], truncated: false,
      changes: [{ resource: 'file://docs/a' }, { resource: 'file://docs/a/b' }, { resource: 'file://docs/a/b/two', diff: expect.stringContaining('-two') }, { resource: 'file://docs/a/link', diff: null }, { resource: 'file://docs/a/one' }],
    });
    fs.mkdirSync(`${root}/many`);
    for (let index = 0; index < 300; index++) fs.writeFileSync(`${root}/many/${index}`, 'line\n'.repeat(10));
    for (const [capability, input, verb] of [['fs.delete', {}, 'deletes the folder `many`'], ['fs.copy', { to: 'p/copy' }, 'copies the folder `many`']] as const) {
      const told = await preview(capability, { path: 'many', recursive: true, ...input });
      expect(told.summary).toContain(`${verb} (300 files, 1 folder, 15000 bytes)`);
      expect([told.truncated, told.changes.length]).toEqual([true, 100]);
      expect(told.changes.flatMap(change => (change.kind === 'file' && change.diff !== null ? change.diff.trimEnd().split('\n') : []))).toHaveLength(200);
    }
  });

  it('is bounded for large files, long lines and rewritten texts', async () => {
    const lines = (word: string) => Array.from({ length: 30_000 }, (_, index) => `${word} ${index}`).join('\n');
    fs.writeFileSync(`${root}/large`, `same\nsame\n${lines('old')}`);
    const started = Date.now();
    const rewritten = await preview('fs.write', { path: 'large', content: `same\nsame\n${lines('new')}` });
    expect(Date.now() - started).toBeLessThan(3_000);
    const { diff } = rewritten.changes[0] as { diff: string };
    expect([rewritten.truncated, diff.trimEnd().split('\n').length]).toEqual([true, 200]);
    expect(diff).toContain('\n same\n same\n-old 0\n-old 1\n');
    const longLine = await preview('fs.write', { path: 'x', content: 'ü'.repeat(100_000) });
    expect(longLine.truncated).toBe(true);
    expect(Buffer.byteLength((longLine.changes[0] as { diff: string }).diff)).toBeLessThanOrEqual(64 * 1024 + 1);
    fs.truncateSync(`${root}/large`, 3_000_000);
    expect(await preview('fs.append', { path: 'large', content: 'x' })).toMatchObject({ truncated: true, changes: [{ diff: null, before: { size: 3_000_000 }, after: { size: 3_000_001 } }] });
  });

  it('shows no content in its summary', async () => {
    for (const [capability, input] of [['fs.write', { content: 'canary' }], ['fs.append', { content: 'canary' }], ['fs.patch', { patch: '@@ -2 +2 @@\n-two\n+canary\n' }]] as const) {
      expect((await preview(capability, { path: 'a/one', ...input })).summary).not.toContain('canary');
    }
  });

  it('names paths as locks and policies do', async () => {
    expect((await preview('fs.write', { path: 'a%41\u0007', content: '' })).footprint).toEqual(['file://docs/a%2541%07']);
  });
});

describe('what would fail cleanly', () => {
  const failing: readonly (readonly [string, JsonObject])[] = [
    ['fs.read', { path: 'missing' }], ['fs.read', { path: 'a' }], ['fs.list', { path: 'a/one' }], ['fs.write', { path: 'a', content: '' }], ['fs.write', { path: 'a/one', content: '', ifExists: 'fail' }], ['fs.write', { path: 'a/link', content: '' }],
    ['fs.write', { path: '../x', content: '' }], ['fs.write', { path: 'a/one/x', content: '' }], ['fs.write', { path: '.aifirst/x', content: '' }], ['fs.write', { path: 'x', content: '', mode: '4755' }], ['fs.write', { path: 'x', content: 5 }],
    ['fs.append', { path: 'hard', content: 'x' }], ['fs.append', { path: 'a/b', content: 'x' }], ['fs.append', { path: 'pipe', content: 'x' }], ['fs.patch', { path: 'a/one', patch: '@@ -1 +1 @@\n-zwei\n+x\n' }], ['fs.patch', { path: 'bytes', patch: PATCH }], ['fs.patch', { path: 'a/one', patch: 'x' }],
    ['fs.patch', { path: 'missing', patch: PATCH }], ['fs.mkdir', { path: 'a' }], ['fs.mkdir', { path: 'x/y' }], ['fs.mkdir', { path: 'bytes', parents: true }], ['fs.move', { path: 'a', to: 'a/x' }], ['fs.move', { path: 'missing', to: 'x' }], ['fs.move', { path: 'bytes', to: 'a/one' }],
    ['fs.move', { path: 'bytes', to: 'no/x' }], ['fs.move', { path: 'empty', to: 'a', ifExists: 'replace' }], ['fs.move', { path: 'a/link', to: 'x' }], ['fs.move', { path: 'nested', to: 'x' }], ['fs.copy', { path: 'a', to: 'x' }], ['fs.copy', { path: 'a/link', to: 'x' }], ['fs.copy', { path: 'pipe', to: 'x' }],
    ['fs.copy', { path: 'nested', to: 'x', recursive: true }], ['fs.copy', { path: 'bytes', to: 'a', ifExists: 'replace' }], ['fs.copy', { path: 'bytes', to: 'a/link', ifExists: 'replace' }], ['fs.delete', { path: 'a' }], ['fs.delete', { path: 'missing' }], ['fs.delete', { path: 'a/link' }], ['fs.delete', { path: 'nested', recursive: true }],
    ['fs.delete', { path: 'pipe' }], ['fs.chmod', { path: 'hard', mode: '0600' }], ['fs.chmod', { path: 'a', mode: '2755' }], ['fs.chmod', { path: 'a/link', mode: '0600' }], ['fs.chmod', { path: 'missing', mode: '0600' }], ['fs.unheard', { path: 'a' }],
  ];
  function aHostileTree(): void {
    fs.writeFileSync(`${root}/hard`, 'x'); fs.linkSync(`${root}/hard`, `${root}/hard2`);
    fs.mkdirSync(`${root}/nested/.aifirst`, { recursive: true });
    execFileSync('mkfifo', [`${root}/pipe`]);
  }
  const codeOfAct = async (capability: string, input: JsonObject): Promise<string> => {
    const { result } = await carryOut(adapter, aFileCall(root, capability, input));
    return result.outcome === 'failed' ? result.error.code : result.outcome;
  };

  it.each(failing)('%s %j is previewed as failing with the same code', async (capability, input) => {
    aHostileTree();
    const code = await codeOf(() => preview(capability, input));
    expect(code).not.toBe('none');
    expect(fs.existsSync(`${root}/.aifirst`)).toBe(false);
    expect(code).toBe(await codeOfAct(capability, input));
  });

  it('without a right is previewed as failing with the same code', async () => {
    if (process.geteuid!() !== 0) return;
    const NOBODY = 65_534;
    fs.chmodSync(root, 0o755);
    fs.mkdirSync(`${root}/mine`); fs.writeFileSync(`${root}/mine/f`, 'x\n'); fs.chownSync(`${root}/mine`, NOBODY, NOBODY); fs.chownSync(`${root}/mine/f`, NOBODY, NOBODY);
    fs.mkdirSync(`${root}/drop`); fs.chmodSync(`${root}/drop`, 0o1777); fs.writeFileSync(`${root}/drop/theirs`, 'x\n'); fs.chmodSync(`${root}/drop/theirs`, 0o666);
    fs.mkdirSync(`${root}/read`); fs.writeFileSync(`${root}/read/f`, 'x\n'); fs.chmodSync(`${root}/read/f`, 0o666);
    fs.mkdirSync(`${root}/mine/locked`, { mode: 0o500 }); fs.chownSync(`${root}/mine/locked`, NOBODY, NOBODY);
    fs.mkdirSync(`${root}/shut`, { mode: 0o700 }); fs.writeFileSync(`${root}/secret`, 'x', { mode: 0o600 });
    const cases: readonly (readonly [string, JsonObject])[] = [
      ['fs.read', { path: 'secret' }], ['fs.list', { path: 'shut' }], ['fs.write', { path: 'read/new', content: '' }], ['fs.write', { path: 'read/f', content: '' }], ['fs.write', { path: 'drop/theirs', content: '' }], ['fs.append', { path: 'a/one', content: '' }],
      ['fs.append', { path: 'read/new', content: '' }], ['fs.patch', { path: 'read/f', patch: '@@ -1 +1 @@\n-x\n+y\n' }], ['fs.mkdir', { path: 'read/new' }], ['fs.move', { path: 'read/f', to: 'mine/g' }], ['fs.move', { path: 'mine/f', to: 'read/g' }], ['fs.move', { path: 'mine/locked', to: 'drop/l' }],
      ['fs.move', { path: 'drop/theirs', to: 'mine/g' }], ['fs.copy', { path: 'secret', to: 'mine/s' }], ['fs.copy', { path: 'shut', to: 'mine/s', recursive: true }], ['fs.copy', { path: 'mine/f', to: 'read/g' }], ['fs.copy', { path: 'mine/f', to: 'a/one', ifExists: 'replace' }],
      ['fs.delete', { path: 'read/f' }], ['fs.delete', { path: 'drop/theirs' }], ['fs.delete', { path: 'mine/locked' }], ['fs.delete', { path: 'shut', recursive: true }], ['fs.chmod', { path: 'read/f', mode: '0600' }],
    ];
    const fine: readonly (readonly [string, JsonObject])[] = [['fs.write', { path: 'mine/f', content: 'y\n' }], ['fs.write', { path: 'drop/new', content: '' }], ['fs.append', { path: 'read/f', content: 'y' }], ['fs.chmod', { path: 'mine/locked', mode: '0700' }], ['fs.copy', { path: 'read', to: 'mine/copy', recursive: true }]];
    process.setegid!(NOBODY); process.seteuid!(NOBODY);
    try {
      // Nothing can be set aside beneath a root that is not theirs to write into.
      for (const [capability, input] of [...cases, ...fine].filter(([name]) => name !== 'fs.read' && name !== 'fs.list')) {
        expect([capability, input, await codeOf(() => preview(capability, input))]).toEqual([capability, input, 'PERMISSION_DENIED']);
        expect([capability, input, await codeOfAct(capability, input)]).toEqual([capability, input, 'PERMISSION_DENIED']);
      }
    } finally { process.seteuid!(0); process.setegid!(0); }
    fs.mkdirSync(`${root}/.aifirst`, { mode: 0o700 }); fs.chownSync(`${root}/.aifirst`, NOBODY, NOBODY);
    process.setegid!(NOBODY); process.seteuid!(NOBODY);
    try {
      for (const [capability, input] of cases) {
        expect([capability, input, await codeOf(() => preview(capability, input))]).toEqual([capability, input, 'PERMISSION_DENIED']);
        expect([capability, input, await codeOfAct(capability, input)]).toEqual([capability, input, 'PERMISSION_DENIED']);
      }
      for (const [capability, input] of fine) {
        expect([capability, input, await codeOf(() => preview(capability, input))]).toEqual([capability, input, 'none']);
        expect([capability, input, await codeOfAct(capability, input)]).toEqual([capability, input, 'succeeded']);
      }
    } finally { process.seteuid!(0); process.setegid!(0); }
  });

  it('on a connection that is not there, or read-only, says so', async () => {
    const missing = { ...aFileCall(root, 'fs.write', { path: 'f', content: '' }), connection: { ...aFileCall(root, 'fs.write', {}).connection!, config: { root: `${root}/missing` } } };
    expect(await codeOf(() => adapter.preview(missing))).toBe('CONNECTION_UNUSABLE');
    try { execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', `${root}/empty`], { stdio: 'ignore' }); } catch { console.log('preview: no mounts can be made here, skipped'); return; }
    try {
      const call = aFileCall(`${root}/empty`, 'fs.write', { path: 'f', content: '' });
      expect(await codeOf(() => adapter.preview(call))).toBe('PERMISSION_DENIED');
      expect((await carryOut(adapter, call)).result).toMatchObject({ outcome: 'failed', error: { code: 'PERMISSION_DENIED' } });
    } finally { execFileSync('umount', [`${root}/empty`]); }
  });
});
