import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkConsistency, checkInclusion } from './merkle-proofs';

const folder = join(__dirname, '..', '..', '..', '..', '..', 'shared', 'data', 'merkle');
const present = existsSync(folder);
if (!present) console.log('skipped: no ../shared/data/merkle beside the repository');

interface Vector { readonly proof: string[] | null; readonly wantErr: boolean }
interface Inclusion extends Vector { readonly leafIdx: number; readonly treeSize: number; readonly leafHash: string; readonly root: string }
interface Consistency extends Vector { readonly size1: number; readonly size2: number; readonly root1: string; readonly root2: string }

const vectors = <V extends Vector>(kind: string): { readonly name: string; readonly vector: V }[] =>
  (present ? readdirSync(join(folder, kind), { recursive: true, encoding: 'utf8' }) : []).filter(name => name.endsWith('.json'))
    .map(name => ({ name, vector: JSON.parse(readFileSync(join(folder, kind, name), 'utf8')) as V }));
const bytes = (text: string | null): Buffer => Buffer.from(text ?? '', 'base64');

(present ? describe : describe.skip)('the proof vectors of transparency-dev/merkle', () => {
  it('for inclusion are judged as they say', () => {
    const all = vectors<Inclusion>('inclusion');
    expect(all.length).toBeGreaterThan(80);
    const wrong = all.filter(({ vector: { leafIdx, treeSize, leafHash, proof, root, wantErr } }) =>
      checkInclusion(leafIdx, treeSize, bytes(leafHash), (proof ?? []).map(bytes), bytes(root)) === wantErr);
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('for consistency are judged as they say', () => {
    const all = vectors<Consistency>('consistency');
    expect(all.length).toBeGreaterThan(80);
    const wrong = all.filter(({ vector: { size1, size2, root1, root2, proof, wantErr } }) =>
      checkConsistency(size1, size2, (proof ?? []).map(bytes), bytes(root1), bytes(root2)) === wantErr);
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });
});
