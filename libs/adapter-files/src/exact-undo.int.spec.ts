import * as fs from 'node:fs';
import fc from 'fast-check';
import type { JsonObject } from '@aifirst/kernel';
import { FilesAdapter } from './files-adapter';
import { aFileCall, aFolder, carryOut, snapshot, type DoneStep } from './testing';

/** `AIFIRST_FILES_RUNS` runs more, e.g. 10000. */
const RUNS = Number(process.env['AIFIRST_FILES_RUNS'] ?? 200);
const LENGTH_MAX = 12;

const name = fc.constantFrom('a', 'b', 'c', 'ü');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map(names => names.join('/'));
const mode = fc.option(fc.constantFrom('600', '0644', '755'), { nil: undefined });
const content = fc.oneof(fc.constantFrom('', 'x', 'line\n'), fc.string({ maxLength: 50, unit: 'grapheme' }));
const clean = (input: Record<string, unknown>): JsonObject => JSON.parse(JSON.stringify(input)) as JsonObject;

const step = fc.oneof(
  fc.record({ path, content, mode, ifExists: fc.constantFrom('replace', 'fail', undefined) }).map(input => ['fs.write', clean(input)] as const),
  fc.record({ path, content }).map(input => ['fs.append', input] as const),
  fc.record({ path, parents: fc.boolean() }).map(input => ['fs.mkdir', input] as const),
  fc.record({ path, to: path, ifExists: fc.constantFrom('replace', 'fail') }).map(input => ['fs.move', input] as const),
  fc.record({ path, recursive: fc.boolean() }).map(input => ['fs.delete', input] as const),
  fc.record({ path, to: path, ifExists: fc.constantFrom('replace', 'fail'), recursive: fc.boolean() }).map(input => ['fs.copy', input] as const),
  fc.record({ path, mode: fc.constantFrom('0700', '0755', '0770', '1755') }).map(input => ['fs.chmod', input] as const),
  fc.record({ path, patch: fc.constantFrom('@@ -0,0 +1 @@\n+first\n', '@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n', '@@ -1 +1,2 @@\n line\n+more\n') }).map(input => ['fs.patch', input] as const),
);

function aTree(root: string): void {
  fs.mkdirSync(`${root}/a/b`, { recursive: true });
  fs.writeFileSync(`${root}/a/b/c`, 'abc');
  fs.writeFileSync(`${root}/b`, 'b');
  fs.linkSync(`${root}/b`, `${root}/a/a`);
  fs.symlinkSync('..', `${root}/a/ü`);
  for (const one of ['a/b/c', 'b', 'a/b', 'a', '']) fs.utimesSync(`${root}/${one}`, 1_500_000_000.25, 1_500_000_000.75);
}

async function doAndUndo(steps: readonly (readonly [string, JsonObject])[]): Promise<void> {
  const root = aFolder();
  try {
    aTree(root);
    const adapter = new FilesAdapter();
    const trees: (readonly string[])[] = [snapshot(root)];
    const dones: DoneStep[] = [];
    for (const [capability, input] of steps) {
      const { done } = await carryOut(adapter, aFileCall(root, capability, input));
      if (done === null) { expect(snapshot(root)).toEqual(trees.at(-1)); continue; }
      dones.push(done);
      trees.push(snapshot(root));
    }
    for (const done of dones.reverse()) {
      expect(await adapter.previewUndo(done.call, done.before, done.after)).toMatchObject({ outcome: expect.stringMatching(/^(wouldUndo|nothingToDo)$/) as string, conflicts: [] });
      expect(snapshot(root)).toEqual(trees.pop());
      for (let time = 0; time < 2; time++) {
        expect(await adapter.undo(done.call, done.before, done.after)).toEqual({ outcome: 'undone', verified: true, reason: null });
        expect(snapshot(root)).toEqual(trees.at(-1));
      }
    }
    for (const done of dones) await adapter.forget(done.call, done.before, done.after);
    expect(fs.readdirSync(`${root}/.aifirst`, { recursive: true })).toEqual(['kept', 'prepared', 'steps']);
  } finally { fs.rmSync(root, { recursive: true, force: true }); }
}

describe('any sequence of verbs, undone in reverse', () => {
  it('leaves the tree as it was after each step, a failed step as it was before it', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: LENGTH_MAX }), doAndUndo), { numRuns: RUNS });
  }, 60_000 + RUNS * 500);
});

describe('as an ordinary user', () => {
  const NOBODY = 65_534;
  const asRoot = process.geteuid!() === 0;
  const asNobody = async (act: () => Promise<void>): Promise<void> => {
    if (asRoot) { process.setegid!(NOBODY); process.seteuid!(NOBODY); }
    try { await act(); } finally { if (asRoot) { process.seteuid!(0); process.setegid!(0); } }
  };

  it('leaves the tree as it was just the same', async () => {
    await asNobody(() => fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: LENGTH_MAX }), doAndUndo), { numRuns: Math.ceil(RUNS / 4) }));
  }, 60_000 + RUNS * 500);

  it('puts a mode back that shut itself out', async () => {
    await asNobody(async () => {
      const root = aFolder();
      try {
        aTree(root);
        const tree = snapshot(root);
        const adapter = new FilesAdapter();
        for (const [path, mode] of [['a/b/c', '0000'], ['a/b/c', '0200'], ['a', '0000'], ['a/b', '0300']] as const) {
          const { result, done } = await carryOut(adapter, aFileCall(root, 'fs.chmod', { path, mode }));
          expect([path, mode, result]).toMatchObject([path, mode, { outcome: 'succeeded', output: { mode } }]);
          expect(await adapter.probe(done!.call, done!.before)).toEqual(result);
          expect(await adapter.undo(done!.call, done!.before, done!.after)).toEqual({ outcome: 'undone', verified: true, reason: null });
          expect(snapshot(root)).toEqual(tree);
        }
        // What could not be read beforehand comes back just the same, unless it was changed.
        fs.chmodSync(`${root}/a/b/c`, 0o200);
        const opening = (await carryOut(adapter, aFileCall(root, 'fs.chmod', { path: 'a/b/c', mode: '0600' }))).done!;
        fs.appendFileSync(`${root}/a/b/c`, 'theirs');
        expect(await adapter.undo(opening.call, opening.before, opening.after)).toMatchObject({ outcome: 'blocked' });
      } finally { fs.rmSync(root, { recursive: true, force: true }); }
    });
  });

  it('refuses cleanly what it has no right to', async () => {
    if (!asRoot) return;
    const root = aFolder();
    try {
      fs.chmodSync(root, 0o777);
      fs.writeFileSync(`${root}/others`, 'x', { mode: 0o644 });
      fs.writeFileSync(`${root}/shared`, 'x'); fs.chmodSync(`${root}/shared`, 0o666);
      fs.writeFileSync(`${root}/secret`, 'x', { mode: 0o600 });
      fs.mkdirSync(`${root}/closed`, { mode: 0o700 });
      const tree = snapshot(root);
      await asNobody(async () => {
        const adapter = new FilesAdapter();
        for (const [capability, input] of [
          ['fs.write', { path: 'others', content: 'y' }], ['fs.write', { path: 'shared', content: 'y' }], ['fs.append', { path: 'others', content: 'y' }],
          ['fs.read', { path: 'secret' }], ['fs.write', { path: 'closed/f', content: 'y' }], ['fs.list', { path: 'closed' }], ['fs.delete', { path: 'secret' }],
          ['fs.patch', { path: 'shared', patch: '@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n' }], ['fs.copy', { path: 'secret', to: 'mine' }],
          ['fs.copy', { path: 'others', to: 'closed/f' }], ['fs.copy', { path: 'closed', to: 'mine', recursive: true }], ['fs.copy', { path: 'shared', to: 'others', ifExists: 'replace' }],
          ['fs.chmod', { path: 'shared', mode: '0600' }], ['fs.chmod', { path: 'closed', mode: '0755' }],
        ] as const) {
          const { result } = await carryOut(adapter, aFileCall(root, capability, input));
          expect([capability, input, result]).toMatchObject([capability, input, { outcome: 'failed', error: { code: 'PERMISSION_DENIED', clean: true } }]);
        }
      });
      expect(snapshot(root).slice(1)).toEqual(tree.slice(1));
    } finally { fs.rmSync(root, { recursive: true, force: true }); }
  });
});

describe('steps side by side', () => {
  const steps = Array.from({ length: 12 }, (_, index) => ['fs.write', { path: index % 2 === 0 ? `out/${index}/file` : `out/file${index}`, content: String(index) }] as const);

  it('share the folders that were missing; undone against their order, all is as before', async () => {
    const root = aFolder();
    try {
      aTree(root);
      const tree = snapshot(root);
      const adapter = new FilesAdapter();
      const dones: DoneStep[] = [];
      await Promise.all(steps.map(async ([capability, input]) => {
        const { result, done } = await carryOut(adapter, aFileCall(root, capability, input));
        expect(result.outcome).toBe('succeeded');
        dones.push(done!);
      }));
      for (const done of dones.reverse()) expect(await adapter.undo(done.call, done.before, done.after)).toMatchObject({ outcome: 'undone', verified: true });
      expect(snapshot(root)).toEqual(tree);
    } finally { fs.rmSync(root, { recursive: true, force: true }); }
  });

  it('undone in any order leave nothing behind: a folder goes with the last of them', async () => {
    await fc.assert(fc.asyncProperty(fc.shuffledSubarray([...steps], { minLength: steps.length }), async order => {
      const root = aFolder();
      try {
        aTree(root);
        const tree = snapshot(root);
        const adapter = new FilesAdapter();
        const dones = new Map<unknown, DoneStep>();
        for (const one of steps) dones.set(one, (await carryOut(adapter, aFileCall(root, ...one))).done!);
        for (const one of order) {
          const done = dones.get(one)!;
          expect(await adapter.undo(done.call, done.before, done.after)).toMatchObject({ outcome: 'undone', verified: true });
        }
        expect(snapshot(root)).toEqual(tree);
        expect(fs.readdirSync(`${root}/.aifirst/kept`)).toEqual([]);
      } finally { fs.rmSync(root, { recursive: true, force: true }); }
    }), { numRuns: 10 });
  });
});
