import * as fs from 'node:fs';
import fc from 'fast-check';
import type { UndoResult } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { FilesAdapter } from './files-adapter';
import { sha256 } from './seen';
import { tryLock } from './system/libc';
import { aFileCall, aFolder, carryOut, type DoneStep } from './testing';

/** `AIFIRST_FILES_RUNS` runs more, e.g. 10000. */
const RUNS = Number(process.env['AIFIRST_FILES_RUNS'] ?? 60);

let root: string;
function aTree(): void {
  root = aFolder();
  fs.mkdirSync(`${root}/a/b`, { recursive: true });
  fs.mkdirSync(`${root}/empty`);
  fs.writeFileSync(`${root}/a/one`, 'one\n'); fs.writeFileSync(`${root}/a/b/two`, 'two\n'); fs.writeFileSync(`${root}/log`, 'line 1\n');
}
beforeEach(aTree);
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const adapter = new FilesAdapter();
const THEIRS = 'somebody else\'s\n';
const isFolder = (path: string): boolean => fs.existsSync(path) && fs.lstatSync(path).isDirectory();
/** A link is left alone: whoever wrote through it would write beyond the root. */
const isThere = (path: string): boolean => fs.existsSync(path) && !fs.lstatSync(path).isSymbolicLink();
const put = (path: string): boolean => { if (isFolder(path) || !isFolder(path.replace(/\/[^/]*$/, ''))) return false; fs.writeFileSync(`${root}/other`, THEIRS); fs.renameSync(`${root}/other`, path); return true; };
const CHANGES: Readonly<Record<string, (path: string) => boolean>> = {
  'writes over it': path => { if (!isThere(path) || isFolder(path)) return false; fs.writeFileSync(path, THEIRS); return true; },
  'adds to it': path => { if (!isThere(path) || isFolder(path)) return false; fs.appendFileSync(path, THEIRS); return true; },
  'puts another in its place': put,
  'puts a link in its place': path => { if (isFolder(path) || !isFolder(path.replace(/\/[^/]*$/, ''))) return false; fs.rmSync(path, { force: true }); fs.symlinkSync('nowhere', path); return true; },
  'takes it away': path => { if (!isThere(path)) return false; fs.rmSync(path, { recursive: true }); return true; },
  'changes its mode': path => { if (!isThere(path)) return false; fs.chmodSync(path, 0o711); return true; },
  'puts something into it': path => { if (!isFolder(path)) return false; fs.writeFileSync(`${path}/foreign`, THEIRS); return true; },
};
const cases: readonly (readonly [title: string, capability: string, input: JsonObject])[] = [
  ['a file is written', 'fs.write', { path: 'new', content: 'x' }],
  ['a file is written with parents', 'fs.write', { path: 'p/q/new', content: 'x' }],
  ['a file is replaced', 'fs.write', { path: 'a/one', content: 'x' }],
  ['a file is appended to', 'fs.append', { path: 'log', content: 'line 2\n' }],
  ['a new file is appended to', 'fs.append', { path: 'new', content: 'line 2\n' }],
  ['folders are made', 'fs.mkdir', { path: 'p/q', parents: true }],
  ['a folder is there already', 'fs.mkdir', { path: 'a', parents: true }],
  ['a file is moved', 'fs.move', { path: 'a/one', to: 'a/b/one' }],
  ['a folder is moved', 'fs.move', { path: 'a/b', to: 'c' }],
  ['a file is moved over another', 'fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }],
  ['a folder is moved over another', 'fs.move', { path: 'a/b', to: 'empty', ifExists: 'replace' }],
  ['a file is patched', 'fs.patch', { path: 'log', patch: '@@ -1 +1,2 @@\n line 1\n+line 2\n' }],
  ['a file is copied', 'fs.copy', { path: 'a/one', to: 'p/q/one' }],
  ['a file is copied over another', 'fs.copy', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }],
  ['a folder is copied', 'fs.copy', { path: 'a', to: 'c', recursive: true }],
  ['the mode of a file is changed', 'fs.chmod', { path: 'a/one', mode: '0600' }],
  ['the mode of a folder is changed', 'fs.chmod', { path: 'a', mode: '0700' }],
  ['a file is deleted', 'fs.delete', { path: 'a/one' }],
  ['a folder is deleted', 'fs.delete', { path: 'a', recursive: true }],
];

async function done(capability: string, input: JsonObject): Promise<DoneStep> {
  const { result, done: step } = await carryOut(adapter, aFileCall(root, capability, input));
  expect(result).toMatchObject({ outcome: 'succeeded' });
  return step!;
}
const preview = ({ call, before, after }: DoneStep) => adapter.previewUndo({ ...call, key: call.key.replace('/forward', '/undo') }, before, after);
const undo = ({ call, before, after }: DoneStep): Promise<UndoResult> => adapter.undo(call, before, after);

/** All that the kernel keeps of everything beneath the root, `.aifirst` too, but for times of access. */
function everything(): readonly string[] {
  return ['', ...fs.readdirSync(root, { recursive: true }) as string[]].sort().map(path => {
    const { atime: _atime, atimeMs: _atimeMs, atimeNs: _atimeNs, ...rest } = fs.lstatSync(`${root}/${path}`, { bigint: true });
    return JSON.stringify([path, ...Object.values(rest)].map(String));
  });
}
/** Nobody holds any folder beneath the root. */
function nothingLocked(): void {
  for (const path of ['', ...fs.readdirSync(root, { recursive: true }) as string[]].filter(isFolderBeneath)) {
    const fd = fs.openSync(`${root}/${path}`, fs.constants.O_DIRECTORY);
    try { expect([path, tryLock(fd)]).toEqual([path, true]); } finally { fs.closeSync(fd); }
  }
}
const isFolderBeneath = (path: string): boolean => isFolder(`${root}/${path}`);

/** What the preview says is what the undo then says, and it leaves no trace. */
async function holds(step: DoneStep): Promise<UndoResult> {
  const before = everything();
  const open = fs.readdirSync('/proc/self/fd').length;
  const told = await preview(step);
  expect(everything()).toEqual(before);
  expect(fs.readdirSync('/proc/self/fd').length).toBe(open);
  nothingLocked();
  const result = await undo(step);
  if (result.outcome === 'blocked') {
    const [{ before: _before, after: _after, current: _current, ...first }] = told.conflicts as [(typeof told.conflicts)[number]];
    expect([told.outcome, first]).toEqual(['wouldBlock', result.conflict]);
  } else expect([told.outcome === 'wouldBlock', told.conflicts, result.outcome]).toEqual([false, [], 'undone']);
  return result;
}

describe.each(cases)('where %s, an undo preview', (_title, capability, input) => {
  it('says that it would be undone, once', async () => {
    const step = await done(capability, input);
    const isNothing = capability === 'fs.mkdir' && input['path'] === 'a';
    expect(await preview(step)).toMatchObject({ outcome: isNothing ? 'nothingToDo' : 'wouldUndo' });
    expect(await holds(step)).toMatchObject({ outcome: 'undone' });
    expect(await preview(step)).toMatchObject({ outcome: 'nothingToDo' });
    expect(await holds(step)).toMatchObject({ outcome: 'undone' });
  });

  it('says what the undo then says, whatever somebody else did, and leaves no trace', async () => {
    let found = 0;
    for (const [title, change] of Object.entries(CHANGES)) {
      for (const place of [input['path'], input['to'], 'a/b', 'a'].filter(one => typeof one === 'string')) {
        fs.rmSync(root, { recursive: true, force: true });
        aTree();
        const step = await done(capability, input);
        if (!change(`${root}/${place}`)) continue;
        const { outcome } = await holds(step);
        if (outcome === 'blocked') found++;
        expect([title, place, await holds(step)]).toMatchObject([title, place, { outcome }]);
      }
    }
    if (!(capability === 'fs.mkdir' && input['path'] === 'a')) expect(found).toBeGreaterThan(0);
  });

  it('waits for no lock of others', async () => {
    const step = await done(capability, input);
    const locked = ['', ...fs.readdirSync(root, { recursive: true }) as string[]].filter(isFolderBeneath).map(path => fs.openSync(`${root}/${path}`, fs.constants.O_DIRECTORY));
    for (const fd of locked) expect(tryLock(fd)).toBe(true);
    try { expect((await preview(step)).outcome).not.toBe('wouldBlock'); } finally { for (const fd of locked) fs.closeSync(fd); }
  });
});

describe('a conflict has three sides', () => {
  const file = (content: string, mode = '0644') => ({ type: 'file', size: Buffer.byteLength(content), mode, digest: sha256(content), content });
  const conflictsOf = async (step: DoneStep) => (await preview(step)).conflicts;

  it('of a file that was replaced', async () => {
    const step = await done('fs.write', { path: 'a/one', content: 'ours\n' });
    fs.writeFileSync(`${root}/a/one`, THEIRS);
    expect(await preview(step)).toMatchObject({ outcome: 'wouldBlock', summary: '`a/one`: its content is another', truncated: false });
    expect(await conflictsOf(step)).toEqual([{
      resource: 'file://docs/a/one', what: 'its content is another', expected: expect.stringContaining('a file of 5 bytes') as string, found: expect.stringContaining('a file of 16 bytes') as string,
      before: file('one\n'), after: file('ours\n'), current: file(THEIRS),
    }]);
  });
  it('of a file that was made, patched, appended to, copied, and of one that had its mode changed', async () => {
    const steps = [
      [await done('fs.write', { path: 'new', content: 'ours\n', mode: '0600' }), 'new', null, file('ours\n', '0600')],
      [await done('fs.patch', { path: 'a/b/two', patch: '@@ -1 +1 @@\n-two\n+zwei\n' }), 'a/b/two', file('two\n'), file('zwei\n')],
      [await done('fs.append', { path: 'log', content: 'line 2\n' }), 'log', file('line 1\n'), file('line 1\nline 2\n')],
      [await done('fs.copy', { path: 'a/one', to: 'empty/one' }), 'empty/one', null, file('one\n')],
    ] as const;
    for (const [step, path, before, after] of steps) {
      const old = fs.readFileSync(`${root}/${path}`, 'utf8');
      fs.appendFileSync(`${root}/${path}`, THEIRS);
      expect(await conflictsOf(step)).toMatchObject([{ resource: `file://docs/${path}`, before, after, current: { ...file(old + THEIRS), mode: after.mode } }]);
    }
    const mode = await done('fs.chmod', { path: 'a/one', mode: '0600' });
    fs.chmodSync(`${root}/a/one`, 0o640);
    expect(await conflictsOf(mode)).toMatchObject([{ what: 'its mode is another', before: file('one\n'), after: file('one\n', '0600'), current: file('one\n', '0640') }]);
  });
  it('at either path of a move, all of them, and where a file was deleted', async () => {
    const move = await done('fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' });
    const kept = await done('fs.delete', { path: 'log' });
    for (const path of ['a/one', 'a/b/two', 'log']) fs.writeFileSync(`${root}/${path}`, THEIRS);
    expect(await preview(move)).toMatchObject({ summary: '`a/b/two`: its content is another, and 1 more' });
    expect(await conflictsOf(move)).toMatchObject([
      { resource: 'file://docs/a/b/two', before: file('two\n'), current: file(THEIRS) },
      { resource: 'file://docs/a/one', before: { type: 'file', size: 4 }, after: null, current: file(THEIRS) },
    ]);
    expect(await conflictsOf(kept)).toMatchObject([{ resource: 'file://docs/log', what: 'somebody else has put something in its place', before: file('line 1\n'), after: null, current: file(THEIRS) }]);
  });
  it('without the content of what is no text or too large, which is said', async () => {
    const binary = await done('fs.write', { path: 'bytes', content: Buffer.from([0, 255]).toString('base64'), encoding: 'base64' });
    fs.writeFileSync(`${root}/bytes`, Buffer.from([0, 1]));
    expect(await preview(binary)).toMatchObject({ truncated: false, conflicts: [{ before: null, after: { size: 2, content: null }, current: { size: 2, content: null } }] });
    const large = await done('fs.write', { path: 'large', content: 'x'.repeat(16 * 1024) });
    fs.appendFileSync(`${root}/large`, 'x');
    expect(await preview(large)).toMatchObject({ truncated: true, conflicts: [{ after: { size: 16_384, content: 'x'.repeat(16 * 1024) }, current: { size: 16_385, content: null } }] });
  });
  it('whatever lies there: nothing, a folder, a link', async () => {
    const step = await done('fs.write', { path: 'new', content: 'ours\n' });
    const other = await done('fs.write', { path: 'log', content: 'ours\n' });
    fs.rmSync(`${root}/log`);
    expect(await conflictsOf(other)).toMatchObject([{ what: 'it is gone', current: null }]);
    fs.rmSync(`${root}/new`);
    fs.mkdirSync(`${root}/new`);
    expect(await conflictsOf(step)).toMatchObject([{ current: { type: 'directory', content: null } }]);
    fs.rmdirSync(`${root}/new`);
    fs.symlinkSync('nowhere', `${root}/new`);
    expect(await conflictsOf(step)).toMatchObject([{ before: null, after: file('ours\n'), current: { type: 'link', digest: null, content: null } }]);
  });
});

describe('an undo preview', () => {
  it('of what only read has nothing to do', async () => {
    for (const [capability, input] of [['fs.read', { path: 'a/one' }], ['fs.list', { path: 'a' }]] as const) expect(await preview(await done(capability, input))).toMatchObject({ outcome: 'nothingToDo' });
  });
  it('says that what an undo needs was forgotten', async () => {
    const step = await done('fs.write', { path: 'a/one', content: 'x' });
    await adapter.forget(step.call, step.before, step.after);
    expect(await preview(step)).toMatchObject({ outcome: 'wouldBlock', conflicts: [{ what: 'what undo needs has been forgotten' }] });
    expect(await holds(step)).toMatchObject({ outcome: 'blocked' });
  });
  it('can not be made where the root is gone', async () => {
    const step = await done('fs.write', { path: 'a/one', content: 'x' });
    fs.renameSync(root, `${root}-moved`);
    try { await expect(preview(step)).rejects.toMatchObject({ code: 'CONNECTION_UNUSABLE' }); } finally { fs.renameSync(`${root}-moved`, root); }
  });
  it('says of an undo that was cut off that it would go on', async () => {
    for (const [, capability, input] of cases) {
      for (let cut = 0; ; cut++) {
        fs.rmSync(root, { recursive: true, force: true });
        aTree();
        const step = await done(capability, input);
        let left = cut;
        const isCutOff = await new FilesAdapter({ boundary: () => { if (left-- === 0) throw new Error('killed'); } }).undo(step.call, step.before, step.after).then(() => false, () => true);
        expect(await holds(step)).toMatchObject({ outcome: 'undone' });
        if (!isCutOff) break;
      }
    }
  });
});

describe('what would be taken back before', () => {
  it.each<readonly [string, readonly (readonly [string, JsonObject])[]]>([
    ['a folder is made, and files in it', [['fs.mkdir', { path: 'd' }], ['fs.write', { path: 'd/one', content: '1' }], ['fs.write', { path: 'd/e/two', content: '2' }]]],
    ['a file is written again and again', [['fs.write', { path: 'a/one', content: '1' }], ['fs.append', { path: 'a/one', content: '2' }], ['fs.patch', { path: 'a/one', patch: '@@ -1 +1 @@\n-12\n\\ No newline at end of file\n+3\n' }], ['fs.chmod', { path: 'a/one', mode: '0600' }], ['fs.delete', { path: 'a/one' }], ['fs.write', { path: 'a/one', content: '4' }]]],
    ['a file is made, moved, and its folder deleted', [['fs.write', { path: 'p/new', content: '1' }], ['fs.move', { path: 'p/new', to: 'a/new' }], ['fs.delete', { path: 'a', recursive: true }], ['fs.mkdir', { path: 'a' }], ['fs.write', { path: 'a/one', content: '2' }]]],
    ['a folder is moved after a file in it was changed, and another is put in its place', [['fs.write', { path: 'a/one', content: '1' }], ['fs.move', { path: 'a', to: 'c' }], ['fs.write', { path: 'c/more', content: '2' }], ['fs.copy', { path: 'c', to: 'a', recursive: true }], ['fs.chmod', { path: 'c', mode: '0700' }], ['fs.delete', { path: 'c/b', recursive: true }]]],
    ['a folder is moved and a file in it appended to', [['fs.move', { path: 'a', to: 'c' }], ['fs.append', { path: 'c/one', content: '2' }], ['fs.chmod', { path: 'c/b/two', mode: '0600' }]]],
    ['a file is appended to twice', [['fs.append', { path: 'log', content: '2' }], ['fs.append', { path: 'log', content: '3' }]]],
    ['a file is moved over another and back', [['fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }], ['fs.move', { path: 'a/b/two', to: 'a/one' }]]],
    ['a file is deleted and another put there', [['fs.delete', { path: 'log' }], ['fs.move', { path: 'a/one', to: 'log' }]]],
  ])('stands in nobody\'s way where %s', async (_, acts) => {
    const steps: DoneStep[] = [];
    for (const [capability, input] of acts) steps.unshift(await done(capability, input));
    const before = everything();
    for (const [index, { call, before: was, after }] of steps.entries()) {
      expect([call.capability, await adapter.previewUndo(call, was, after, steps.slice(0, index))]).toEqual([call.capability, { outcome: 'wouldUndo', summary: expect.any(String) as string, conflicts: [], truncated: false }]);
    }
    expect(everything()).toEqual(before);
    nothingLocked();
    for (const one of steps) expect(await undo(one)).toMatchObject({ outcome: 'undone', verified: true });
  });

  it('stays where somebody else has changed it since, and so stands in the way', async () => {
    const [made, filled, other] = [await done('fs.mkdir', { path: 'd' }), await done('fs.write', { path: 'd/one', content: '1' }), await done('fs.write', { path: 'd/two', content: '2' })];
    fs.writeFileSync(`${root}/d/one`, THEIRS);
    expect(await adapter.previewUndo(filled.call, filled.before, filled.after, [other])).toMatchObject({ outcome: 'wouldBlock' });
    expect(await adapter.previewUndo(made.call, made.before, made.after, [other, filled])).toMatchObject({ outcome: 'wouldBlock', conflicts: [{ what: 'it is not empty' }] });
    fs.writeFileSync(`${root}/d/one`, '1');
    expect(await adapter.previewUndo(made.call, made.before, made.after, [other, filled])).toMatchObject({ outcome: 'wouldUndo' });
  });
});

describe('after any sequence of verbs and of what somebody else does', () => {
  const path = fc.constantFrom('a', 'b', 'a/one', 'a/b', 'a/b/two', 'log', 'new', 'p/q', 'p/q/new');
  const step = fc.oneof(
    fc.record({ path, content: fc.constantFrom('', 'x', 'line\n') }).map(input => ['fs.write', input] as const),
    fc.record({ path, content: fc.constantFrom('x', 'line\n') }).map(input => ['fs.append', input] as const),
    fc.record({ path }).map(input => ['fs.mkdir', { ...input, parents: true }] as const),
    fc.record({ path, to: path, ifExists: fc.constantFrom('replace', 'fail') }).map(input => ['fs.move', input] as const),
    fc.record({ path }).map(input => ['fs.delete', { ...input, recursive: true }] as const),
    fc.record({ path, to: path, ifExists: fc.constantFrom('replace', 'fail') }).map(input => ['fs.copy', { ...input, recursive: true }] as const),
    fc.record({ path, mode: fc.constantFrom('0700', '0755') }).map(input => ['fs.chmod', input] as const),
  );
  const foreign = fc.record({ change: fc.constantFrom(...Object.keys(CHANGES)), path });

  type Act = typeof step extends fc.Arbitrary<infer S> ? S | (typeof foreign extends fc.Arbitrary<infer F> ? F : never) : never;
  const acts = fc.array(fc.oneof({ weight: 3, arbitrary: step }, { weight: 1, arbitrary: foreign }), { minLength: 1, maxLength: 10 });
  /** What was done, the last first. */
  async function all(given: readonly Act[]): Promise<DoneStep[]> {
    fs.rmSync(root, { recursive: true, force: true });
    aTree();
    const steps: DoneStep[] = [];
    for (const act of given) {
      if ('change' in act) { CHANGES[act.change]!(`${root}/${act.path}`); continue; }
      const { done: one } = await carryOut(adapter, aFileCall(root, act[0], act[1]));
      if (one !== null) steps.push(one);
    }
    return steps.reverse();
  }

  it('each preview, in the order of undo, says what the undo then says', async () => {
    await fc.assert(fc.asyncProperty(acts, async given => { for (const one of await all(given)) await holds(one); }), { numRuns: RUNS });
  }, 60_000 + RUNS * 500);

  it('previews made of all beforehand say what the undos then say, one after the other', async () => {
    await fc.assert(fc.asyncProperty(acts, async given => {
      const steps = await all(given);
      const before = everything();
      const told: string[] = [];
      for (const [index, { call, before: was, after }] of steps.entries()) told.push((await adapter.previewUndo(call, was, after, steps.slice(0, index))).outcome);
      expect(everything()).toEqual(before);
      for (const [index, one] of steps.entries()) {
        const { outcome } = await undo(one);
        expect([one.call.capability, one.call.input, told[index] === 'wouldBlock']).toEqual([one.call.capability, one.call.input, outcome === 'blocked']);
      }
    }), { numRuns: RUNS });
  }, 60_000 + RUNS * 500);
});

