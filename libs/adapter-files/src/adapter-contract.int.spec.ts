import * as fs from 'node:fs';
import { describeAdapter, type AdapterCase, type AdapterHarness } from '@aifirst/execution/testing';
import type { JsonObject } from '@aifirst/kernel';
import { FilesAdapter } from './files-adapter';
import { aFileConnection, aFolder, snapshot } from './testing';

interface FilesHarness extends AdapterHarness { readonly root: string }

async function open(): Promise<FilesHarness> {
  const root = aFolder();
  fs.mkdirSync(`${root}/a/b`, { recursive: true });
  fs.writeFileSync(`${root}/a/one`, 'one'); fs.writeFileSync(`${root}/a/b/two`, 'two');
  let left: number | null = null;
  const adapter = new FilesAdapter({ boundary: () => { if (left !== null && left-- <= 0) throw new Error('killed'); } });
  return {
    root, adapter, connection: { ...aFileConnection(root), tenant: 'acme' },
    snapshot: async () => snapshot(root),
    reopen: async () => new FilesAdapter(),
    interrupt: changes => { left = changes; },
    close: async () => fs.rmSync(root, { recursive: true, force: true }),
  };
}

const changing = (title: string, capability: string, input: JsonObject, disturbed: string) => ({
  title,
  of: ({ root }: FilesHarness): AdapterCase => ({
    title, capability, input: { connection: 'docs', ...input },
    disturb: async () => { fs.writeFileSync(`${root}/${disturbed}`, 'theirs'); },
  }),
});
const reading = (title: string, capability: string, input: JsonObject) =>
  ({ title, of: (): AdapterCase => ({ title, capability, input: { connection: 'docs', ...input }, probeKnows: false }) });

describeAdapter<FilesHarness>('to files', open, [
  reading('fs.read', 'fs.read', { path: 'a/one' }),
  reading('fs.list', 'fs.list', { path: 'a', recursive: true }),
  changing('fs.write of a new file', 'fs.write', { path: 'p/q/new', content: 'x' }, 'p/q/new'),
  changing('fs.write over a file', 'fs.write', { path: 'a/one', content: 'x', mode: '0600' }, 'a/one'),
  changing('fs.append', 'fs.append', { path: 'a/one', content: 'x' }, 'a/one'),
  changing('fs.append to a new file', 'fs.append', { path: 'a/new', content: 'x' }, 'a/new'),
  changing('fs.mkdir', 'fs.mkdir', { path: 'p/q', parents: true }, 'p/q/theirs'),
  changing('fs.move', 'fs.move', { path: 'a/b', to: 'c' }, 'c/two'),
  changing('fs.move over a file', 'fs.move', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }, 'a/b/two'),
  changing('fs.patch', 'fs.patch', { path: 'a/one', patch: '@@ -1 +1 @@\n-one\n\\ No newline at end of file\n+uno\n' }, 'a/one'),
  changing('fs.copy of a file', 'fs.copy', { path: 'a/one', to: 'p/q/one' }, 'p/q/one'),
  changing('fs.copy over a file', 'fs.copy', { path: 'a/one', to: 'a/b/two', ifExists: 'replace' }, 'a/b/two'),
  changing('fs.copy of a folder', 'fs.copy', { path: 'a', to: 'c', recursive: true }, 'c/b/two'),
  changing('fs.chmod of a file', 'fs.chmod', { path: 'a/one', mode: '0600' }, 'a/one'),
  {
    title: 'fs.chmod of a folder',
    of: ({ root }: FilesHarness): AdapterCase => ({
      title: 'fs.chmod of a folder', capability: 'fs.chmod', input: { connection: 'docs', path: 'a', mode: '0700' }, disturb: async () => { fs.chmodSync(`${root}/a`, 0o711); },
    }),
  },
  changing('fs.delete', 'fs.delete', { path: 'a', recursive: true }, 'a'),
]);
