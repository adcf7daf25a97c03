import * as fs from 'node:fs';
import { FilesAdapter } from './files-adapter';
import { aFileCall, aFileConnection, aFolder, carryOut, snapshot, type DoneStep } from './testing';
import type { JsonObject } from '@aifirst/kernel';

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
    ['deletes a file', 'fs.delete', { path: 'a/b/two.txt' }],
    ['deletes one name of a file', 'fs.delete', { path: 'a/one.txt' }],
    ['deletes an empty folder', 'fs.delete', { path: 'empty' }],
    ['deletes a folder with all in it', 'fs.delete', { path: 'a', recursive: true }],
  ];
  it.each(cases)('%s', async (title, capability, input) => {
    aTree();
    const before = snapshot(root);
    const done = await doIt(capability, input);
    if (!/nothing|is there/.test(title)) expect(snapshot(root)).not.toEqual(before);
    expect(await adapter.probe(done.call, done.before)).toMatchObject({ outcome: /nothing|that is there/.test(title) ? 'didNotHappen' : 'succeeded' });
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(root)).toEqual(before);
    expect(await undo(done)).toEqual({ outcome: 'undone', verified: true, reason: null });
    expect(snapshot(root)).toEqual(before);
    await adapter.forget(done.call, done.before, done.after);
    expect(fs.readdirSync(`${root}/.aifirst`, { recursive: true })).toEqual(['kept', 'prepared', 'steps']);
    expect(snapshot(root)).toEqual(before);
  });
});

describe('connections', () => {
  it('accepts a folder', async () => { expect(await adapter.probeConnection(aFileConnection(root))).toEqual({ limitations: [] }); });
});
