import * as fs from 'node:fs';
import type { ActResult, StepCall } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { FilesAdapter } from './files-adapter';
import { aFileCall, aFolder, carryOut, snapshot } from './testing';

let root: string;
function aTree(): void {
  root = aFolder();
  fs.mkdirSync(`${root}/a/b`, { recursive: true });
  fs.mkdirSync(`${root}/empty`);
  fs.writeFileSync(`${root}/a/one`, 'one'); fs.writeFileSync(`${root}/a/b/two`, 'two'); fs.writeFileSync(`${root}/log`, 'line 1\n');
}
beforeEach(aTree);
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const FOREIGN = 'somebody else\'s';
/** Everything that stands in a file that people can see. */
function visible(): string {
  return fs.readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.parentPath.includes('.aifirst')).map(entry => fs.readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8')).join('|');
}

const isFolder = (path: string): boolean => fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
/** How others change what is at a path, whatever it is; returns whether they could. */
const CHANGES: Readonly<Record<string, (path: string) => boolean>> = {
  'writes over it': path => { if (!fs.existsSync(path) || isFolder(path)) return false; fs.writeFileSync(path, FOREIGN); return true; },
  'adds to it': path => { if (!fs.existsSync(path) || isFolder(path)) return false; fs.appendFileSync(path, FOREIGN); return true; },
  'puts another in its place': path => {
    if (isFolder(path)) return false;
    if (!isFolder(path.replace(/\/[^/]*$/, ''))) return false;
    fs.writeFileSync(`${root}/other`, FOREIGN); fs.renameSync(`${root}/other`, path); return true;
  },
  'puts something into it': path => { if (!isFolder(path)) return false; fs.writeFileSync(`${path}/foreign`, FOREIGN); return true; },
};

const cases: readonly (readonly [title: string, capability: string, input: JsonObject])[] = [
  ['a file is written', 'fs.write', { path: 'new', content: 'x' }],
  ['a file is written with parents', 'fs.write', { path: 'p/q/new', content: 'x' }],
  ['a file is replaced', 'fs.write', { path: 'a/one', content: 'x' }],
  ['a file is appended to', 'fs.append', { path: 'log', content: 'line 2\n' }],
  ['folders are made', 'fs.mkdir', { path: 'p/q', parents: true }],
  ['a file is moved', 'fs.move', { path: 'a/one', to: 'a/b/one' }],
  ['a folder is moved', 'fs.move', { path: 'a/b', to: 'c' }],
  ['a file is moved over another', 'fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }],
  ['a folder is moved over another', 'fs.move', { path: 'a/b', to: 'empty', ifExists: 'replace' }],
  ['a file is patched', 'fs.patch', { path: 'log', patch: '@@ -1 +1,2 @@\n line 1\n+line 2\n' }],
  ['a file is copied', 'fs.copy', { path: 'a/one', to: 'p/q/one' }],
  ['a file is copied over another', 'fs.copy', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }],
  ['a folder is copied', 'fs.copy', { path: 'a', to: 'c', recursive: true }],
  ['a folder is copied over another', 'fs.copy', { path: 'a/b', to: 'empty', ifExists: 'replace', recursive: true }],
  ['the mode of a file is changed', 'fs.chmod', { path: 'a/one', mode: '0600' }],
  ['a file is deleted', 'fs.delete', { path: 'a/one' }],
  ['a folder is deleted', 'fs.delete', { path: 'a', recursive: true }],
];
/** What is copied stays as it is: whoever changes it after that changes nothing of ours. */
const isCopied = (capability: string, { path }: JsonObject, place: unknown): boolean => capability === 'fs.copy' && (place === path || String(place).startsWith(`${String(path)}/`));
const placesOf = ({ path, to }: JsonObject): string[] => [path, to, path === 'a' ? 'a/one' : path === 'a/b' ? 'a/b/two' : path === 'p/q/new' ? 'p' : undefined].filter(one => typeof one === 'string');

describe.each(cases)('while %s', (_title, capability, input) => {
  it('somebody else\'s change is never overwritten nor hidden, wherever it comes', async () => {
    let injected = 0;
    for (const [, change] of Object.entries(CHANGES)) {
      for (const place of placesOf(input)) {
        for (let nth = 1, last = false; !last; nth++) {
          fs.rmSync(root, { recursive: true, force: true });
          aTree();
          let passed = 0;
          let changed = false;
          const inject = () => { changed = change(`${root}/${place}`); };
          const adapter = new FilesAdapter({ boundary: () => { if (++passed === nth) inject(); } });
          const call = aFileCall(root, capability, input);
          const { result, done } = await carryOut(adapter, call);
          // Not even until it is undone: it may never be.
          if (changed && !visible().includes(FOREIGN)) throw new Error(`hidden: ${capability} boundary ${nth} at ${place}: ${change} ${JSON.stringify(result)}`);
          const undone = done === null ? null : await new FilesAdapter({ boundary: () => { if (++passed === nth) inject(); } }).undo(done.call, done.before, done.after);
          last = passed < nth;
          if (!changed) continue;
          injected++;
          const at = `${capability} ${JSON.stringify(input)} boundary ${nth} at ${place}: ${change} ${JSON.stringify(result)} ${JSON.stringify(undone)}`;
          if (!visible().includes(FOREIGN)) throw new Error(`hidden: ${at}`);
          if (result.outcome === 'failed' && !['TARGET_CHANGED', 'NOT_A_DIRECTORY'].includes(result.error.code)) throw new Error(`failed otherwise: ${at}`);
        }
      }
    }
    expect(injected).toBeGreaterThan(2);
  });

  it('a change between act and undo blocks the undo, which touches nothing', async () => {
    for (const [title, change] of Object.entries(CHANGES)) {
      for (const place of placesOf(input).reverse()) {
        fs.rmSync(root, { recursive: true, force: true });
        aTree();
        const adapter = new FilesAdapter();
        const { done } = await carryOut(adapter, aFileCall(root, capability, input));
        if (done === null || !change(`${root}/${place}`)) continue;
        const tree = snapshot(root);
        const result = await adapter.undo(done.call, done.before, done.after);
        if (result.outcome === 'undone') {
          // What came to lie in a folder made on the way stays, and the folder with it; a file of another name hinders nothing.
          expect(place === 'p' || isCopied(capability, input, place) || (capability === 'fs.delete' && place === 'a/one')).toBe(true);
          expect(visible()).toContain(FOREIGN);
          continue;
        }
        expect([title, result]).toMatchObject([title, { outcome: 'blocked', conflict: { resource: expect.stringMatching(/^file:\/\/docs\//) } }]);
        expect(snapshot(root)).toEqual(tree);
      }
    }
  });
});

describe('whoever puts back by hand what was written, as another file and at another time,', () => {
  const putBack = (path: string, content: string): void => { fs.writeFileSync(`${root}/other`, content, { mode: fs.statSync(`${root}/${path}`).mode }); fs.renameSync(`${root}/other`, `${root}/${path}`); };

  it.each<[string, string, JsonObject, string, string | null]>([
    ['lets a replaced file come back', 'fs.write', { path: 'a/one', content: 'x' }, 'x', 'one'],
    ['lets a new file go', 'fs.write', { path: 'new', content: 'x' }, 'x', null],
    ['lets an appended line go', 'fs.append', { path: 'log', content: 'line 2\n' }, 'line 1\nline 2\n', 'line 1\n'],
  ])('%s', async (_title, capability, input, written, before) => {
    const path = String(input['path']);
    const adapter = new FilesAdapter();
    const { done } = await carryOut(adapter, aFileCall(root, capability, input));
    fs.writeFileSync(`${root}/${path}`, FOREIGN);
    expect(await adapter.undo(done!.call, done!.before, done!.after)).toMatchObject({ outcome: 'blocked' });
    putBack(path, written);
    expect(await adapter.undo(done!.call, done!.before, done!.after)).toMatchObject({ outcome: 'undone' });
    expect(fs.existsSync(`${root}/${path}`) ? fs.readFileSync(`${root}/${path}`, 'utf8') : null).toBe(before);
  });
});

describe('a process that holds a file open', () => {
  it('writes into what was set aside, which undo brings back and says so', async () => {
    const fd = fs.openSync(`${root}/a/one`, 'r+');
    try {
      const adapter = new FilesAdapter();
      const { done } = await carryOut(adapter, aFileCall(root, 'fs.write', { path: 'a/one', content: 'x' }));
      fs.writeSync(fd, FOREIGN);
      const result = await adapter.undo(done!.call, done!.before, done!.after);
      expect(result).toMatchObject({ outcome: 'undone', verified: false, reason: expect.stringContaining('content') });
      expect(visible()).toContain(FOREIGN);
    } finally { fs.closeSync(fd); }
  });

  it('keeps an appended file from being cut off beneath it', async () => {
    const adapter = new FilesAdapter();
    const { done } = await carryOut(adapter, aFileCall(root, 'fs.append', { path: 'log', content: 'line 2\n' }));
    const fd = fs.openSync(`${root}/log`, 'a');
    try {
      expect(await adapter.undo(done!.call, done!.before, done!.after)).toMatchObject({ outcome: 'blocked' });
      expect(fs.readFileSync(`${root}/log`, 'utf8')).toBe('line 1\nline 2\n');
    } finally { fs.closeSync(fd); }
    expect(await adapter.undo(done!.call, done!.before, done!.after)).toEqual({ outcome: 'undone', verified: true, reason: null });
  });
});

describe('an append that was cut off in the middle', () => {
  class Crash extends Error {}
  async function cutOffBefore(call: StepCall) {
    const image = await new FilesAdapter().prepare(call);
    const adapter = new FilesAdapter({ boundary: name => { if (name === 'append.before') throw new Crash(); } });
    await expect(adapter.execute(call, image)).rejects.toThrow(Crash);
    return image;
  }

  it('is taken back by the probe', async () => {
    const tree = snapshot(root);
    const call = aFileCall(root, 'fs.append', { path: 'log', content: 'line 2\n' });
    const image = await cutOffBefore(call);
    fs.appendFileSync(`${root}/log`, 'lin');
    expect(await new FilesAdapter().probe(call, image)).toEqual({ outcome: 'didNotHappen' });
    expect(snapshot(root)).toEqual(tree);
  });

  it('is left to a person where somebody else wrote after it', async () => {
    const call = aFileCall(root, 'fs.append', { path: 'log', content: 'line 2\n' });
    const image = await cutOffBefore(call);
    fs.appendFileSync(`${root}/log`, `lin${'x'.repeat(10)}`);
    // Why not a part: a cut-off write ends at a page of the file, and this one would not.
    expect(await new FilesAdapter().probe(call, image)).toEqual({ outcome: 'didNotHappen' });
    const long = aFileCall(root, 'fs.append', { path: 'log', content: 'y'.repeat(10_000) });
    const before = await cutOffBefore(long);
    const size = fs.statSync(`${root}/log`).size;
    fs.appendFileSync(`${root}/log`, `${'y'.repeat(4096 - size)}foreign`);
    expect(await new FilesAdapter().probe(long, before)).toMatchObject({ outcome: 'cannotTell' });
  });

  it('is told from lines that others added meanwhile', async () => {
    const call = aFileCall(root, 'fs.append', { path: 'log', content: 'line 2\n' });
    const image = await cutOffBefore(call);
    fs.appendFileSync(`${root}/log`, 'foreign\n');
    expect(await new FilesAdapter().probe(call, image)).toEqual({ outcome: 'didNotHappen' });
    expect(fs.readFileSync(`${root}/log`, 'utf8')).toBe('line 1\nforeign\n');
  });
});

describe('somebody else between preparing and acting', () => {
  it.each(cases)('is found when %s', async (_title, capability, input) => {
    for (const change of Object.values(CHANGES)) {
      fs.rmSync(root, { recursive: true, force: true });
      aTree();
      const adapter = new FilesAdapter();
      const call = aFileCall(root, capability, input);
      const image = await adapter.prepare(call);
      if (!change(`${root}/${String(input['path'])}`)) continue;
      const tree = snapshot(root);
      const result: ActResult = await adapter.execute(call, image);
      expect(result).toMatchObject({ outcome: 'failed', error: { code: 'TARGET_CHANGED', clean: true } });
      expect(snapshot(root)).toEqual(tree);
    }
  });
});

describe('somebody else in the last instant', () => {
  /** Everything but folders' times: taking an act back can't hide that somebody else changed the folder too. */
  const withoutTimes = () => snapshot(root).map(line => { const { 4: _time, ...rest } = JSON.parse(line) as unknown[]; return rest; });
  function injectingAt(name: string, change: () => boolean): { adapter: FilesAdapter; tree: () => unknown } {
    let tree: unknown = null;
    return { tree: () => tree, adapter: new FilesAdapter({ boundary: at => { if (at === name && tree === null && change()) tree = withoutTimes(); } }) };
  }

  it.each(cases)('is found after the act, which is taken back, when %s', async (_title, capability, input) => {
    let found = 0;
    for (const change of Object.values(CHANGES)) {
      for (const place of [input['path'], input['to']].filter(one => typeof one === 'string' && !isCopied(capability, input, one))) {
        fs.rmSync(root, { recursive: true, force: true });
        aTree();
        const name = { 'fs.append': 'append.before', 'fs.delete': 'delete.before', 'fs.move': 'move.before', 'fs.chmod': 'mode.before' }[capability] ?? 'place.before';
        const { adapter, tree } = injectingAt(name, () => change(`${root}/${place}`));
        const { result } = await carryOut(adapter, aFileCall(root, capability, input));
        if (tree() === null) continue;
        found++;
        expect(result).toMatchObject({ outcome: 'failed', error: { code: 'TARGET_CHANGED', clean: true } });
        expect(withoutTimes()).toEqual(tree());
      }
    }
    if (!['fs.mkdir'].includes(capability) && input['path'] !== 'p/q/new' && input['to'] !== 'p/q/one') expect(found).toBeGreaterThan(0);
  });

  it.each(cases)('blocks an undo after it acted, which is taken back, where %s', async (_title, capability, input) => {
    let found = 0;
    for (const change of Object.values(CHANGES)) {
      fs.rmSync(root, { recursive: true, force: true });
      aTree();
      const { done } = await carryOut(new FilesAdapter(), aFileCall(root, capability, input));
      const { adapter, tree } = injectingAt('undo.before', () => change(`${root}/${String(input['to'] ?? input['path'])}`));
      const result = await adapter.undo(done!.call, done!.before, done!.after);
      if (tree() === null) continue;
      found++;
      expect(result).toMatchObject({ outcome: 'blocked' });
      expect(withoutTimes()).toEqual(tree());
    }
    expect(found).toBeGreaterThan(0);
  });

  it('keeps what they put where a move has just been taken back, and the undo goes on when it is gone', async () => {
    const { done } = await carryOut(new FilesAdapter(), aFileCall(root, 'fs.move', { path: 'a/one', to: 'a/b/one' }));
    fs.symlinkSync(`${root}/a/b`, `${root}/theirs`);
    const inode = fs.statSync(`${root}/a/b/one`).ino;
    const swap = (): void => { fs.renameSync(`${root}/a/one`, `${root}/ours`); fs.renameSync(`${root}/theirs`, `${root}/a/one`); };
    const adapter = new FilesAdapter({ boundary: at => { if (at === 'undo.moved' && fs.existsSync(`${root}/theirs`)) swap(); } });
    const undo = () => adapter.undo(done!.call, done!.before, done!.after);
    expect(await undo()).toMatchObject({ outcome: 'blocked' });
    expect([fs.lstatSync(`${root}/a/one`).isSymbolicLink(), fs.statSync(`${root}/ours`).ino, fs.existsSync(`${root}/a/b/one`)]).toEqual([true, inode, false]);
    expect(await undo()).toMatchObject({ outcome: 'blocked' });
    fs.unlinkSync(`${root}/a/one`);
    fs.renameSync(`${root}/ours`, `${root}/a/one`);
    expect(await undo()).toMatchObject({ outcome: 'undone' });
    expect(fs.statSync(`${root}/a/one`).ino).toBe(inode);
  });

  describe('where a move over another has just been taken back', () => {
    const TO = 'a/b/two';
    async function given(name: string, change: () => void) {
      const { done } = await carryOut(new FilesAdapter(), aFileCall(root, 'fs.move', { path: 'a/one', to: TO, ifExists: 'replace' }));
      let left = true;
      const adapter = new FilesAdapter({ boundary: at => { if (at === name && left) { left = false; change(); } } });
      return { done: done!, undo: (with_ = adapter) => with_.undo(done!.call, done!.before, done!.after), inode: fs.statSync(`${root}/${TO}`).ino };
    }
    const contentOf = (path: string): string | null => (fs.existsSync(`${root}/${path}`) ? fs.readFileSync(`${root}/${path}`, 'utf8') : null);
    const putOver = (path: string): void => { fs.writeFileSync(`${root}/other`, FOREIGN); fs.renameSync(`${root}/other`, `${root}/${path}`); };

    it('keeps what they put in the place of what was moved, where they put it', async () => {
      const { undo, inode } = await given('undo.exchanged', () => { fs.renameSync(`${root}/a/one`, `${root}/ours`); putOver('a/one'); });
      expect(await undo()).toMatchObject({ outcome: 'blocked' });
      expect([contentOf('a/one'), contentOf(TO), fs.statSync(`${root}/ours`).ino]).toEqual([FOREIGN, 'two', inode]);
      expect(await undo()).toMatchObject({ outcome: 'blocked' });
      expect([contentOf('a/one'), contentOf(TO)]).toEqual([FOREIGN, 'two']);
    });

    it('keeps what they put in the place of what had been replaced, and of what was moved at once', async () => {
      const { undo } = await given('undo.exchanged', () => { fs.appendFileSync(`${root}/a/one`, FOREIGN); putOver(TO); });
      expect(await undo()).toMatchObject({ outcome: 'blocked' });
      expect([contentOf('a/one'), contentOf(TO)]).toEqual([`one${FOREIGN}`, FOREIGN]);
    });

    it('takes all back where they changed what was moved, and the undo is done once that is gone', async () => {
      const { undo, inode } = await given('undo.exchanged', () => { fs.appendFileSync(`${root}/a/one`, FOREIGN); });
      expect(await undo()).toMatchObject({ outcome: 'blocked', conflict: { resource: 'file://docs/a/b/two' } });
      expect([contentOf('a/one'), contentOf(TO), fs.statSync(`${root}/${TO}`).ino]).toEqual([null, `one${FOREIGN}`, inode]);
      fs.truncateSync(`${root}/${TO}`, 3);
      expect(await undo()).toMatchObject({ outcome: 'blocked', conflict: { what: 'its time of change is another' } });
    });

    it('gives back what they had put where it was moved to, in the instant before', async () => {
      const { undo } = await given('undo.beside', () => { putOver(TO); });
      expect(await undo()).toMatchObject({ outcome: 'blocked', conflict: { resource: 'file://docs/a/b/two' } });
      expect([contentOf('a/one'), contentOf(TO)]).toEqual([null, FOREIGN]);
    });
  });
});
