import { randomUUID } from 'node:crypto';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { JsonObject } from '@aifirst/kernel';
import { canonicalJson } from '../domain/canonical-json';
import { NoteSigner } from '../note-signer';
import { AuditStand, migrateAudit, TEST_KEY } from '../testing/audit-stand';
import { FACTS_PER_WORKFLOW, workflowFacts } from '../testing/facts';
import { hashLeaf } from './merkle-proofs';
import { verifyExport } from './verify-export';

const signer = new NoteSigner(TEST_KEY);
const vkey = signer.vkey('test/default');
const stranger = new NoteSigner(Buffer.alloc(32, 99));

let postgres: TestPostgres;
let whole: Buffer;
let part: Buffer;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const stand = await new AuditStand(await migrateAudit(postgres.connection)).start();
  const numbers = { gateway: 0, orchestrator: 0, policy: 0, adapter: 0 };
  for (let i = 0; i < 4; i++) {
    await stand.say(...workflowFacts(randomUUID(), numbers), ...workflowFacts(randomUUID(), numbers));
    await stand.settled();
  }
  whole = await stand.export();
  const { items } = await stand.ask('entries', { tenant: 'default', limit: 1_000 });
  part = await stand.export('default', { from: items.map(({ event }) => event.time).sort()[60]!, to: items.map(({ event }) => event.time).sort()[120]! });
  await stand.stop();
});
afterAll(async () => { await postgres.stop(); });

/** mulberry32: the same tamperings each time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Document extends Record<string, unknown> {
  entries: { event: Record<string, unknown>; index: number; leafHash: string }[];
  checkpoints: string[];
  keys: { vkey: string; from: string; to: string | null }[];
  first: number; size: number;
  proofs: { consistency: { from: number; to: number; hashes: string[] }[]; range: { left: string[]; right: string[] } };
  producers: Record<string, { first: number; last: number }>;
}
const documentOf = (bytes: Buffer): Document => JSON.parse(bytes.subarray(0, bytes.indexOf(0x0a)).toString()) as Document;
/** What somebody who can sign exports, but not checkpoints, makes of it. */
function resigned(document: Document, by = signer, name = 'test/default'): Buffer {
  const text = `${canonicalJson(document as unknown as JsonObject)}\n`;
  return Buffer.from(text + by.line(name, text));
}
const changed = (change: (document: Document) => void, of = whole): Buffer => {
  const document = documentOf(of);
  change(document);
  return resigned(document);
};
const codesOf = (bytes: Buffer): string[] => verifyExport(bytes, { vkey }).problems.map(({ code }) => code);

describe('an export', () => {
  it('verifies as it is, whole or in part', () => {
    expect(verifyExport(whole, { vkey })).toMatchObject({ ok: true, summary: { entries: 8 * FACTS_PER_WORKFLOW, keyPinned: true, checkpoints: 4 } });
    expect(verifyExport(whole)).toMatchObject({ ok: true, summary: { keyPinned: false, vkey } });
    const found = verifyExport(part, { vkey });
    expect(found).toMatchObject({ ok: true, problems: [], summary: { size: 8 * FACTS_PER_WORKFLOW } });
    expect(found.summary.first).toBeGreaterThan(0);
    expect(found.summary.first + found.summary.entries).toBeLessThan(8 * FACTS_PER_WORKFLOW);
    expect(resigned(documentOf(whole)).equals(whole)).toBe(true);
  });

  it('with any one of 1,000 bytes changed does not', () => {
    const next = random(1);
    for (let i = 0; i < 1_000; i++) {
      const bytes = Buffer.from(i % 2 === 0 ? whole : part);
      const at = next(bytes.length);
      bytes[at] = bytes[at]! ^ (1 + next(255));
      const found = verifyExport(bytes);
      if (found.ok) throw new Error(`not found: byte ${at} of ${i % 2 === 0 ? 'whole' : 'part'}`);
    }
  });

  it('with a byte of an entry changed names that one, and says that the signature does not fit for that reason, unless another key was given', () => {
    const bytes = Buffer.from(whole);
    bytes[bytes.indexOf('"subject":"', bytes.indexOf('"index":39')) + 11]! ^= 1;
    const signatureOf = (key: string): unknown => verifyExport(bytes, { vkey: key }).problems.find(({ code }) => code === 'SIGNATURE')?.detail;
    const found = verifyExport(bytes, { vkey });
    expect(found).toMatchObject({ ok: false, problems: expect.arrayContaining([{ code: 'LEAF_HASH', index: found.firstBadIndex, detail: `entry ${found.firstBadIndex} is not what was hashed` }]) });
    expect(signatureOf(vkey)).toBe('it does not fit, because the document was changed after it was signed');
    expect(signatureOf(stranger.vkey('test/default'))).toBe('it was not signed with the key that was given');
    expect(verifyExport(whole, { vkey: stranger.vkey('test/default') }).problems).toEqual([{ code: 'SIGNATURE', index: null, detail: 'it was not signed with the key that was given' }]);
  });

  it('cut short, lengthened or emptied does not', () => {
    const next = random(2);
    for (let i = 0; i < 200; i++) expect(verifyExport(whole.subarray(0, next(whole.length))).ok).toBe(false);
    for (const more of ['\n', ' ', 'x', '\u2014 test/default AAAA\n']) expect(verifyExport(Buffer.concat([whole, Buffer.from(more)])).ok).toBe(false);
    expect(verifyExport(Buffer.alloc(0)).ok).toBe(false);
    expect(verifyExport(Buffer.from('{}\n\n')).ok).toBe(false);
  });

  it('names the first bad entry, also where somebody has signed the change', () => {
    const next = random(3);
    for (let i = 0; i < 300; i++) {
      const at = next(8 * FACTS_PER_WORKFLOW - 2);
      const other = at + 1 + next(8 * FACTS_PER_WORKFLOW - at - 1);
      const bytes = changed(({ entries }) => {
        switch (i % 5) {
          case 0: entries[at]!.event['subject'] = 'somebody else'; return;
          case 1: entries.splice(at, 1); return;
          case 2: entries.splice(at, 0, structuredClone(entries[at]!)); entries[at + 1] = { ...entries[at + 1]!, index: at + 1 }; entries.slice(at + 2).forEach((entry, k) => { entry.index = at + 2 + k; }); return;
          case 3: [entries[at], entries[other]] = [entries[other]!, entries[at]!]; return;
          default: entries[at]!.leafHash = entries[other]!.leafHash; return;
        }
      });
      const found = verifyExport(bytes, { vkey });
      expect(found.ok).toBe(false);
      // Why: where all entries were renumbered it can lie anywhere since the last checkpoint that holds.
      if (i % 5 !== 2) expect(found.firstBadIndex).toBe(at);
      else expect(found.firstBadIndex).toBeLessThanOrEqual(at + 1);
    }
  });

  it('is not the log any more where entries are consistently rewritten, numbers and hashes included', () => {
    const bytes = changed(document => {
      const entry = document.entries[40]!;
      entry.event['time'] = '2020-01-01T00:00:00.000Z';
      entry.leafHash = hashLeaf(canonicalJson(entry.event as JsonObject)).toString('base64');
    });
    const found = verifyExport(bytes, { vkey });
    expect(found.problems.map(({ code }) => code)).toContain('ROOT');
    // Why 38: the checkpoint of size 38 still holds, the next does not.
    expect(found.firstBadIndex).toBe(38);
  });

  it.each<readonly [string, string, (document: Document) => void]>([
    ['its last entries cut off', 'PROOF', document => { document.entries.splice(-5); }],
    ['its last entries cut off, and the size with them', 'CHECKPOINT', document => { document.entries.splice(-5); document.size -= 5; }],
    ['no checkpoint', 'CHECKPOINT', document => { document.checkpoints = []; }],
    ['no checkpoint of its size', 'CHECKPOINT', document => { document.checkpoints.pop(); }],
    ['a checkpoint of another size', 'CHECKPOINT', document => { document.checkpoints[0] = document.checkpoints[0]!.replace('\n38\n', '\n37\n'); }],
    ['checkpoints out of order', 'CHECKPOINT', document => { document.checkpoints.reverse(); }],
    ['a checkpoint of another log', 'CHECKPOINT', document => { document.checkpoints[1] = document.checkpoints[1]!.replaceAll('default', 'other'); }],
    ['another key', 'KEY', document => { document.keys[0]!.vkey = stranger.vkey('test/default'); }],
    ['a key that is none', 'KEY', document => { document.keys[0]!.vkey = 'test/default+00000000+AAAA'; }],
    ['hashes before the first entry', 'PROOF', document => { document.proofs.range.left.push(document.entries[0]!.leafHash); }],
    ['hashes after the last entry', 'PROOF', document => { document.proofs.range.right.push(document.entries[0]!.leafHash); }],
    ['another consistency proof', 'CONSISTENCY', document => { document.proofs.consistency[0]!.hashes.reverse(); }],
    ['no consistency proof', 'CONSISTENCY', document => { document.proofs.consistency = []; }],
    ['another first entry', 'INDEX', document => { document.first = 1; document.proofs.range.left = [document.entries[0]!.leafHash]; }],
    ['another tenant', 'FORMAT', document => { document['tenant'] = 'other'; }],
    ['another tenant and origin', 'CHECKPOINT', document => { document['tenant'] = 'other'; document['origin'] = 'test/other'; }],
    ['another format', 'FORMAT', document => { document['format'] = 'aifirst-audit-export/2'; }],
    ['a member more', 'FORMAT', document => { document['extra'] = 1; }],
    ['a member less', 'FORMAT', document => { delete document['to']; }],
    ['producers\' numbers that are not those of the entries', 'PRODUCERS', document => { document.producers['policy/0']!.last++; }],
  ])('with %s does not verify, though it is signed', (_, code, change) => {
    const bytes = changed(change);
    expect(codesOf(bytes)).toContain(code);
  });

  it('of a part does not verify with other hashes around it', () => {
    expect(codesOf(changed(document => { document.proofs.range.right.pop(); }, part))).toContain('PROOF');
    expect(codesOf(changed(document => { document.proofs.range.left.reverse(); }, part))).toContain('ROOT');
    expect(codesOf(changed(document => { [document.proofs.range.right[0], document.proofs.range.right[1]] = [document.proofs.range.right[1]!, document.proofs.range.right[0]!]; }, part))).toContain('ROOT');
  });

  it('signed by a stranger, with the stranger\'s key inside, is found out by the pinned key alone', () => {
    const document = documentOf(whole);
    const name = 'test/default';
    document.keys = [{ ...document.keys[0]!, vkey: stranger.vkey(name) }];
    document.checkpoints = document.checkpoints.map(note => { const text = note.slice(0, note.indexOf('\n\n') + 1); return `${text}\n${stranger.line(name, text)}`; });
    const bytes = resigned(document, stranger);
    expect(verifyExport(bytes)).toMatchObject({ ok: true, summary: { keyPinned: false } });
    expect(codesOf(bytes)).toContain('SIGNATURE');
    expect(verifyExport(whole, { vkey: 'nonsense' })).toMatchObject({ ok: false });
  });

  it('verifies tens of thousands of entries in a second of CPU', () => {
    const passes = 20;
    const before = process.cpuUsage();
    for (let i = 0; i < passes; i++) verifyExport(whole, { vkey });
    const { user, system } = process.cpuUsage(before);
    const perSecond = (passes * 8 * FACTS_PER_WORKFLOW) / ((user + system) / 1e6);
    console.log(`verified ${Math.round(perSecond)} entries per second of CPU`);
    expect(perSecond).toBeGreaterThan(1_000);
  });
});
