import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { JsonObject } from '@aifirst/kernel';
import { FilesAdapter } from './files-adapter';
import { useOpenat2 } from './system/folder';
import { aFileCall, aFolder, carryOut, snapshot } from './testing';

let base: string;
let root: string;
let outside: string;
beforeEach(() => {
  base = aFolder();
  root = `${base}/root`; outside = `${base}/outside`;
  fs.mkdirSync(`${root}/d`, { recursive: true });
  fs.mkdirSync(outside);
  fs.writeFileSync(`${root}/d/f`, 'inside');
  fs.writeFileSync(`${outside}/f`, 'SECRET');
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));
const act = (capability: string, input: JsonObject) => carryOut(new FilesAdapter(), aFileCall(root, capability, input));

const PATCH = '@@ -1 +1 @@\n-inside\n\\ No newline at end of file\n+changed\n';
const everyVerb = (path: string): readonly (readonly [string, JsonObject])[] => [
  ['fs.read', { path }], ['fs.write', { path, content: 'x' }], ['fs.append', { path, content: 'x' }], ['fs.delete', { path, recursive: true }],
  ['fs.patch', { path, patch: PATCH }], ['fs.copy', { path, to: 'elsewhere', recursive: true }], ['fs.copy', { path: 'd/f', to: path, ifExists: 'replace' }], ['fs.chmod', { path, mode: '0600' }],
  ['fs.move', { path, to: 'elsewhere' }], ['fs.move', { path: 'd/f', to: path, ifExists: 'replace' }],
];

describe.each([['with openat2', true], ['without openat2', false]])('paths, %s', (_title, openat2) => {
  beforeEach(() => useOpenat2(openat2));
  afterEach(() => useOpenat2(true));

  it('never go through a symbolic link, on the way or at the end', async () => {
    fs.symlinkSync(outside, `${root}/way`);
    fs.symlinkSync(`${outside}/f`, `${root}/end`);
    fs.symlinkSync('d', `${root}/within`);
    fs.symlinkSync(`${outside}/missing`, `${root}/dangling`);
    const trees = [snapshot(root), snapshot(outside)];
    for (const path of ['way/f', 'end', 'within/f', 'dangling', 'way', 'way/new/deep', 'd/../../outside/f', `${outside}/f`]) {
      for (const [capability, input] of [...everyVerb(path), ['fs.list', { path }], ['fs.mkdir', { path, parents: true }], ['fs.mkdir', { path: `${path}/x`, parents: true }]] as const) {
        expect([capability, input, (await act(capability, input)).result]).toMatchObject([capability, input, { outcome: 'failed', error: { code: 'PATH_ESCAPES_ROOT', clean: true } }]);
      }
    }
    expect([snapshot(root), snapshot(outside)]).toEqual(trees);
  });

  it('name only files and folders', async () => {
    execFileSync('mkfifo', [`${root}/pipe`]);
    fs.writeFileSync(`${root}/g`, 'g');
    const trees = [snapshot(root)];
    for (const [capability, input] of everyVerb('pipe')) {
      expect([capability, (await act(capability, input)).result]).toMatchObject([capability, { outcome: 'failed', error: { code: 'UNSUPPORTED_TYPE' } }]);
    }
    for (const [capability, input] of everyVerb('g/x')) {
      expect([capability, (await act(capability, input)).result]).toMatchObject([capability, { outcome: 'failed', error: { code: 'NOT_A_DIRECTORY' } }]);
    }
    expect([snapshot(root)]).toEqual(trees);
  });

  it('do not lead into another mount', async () => {
    fs.mkdirSync(`${root}/mnt/in`, { recursive: true });
    fs.writeFileSync(`${root}/file`, 'x');
    const mounts: string[] = [];
    try {
      for (const [from, to] of [[outside, `${root}/mnt/in`], [`${outside}/f`, `${root}/file`]] as const) { execFileSync('mount', ['--bind', from, to], { stdio: 'ignore' }); mounts.push(to); }
    } catch {
      console.log('hostile-paths: no mounts can be made here, skipped');
      return;
    } finally {
      if (mounts.length < 2) for (const one of mounts) execFileSync('umount', [one]);
    }
    try {
      for (const [capability, input] of [...everyVerb('mnt/in/f'), ['fs.delete', { path: 'mnt', recursive: true }], ['fs.move', { path: 'mnt', to: 'm2' }], ['fs.list', { path: 'mnt/in' }], ['fs.read', { path: 'file' }], ['fs.append', { path: 'file', content: 'x' }]] as const) {
        expect([capability, (await act(capability, input)).result]).toMatchObject([capability, { outcome: 'failed', error: { code: 'CROSSES_MOUNT' } }]);
      }
      expect(fs.readFileSync(`${outside}/f`, 'utf8')).toBe('SECRET');
    } finally { for (const one of mounts) execFileSync('umount', [one]); }
  });
});

describe('names and sizes', () => {
  it('refuses with a code and a sentence', async () => {
    fs.linkSync(`${root}/d/f`, `${root}/again`);
    fs.writeFileSync(`${root}/large`, Buffer.alloc(1024 * 1024 + 1));
    fs.mkdirSync(`${root}/nested/.aifirst`, { recursive: true }); fs.mkdirSync(`${root}/empty`); fs.mkdirSync(`${root}/special`);
    execFileSync('mkfifo', [`${root}/special/pipe`]);
    fs.writeFileSync(`${root}/bytes`, Buffer.from([0, 255, 254]));
    const tree = snapshot(root);
    for (const [capability, input, code] of [
      ['fs.read', { path: 'missing' }, 'NOT_FOUND'], ['fs.read', { path: 'd' }, 'IS_A_DIRECTORY'], ['fs.read', { path: 'large' }, 'TOO_LARGE'],
      ['fs.read', { path: '.aifirst/steps' }, 'INVALID_PATH'], ['fs.list', { path: 'd/f' }, 'NOT_A_DIRECTORY'], ['fs.list', { path: 'missing' }, 'NOT_FOUND'],
      ['fs.write', { path: 'd', content: '' }, 'IS_A_DIRECTORY'], ['fs.write', { path: 'd/f', content: '', ifExists: 'fail' }, 'EXISTS'], ['fs.write', { path: 'x', content: 5 }, 'INVALID_INPUT'],
      ['fs.write', { path: 'x', content: '', mode: '4755' }, 'INVALID_INPUT'],
      ['fs.append', { path: 'd', content: '' }, 'IS_A_DIRECTORY'], ['fs.append', { path: 'again', content: 'x' }, 'HARD_LINKED'],
      ['fs.mkdir', { path: 'd' }, 'EXISTS'], ['fs.mkdir', { path: 'd/f', parents: true }, 'NOT_A_DIRECTORY'], ['fs.mkdir', { path: 'x/y' }, 'NOT_FOUND'],
      ['fs.move', { path: 'd', to: 'd/e' }, 'INVALID_PATH'], ['fs.move', { path: 'd', to: 'd' }, 'INVALID_PATH'], ['fs.move', { path: 'missing', to: 'x' }, 'NOT_FOUND'],
      ['fs.move', { path: 'large', to: 'd/f' }, 'EXISTS'], ['fs.move', { path: 'large', to: 'd', ifExists: 'replace' }, 'NOT_EMPTY'], ['fs.move', { path: 'd', to: 'large', ifExists: 'replace' }, 'NOT_A_DIRECTORY'],
      ['fs.move', { path: 'd/f', to: 'again', ifExists: 'replace' }, 'HARD_LINKED'], ['fs.move', { path: 'large', to: 'no/where' }, 'NOT_FOUND'], ['fs.move', { path: 'large' }, 'INVALID_PATH'],
      ['fs.patch', { path: 'd', patch: PATCH }, 'IS_A_DIRECTORY'], ['fs.patch', { path: 'missing', patch: PATCH }, 'NOT_FOUND'], ['fs.patch', { path: 'd/f', patch: 'no diff' }, 'INVALID_INPUT'],
      ['fs.patch', { path: 'large', patch: PATCH }, 'TARGET_CHANGED'], ['fs.patch', { path: 'bytes', patch: PATCH }, 'NOT_TEXT'], ['fs.patch', { path: 'd/f/x', patch: PATCH }, 'NOT_A_DIRECTORY'],
      ['fs.copy', { path: 'd', to: 'e' }, 'IS_A_DIRECTORY'], ['fs.copy', { path: 'd', to: 'd/e', recursive: true }, 'INVALID_PATH'], ['fs.copy', { path: 'd/f', to: 'd' }, 'INVALID_PATH'], ['fs.copy', { path: 'missing', to: 'x' }, 'NOT_FOUND'],
      ['fs.copy', { path: 'large', to: 'd/f' }, 'EXISTS'], ['fs.copy', { path: 'large', to: 'd', ifExists: 'replace' }, 'NOT_EMPTY'], ['fs.copy', { path: 'd', to: 'large', ifExists: 'replace', recursive: true }, 'NOT_A_DIRECTORY'],
      ['fs.copy', { path: 'large', to: 'empty', ifExists: 'replace' }, 'IS_A_DIRECTORY'], ['fs.copy', { path: 'd/f', to: 'again', ifExists: 'replace' }, 'HARD_LINKED'], ['fs.copy', { path: 'nested', to: 'x', recursive: true }, 'RESERVED'],
      ['fs.copy', { path: 'special', to: 'x', recursive: true }, 'UNSUPPORTED_TYPE'], ['fs.copy', { path: 'd/f' }, 'INVALID_PATH'],
      ['fs.chmod', { path: 'missing', mode: '0644' }, 'NOT_FOUND'], ['fs.chmod', { path: 'again', mode: '0600' }, 'HARD_LINKED'], ['fs.chmod', { path: 'large', mode: '4755' }, 'INVALID_INPUT'],
      ['fs.chmod', { path: 'd', mode: '1755' }, 'INVALID_INPUT'], ['fs.chmod', { path: 'large', mode: '644' }, 'INVALID_INPUT'],
      ['fs.delete', { path: 'd' }, 'NOT_EMPTY'], ['fs.delete', { path: 'missing' }, 'NOT_FOUND'], ['fs.delete', { path: 'nested', recursive: true }, 'RESERVED'],
      ['fs.write', { path: 'x'.repeat(256), content: '' }, 'INVALID_PATH'],
    ] as const) {
      const { result } = await act(capability, input);
      expect([capability, input, result]).toMatchObject([capability, input, { outcome: 'failed', error: { code, clean: true } }]);
    }
    expect(snapshot(root)).toEqual(tree);
    expect(fs.readdirSync(`${root}/.aifirst/prepared`)).toEqual([]);
    expect(fs.readdirSync(`${root}/.aifirst/steps`)).toEqual([]);
  });

  const strings = join(__dirname, '../../../../shared/data/strings/blns.json');
  it('takes naughty strings as names and contents, or refuses them cleanly', async () => {
    if (!fs.existsSync(strings)) { console.log('hostile-paths: ../shared/data/strings is not here, skipped'); return; }
    const tree = snapshot(base);
    const dones = [];
    for (const text of JSON.parse(fs.readFileSync(strings, 'utf8')) as string[]) {
      const { result, done } = await act('fs.write', { path: text, content: text });
      if (done === null) {
        expect([text, result]).toMatchObject([text, { outcome: 'failed', error: { code: expect.stringMatching(/^(INVALID_PATH|PATH_ESCAPES_ROOT|IS_A_DIRECTORY|NOT_A_DIRECTORY|INVALID_INPUT)$/) } }]);
        continue;
      }
      dones.push(done);
      expect((await act('fs.read', { path: text })).result).toMatchObject({ output: { content: text, encoding: 'utf8' } });
    }
    expect(dones.length).toBeGreaterThan(300);
    expect(snapshot(outside)).toEqual(tree.filter(line => line.startsWith('["/outside')).map(line => line.replace('/outside', '')));
    for (const done of dones.reverse()) expect(await new FilesAdapter().undo(done.call, done.before, done.after)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(base).filter(line => !line.includes('.aifirst'))).toEqual(tree);
  });
});

describe.each([['with openat2', true], ['without openat2', false]])('a racing thread, %s', (_title, openat2) => {
  beforeEach(() => useOpenat2(openat2));
  afterEach(() => useOpenat2(true));

  const TRIES = 10_000;
  const UNDO_MS_MAX = 30_000;
  /** Exchanges a folder and a file with links to the outside, again and again, so that there is always one or the other. */
  const SWAPPER = `
    const { workerData } = require('node:worker_threads');
    const koffi = require(workerData.koffi);
    const renameat2 = koffi.load(null).func('syscall', 'long', ['long', 'int', 'str', 'int', 'str', 'uint']);
    const number = { x64: 316, arm64: 276 }[process.arch];
    const stop = new Int32Array(workerData.stop);
    while (Atomics.load(stop, 0) === 0) {
      for (const [a, b] of [['d', 'd-link'], ['f', 'f-link']]) renameat2(number, -100, workerData.root + '/' + a, -100, workerData.root + '/' + b, 2);
      Atomics.add(stop, 1, 1);
    }`;

  it('that swaps links in never makes us read or touch anything outside', async () => {
    // Why: in memory where there is such a place, as every act waits for the disk several times.
    const memory = fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const arena = fs.mkdtempSync(`${memory}/aifirst-race-`);
    const racing = `${arena}/root`, beyond = `${arena}/outside`;
    fs.mkdirSync(`${racing}/d`, { recursive: true }); fs.mkdirSync(beyond);
    fs.writeFileSync(`${racing}/f`, 'inside'); fs.writeFileSync(`${racing}/d/f`, 'inside'); fs.writeFileSync(`${beyond}/f`, 'SECRET');
    fs.symlinkSync(beyond, `${racing}/d-link`); fs.symlinkSync(`${beyond}/f`, `${racing}/f-link`);
    const tree = snapshot(beyond);
    const stop = new SharedArrayBuffer(8);
    const worker = new Worker(SWAPPER, { eval: true, workerData: { root: racing, stop, koffi: createRequire(__filename).resolve('koffi') } });
    const seen = new Map<string, number>();
    const inside: string[] = [];
    try {
      const adapter = new FilesAdapter();
      for (let count = 0; count < TRIES; count++) {
        const path = count % 3 === 0 ? 'f' : 'd/f';
        const [capability, input] = [
          ['fs.read', { path }], ['fs.write', { path, content: 'ours' }], ['fs.append', { path, content: '+' }], ['fs.list', { path: 'd' }],
          ['fs.write', { path: `d/${count}`, content: 'ours' }], ['fs.delete', { path }], ['fs.mkdir', { path: `d/${count}`, parents: true }], ['fs.move', { path, to: `d/${count}` }],
          ['fs.patch', { path, patch: PATCH }], ['fs.copy', { path, to: `d/${count}` }], ['fs.copy', { path: 'd', to: `c/${count}`, recursive: true }], ['fs.chmod', { path, mode: '0600' }], ['fs.chmod', { path: 'd', mode: '0700' }],
        ][count % 13] as [string, JsonObject];
        const { result, done } = await carryOut(adapter, aFileCall(racing, capability, input));
        if (JSON.stringify(result).includes('SECRET')) throw new Error(`read the outside: ${JSON.stringify(result)}`);
        const key = result.outcome === 'failed' ? result.error.code : result.outcome;
        seen.set(key, (seen.get(key) ?? 0) + 1);
        // Why again: a link may just be in the way, which blocks; an instant later it is not. Why without a pause: whoever comes back from one meets the other thread out of step.
        for (const endsAt = Date.now() + UNDO_MS_MAX; done !== null;) {
          const undone = await adapter.undo(done.call, done.before, done.after);
          if (undone.outcome === 'undone') { await adapter.forget(done.call, done.before, done.after); break; }
          if (Date.now() > endsAt) throw new Error(`never undone: ${capability} ${JSON.stringify(undone)}`);
        }
      }
      expect(snapshot(beyond)).toEqual(tree);
      expect(Atomics.load(new Int32Array(stop), 1)).toBeGreaterThan(TRIES);
      expect(seen.get('succeeded')).toBeGreaterThan(100);
      expect(seen.get('PATH_ESCAPES_ROOT')).toBeGreaterThan(100);
    } finally {
      Atomics.store(new Int32Array(stop), 0, 1);
      await worker.terminate();
      const left = [`${racing}/f`, `${racing}/f-link`, `${racing}/d/f`, `${racing}/d-link/f`].filter(path => fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === false);
      inside.push(...left.map(path => fs.readFileSync(path, 'utf8')).filter(text => text !== 'SECRET'));
      fs.rmSync(arena, { recursive: true, force: true });
    }
    // All was undone, so nothing of what was inside is lost either.
    expect(inside).toEqual(['inside', 'inside']);
    if (process.env['AIFIRST_FILES_SHOW'] !== undefined) console.log(Object.fromEntries(seen));
  }, 180_000);
});
