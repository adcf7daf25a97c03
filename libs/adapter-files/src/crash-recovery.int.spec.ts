import * as fs from 'node:fs';
import type { JsonObject } from '@aifirst/kernel';
import { FilesAdapter } from './files-adapter';
import { aFileCall, aFolder, snapshot } from './testing';
import type { Image, StepCall } from '@aifirst/execution';

class Crash extends Error {}

/** Stops at the nth boundary that is passed; `names` tells which there were. */
function crashingAt(nth: number): { adapter: FilesAdapter; names: string[] } {
  const names: string[] = [];
  return { names, adapter: new FilesAdapter({ boundary: name => { names.push(name); if (names.length === nth) throw new Crash(name); } }) };
}
async function orCrash<T>(act: () => Promise<T>): Promise<T | 'crashed'> {
  try { return await act(); } catch (error) { if (error instanceof Crash) return 'crashed'; throw error; }
}
const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

let root: string;
beforeEach(() => {
  root = aFolder();
  fs.mkdirSync(`${root}/a/b`, { recursive: true });
  fs.mkdirSync(`${root}/empty`);
  fs.writeFileSync(`${root}/a/one`, 'one'); fs.writeFileSync(`${root}/a/b/two`, 'two'); fs.writeFileSync(`${root}/log`, 'line 1\n');
  for (const path of ['a/one', 'a/b/two', 'log', 'a/b', 'a', 'empty', '']) fs.utimesSync(`${root}/${path}`, 1_500_000_000.25, 1_500_000_000.75);
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const cases: readonly (readonly [title: string, capability: string, input: JsonObject])[] = [
  ['writing a new file', 'fs.write', { path: 'new', content: 'x' }],
  ['writing a new file with parents', 'fs.write', { path: 'p/q/new', content: 'x' }],
  ['replacing a file', 'fs.write', { path: 'a/one', content: 'x' }],
  ['appending', 'fs.append', { path: 'log', content: 'line 2\n' }],
  ['making a file by appending', 'fs.append', { path: 'a/log', content: 'line 2\n' }],
  ['making folders', 'fs.mkdir', { path: 'p/q', parents: true }],
  ['moving a file', 'fs.move', { path: 'a/one', to: 'a/b/one' }],
  ['moving a folder', 'fs.move', { path: 'a/b', to: 'c' }],
  ['moving a file over another', 'fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }],
  ['moving a folder over another', 'fs.move', { path: 'a/b', to: 'empty', ifExists: 'replace' }],
  ['patching a file', 'fs.patch', { path: 'log', patch: '@@ -1 +1,2 @@\n line 1\n+line 2\n' }],
  ['copying a file', 'fs.copy', { path: 'a/one', to: 'p/q/one' }],
  ['copying a file over another', 'fs.copy', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }],
  ['copying a folder', 'fs.copy', { path: 'a', to: 'p/a', recursive: true }],
  ['copying a folder over another', 'fs.copy', { path: 'a/b', to: 'empty', ifExists: 'replace', recursive: true }],
  ['changing the mode of a file', 'fs.chmod', { path: 'a/one', mode: '0400' }],
  ['changing the mode of a folder', 'fs.chmod', { path: 'a', mode: '0711' }],
  ['deleting a file', 'fs.delete', { path: 'a/one' }],
  ['deleting a folder', 'fs.delete', { path: 'a', recursive: true }],
];

describe.each(cases)('%s', (_title, capability, input) => {
  const later = new FilesAdapter();

  async function expectDoneExactly(call: StepCall, before: Image, after: Image, tree: readonly string[]): Promise<void> {
    expect(snapshot(root)).not.toEqual(tree);
    expect(await later.undo(call, before, after)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(root)).toEqual(tree);
  }

  it('is found done or not done after a crash at any point of preparing and acting', async () => {
    const tree = snapshot(root);
    const seen = new Set<string>();
    for (let nth = 1; ; nth++) {
      const { adapter, names } = crashingAt(nth);
      const call = aFileCall(root, capability, input);
      const before = await orCrash(() => adapter.prepare(call));
      if (before === 'crashed') {
        seen.add('prepare');
        expect(snapshot(root)).toEqual(tree);
        // The command comes again: the same key is prepared anew.
        const again = stored(await later.prepare(call));
        const result = await later.execute(call, again);
        if (result.outcome !== 'succeeded') throw new Error(JSON.stringify(result));
        await expectDoneExactly(call, again, stored(result.after), tree);
        continue;
      }
      const image = stored(before);
      const result = await orCrash(() => adapter.execute(call, image));
      const found = await later.probe(call, image);
      expect(await later.probe(call, image)).toEqual(found);
      seen.add(found.outcome);
      if (found.outcome === 'succeeded') {
        if (result !== 'crashed' && result.outcome === 'succeeded') expect(found.output).toEqual(result.output);
        await expectDoneExactly(call, image, stored(found.after), tree);
      } else {
        expect(found.outcome).toBe('didNotHappen');
        expect(snapshot(root)).toEqual(tree);
        // Whoever slept through the probe finds that the step may not begin any more.
        expect(await later.execute(call, image)).toMatchObject({ outcome: 'failed', error: { code: 'FENCED', clean: true } });
        expect(snapshot(root)).toEqual(tree);
      }
      await later.forget(call, image, null);
      if (result !== 'crashed') { expect(names.length).toBeGreaterThan(2); break; }
    }
    expect([...seen]).toEqual(expect.arrayContaining(['succeeded', 'didNotHappen']));
  });

  it('goes on to its end when it is executed again after a crash', async () => {
    const tree = snapshot(root);
    for (let nth = 1; ; nth++) {
      const call = aFileCall(root, capability, input);
      const image = stored(await later.prepare(call));
      const first = await orCrash(() => crashingAt(nth).adapter.execute(call, image));
      const second = await later.execute(call, image);
      if (second.outcome !== 'succeeded') throw new Error(`boundary ${nth}: ${JSON.stringify(second)}`);
      await expectDoneExactly(call, image, stored(second.after), tree);
      if (first !== 'crashed') break;
    }
  });

  it('is undone exactly after a crash at any point of undoing, and another at any point of the second attempt', async () => {
    const tree = snapshot(root);
    for (let first = 1, over = false; !over; first++) {
      for (let second = 1; ; second++) {
        const call = aFileCall(root, capability, input);
        const image = stored(await later.prepare(call));
        const result = await later.execute(call, image);
        if (result.outcome !== 'succeeded') throw new Error(JSON.stringify(result));
        const after = stored(result.after);
        over = await orCrash(() => crashingAt(first).adapter.undo(call, image, after)) !== 'crashed';
        const crashedAgain = !over && await orCrash(() => crashingAt(second).adapter.undo(call, image, after)) === 'crashed';
        expect(await later.undo(call, image, after)).toEqual({ outcome: 'undone', verified: true, reason: null });
        expect(snapshot(root)).toEqual(tree);
        await later.forget(call, image, after);
        if (!crashedAgain) break;
      }
    }
  });
});

describe('steps prepared side by side in one folder', () => {
  it('chain its times of change, though the later one was cut off right after its act', async () => {
    const tree = snapshot(root);
    const adapter = new FilesAdapter();
    for (const [capability, input] of cases.filter(([, , { path }]) => path === 'new' || path === 'log' || path === 'p/q/new').map(([, ...rest]) => rest)) {
      const calls = [aFileCall(root, 'fs.write', { path: 'neighbour', content: 'n' }), aFileCall(root, capability, input)] as const;
      const images = [stored(await adapter.prepare(calls[0])), stored(await adapter.prepare(calls[1]))] as const;
      const first = await adapter.execute(calls[0], images[0]);
      const crashing = new FilesAdapter({ boundary: name => { if (name === 'place.after' || name === 'append.written') throw new Crash(name); } });
      expect(await orCrash(() => crashing.execute(calls[1], images[1]))).toBe('crashed');
      const second = await adapter.probe(calls[1], images[1]);
      if (first.outcome !== 'succeeded' || second.outcome !== 'succeeded') throw new Error(JSON.stringify([first, second]));
      expect(await adapter.undo(calls[1], images[1], stored(second.after))).toEqual({ outcome: 'undone', verified: true, reason: null });
      expect(await adapter.undo(calls[0], images[0], stored(first.after))).toEqual({ outcome: 'undone', verified: true, reason: null });
      expect(snapshot(root)).toEqual(tree);
    }
  });
});
