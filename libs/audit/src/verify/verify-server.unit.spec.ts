import { NoteSigner } from '../note-signer';
import { workflowFacts } from '../testing/facts';
import { ServedLog } from '../testing/served-log';
import { tileNumber, verifyServer, type Fetch, type SeenLog } from './verify-server';

const messages = (() => {
  const numbers = { gateway: 0, orchestrator: 0, policy: 0, adapter: 0 };
  return Array.from({ length: 30 }, (_, i) => workflowFacts(`01980000-0000-7000-8000-${String(i).padStart(12, '0')}`, numbers)).flat();
})();
const served = (): ServedLog => ServedLog.of(messages);
const fetchFrom = (log: ServedLog, instead: (path: string) => Uint8Array | null | undefined = () => undefined): Fetch => async path => {
  const other = instead(path);
  return other === undefined ? log.answer(path) : other;
};
const codes = (verification: { readonly problems: readonly { readonly code: string }[] }): string[] => verification.problems.map(({ code }) => code);
const stranger = new NoteSigner(Buffer.alloc(32, 99));

describe('the verification of a server', () => {
  it('finds an honest log in order, and remembers what it saw', async () => {
    const log = served();
    const first = await verifyServer(fetchFrom(log), { vkey: log.vkey() });
    expect(first).toMatchObject({ ok: true, problems: [], summary: { origin: 'test/default', entries: 570, size: 570, keyPinned: true, causesPending: 0 }, seen: { vkey: log.vkey(), size: 570 } });
    log.texts.push(...ServedLog.of(workflowFacts('01980000-0000-7000-8000-ffffffffffff', { gateway: 30, orchestrator: 330, policy: 30, adapter: 180 })).texts);
    expect(await verifyServer(fetchFrom(log), { seen: first.seen! })).toMatchObject({ ok: true, summary: { size: 589, keyPinned: false } });
  });

  const seenAt = (log: ServedLog, size: number): SeenLog => ({ vkey: log.vkey(), size, root: Buffer.from(log.root(size)).toString('base64') });

  it('finds a log that was rolled back', async () => {
    const log = served();
    const seen = seenAt(log, 570);
    log.texts.length = 500;
    expect(await verifyServer(fetchFrom(log), { seen })).toMatchObject({ ok: false, firstBadIndex: 500, problems: [{ code: 'ROLLED_BACK' }], seen: null });
    expect(codes(await verifyServer(async () => null, { seen }))).toEqual(['ROLLED_BACK']);
  });

  it('finds a log that was rewritten and signed anew', async () => {
    const log = served();
    const seen = seenAt(log, 300);
    const rewritten = new ServedLog([...log.texts]);
    rewritten.texts[10] = rewritten.texts[10]!.replace('"agent":"clerk"', '"agent":"clark"');
    expect(rewritten.texts[10]).not.toBe(log.texts[10]);
    expect(codes(await verifyServer(fetchFrom(rewritten), { seen }))).toEqual(['CONSISTENCY']);
    expect(codes(await verifyServer(fetchFrom(rewritten), { seen: seenAt(log, 570) }))).toEqual(['CONSISTENCY']);
    expect(codes(await verifyServer(fetchFrom(rewritten, path => (path.includes('proofs') ? Buffer.from('{"hashes":[]}') : undefined)), { seen }))).toEqual(['CONSISTENCY']);
    expect(codes(await verifyServer(fetchFrom(rewritten, path => (path.includes('proofs') ? Buffer.from('no') : undefined)), { seen }))).toEqual(['CONSISTENCY']);
  });

  it('finds an entry that is not the one that was signed, and which', async () => {
    const log = served();
    const note = log.note();
    const tiles = [0, 1, 2].map(n => log.answer(`/v1/audit/tile/0/00${n}${n === 2 ? '.p/58' : ''}`));
    log.texts[300] = log.texts[300]!.replace(/"time":"2025/, '"time":"2024');
    const lying = fetchFrom(log, path => (path.endsWith('checkpoint') ? Buffer.from(note) : /tile\/0/.test(path) ? tiles[Number(/00([0-9])/.exec(path)![1])] : undefined));
    expect(await verifyServer(lying)).toMatchObject({ ok: false, firstBadIndex: 300, problems: [{ code: 'ROOT', index: 300 }] });
  });

  it.each<readonly [string, string, (path: string, log: ServedLog) => Uint8Array | null | undefined]>([
    ['keeps a bundle back', 'ENTRIES', path => (path.includes('entries/001') ? null : undefined)],
    ['cuts a bundle short', 'ENTRIES', (path, log) => (path.includes('entries/001') ? log.answer(path)!.slice(0, -10) : undefined)],
    ['shows a bundle that is too long', 'ENTRIES', (path, log) => (path.includes('.p/58') ? log.answer('/v1/audit/tile/entries/001') : undefined)],
    ['shows an entry that is not JCS', 'NOT_CANONICAL', (path, log) => {
      if (!path.includes('entries/000')) return undefined;
      const bytes = Buffer.from(log.answer(path)!);
      bytes[2] = 0x20;
      return bytes;
    }],
    ['shows a checkpoint with another size', 'SIGNATURE', (path, log) => (path.endsWith('checkpoint') ? Buffer.from(log.note().replace('\n570\n', '\n569\n')) : undefined)],
    ['shows a checkpoint of another log', 'SIGNATURE', (path, log) => (path.endsWith('checkpoint') ? Buffer.from(log.note().replaceAll('test/default', 'test/other')) : undefined)],
    ['shows no checkpoint', 'NO_CHECKPOINT', path => (path.endsWith('checkpoint') ? null : undefined)],
    ['shows nonsense', 'CHECKPOINT', path => (path.endsWith('checkpoint') ? Buffer.from('nonsense\n') : undefined)],
    ['shows no keys', 'SIGNATURE', path => (path.endsWith('keys') ? Buffer.from('{"items":[{"vkey":7},null]}') : undefined)],
  ])('finds a server that %s', async (_, code, instead) => {
    const log = served();
    const found = await verifyServer(fetchFrom(log, path => instead(path, log)));
    expect(found.ok).toBe(false);
    expect(codes(found)).toContain(code);
  });

  it('trusts the key that it was given, not the ones that the server shows', async () => {
    const log = served();
    const { vkey } = { vkey: log.vkey() };
    log.signer = stranger;
    expect(await verifyServer(fetchFrom(log))).toMatchObject({ ok: true, summary: { keyPinned: false } });
    expect(codes(await verifyServer(fetchFrom(log), { vkey }))).toEqual(['SIGNATURE']);
    expect(codes(await verifyServer(fetchFrom(log), { vkey: 'nonsense' }))).toEqual(['KEY']);
    expect(codes(await verifyServer(fetchFrom(log), { seen: { ...seenAt(served(), 100) } }))).toEqual(['KEY']);
  });

  it('names tiles as tlog-tiles does', () => {
    expect([0, 67, 999, 1_000, 1_234_067].map(tileNumber)).toEqual(['000', '067', '999', 'x001/000', 'x001/x234/067']);
  });
});
