import { Findings, type Verification } from './findings';
import { LogCheck } from './log-check';
import { checkConsistency } from './merkle-proofs';
import { bytesOf, parseCheckpoint, parseVkey, signerOf, type VerifierKey } from './signed-note';

/** What was seen of a log when it was last verified: a later log must begin with it. */
export interface SeenLog { readonly vkey: string; readonly size: number; /** Base64. */ readonly root: string }

/** Reads `GET <path>` of the server; null where there is nothing (404). @throws when it can't be reached */
export type Fetch = (path: string) => Promise<Uint8Array | null>;

export interface VerifyServerOptions {
  readonly vkey?: string;
  readonly seen?: SeenLog;
  /** Whose log, where the credential is not its own. */
  readonly tenant?: string;
}

const BUNDLE_WIDTH = 256;

/** `067`, `x001/x234/067` (C2SP tlog-tiles). */
export function tileNumber(index: number): string {
  const groups: string[] = [];
  for (let rest = index; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1_000)) groups.unshift(`${groups.length === 0 ? '' : 'x'}${String(rest % 1_000).padStart(3, '0')}`);
  return groups.join('/');
}

/**
 * Verifies a running server's log as any monitor would: its newest checkpoint, that it goes on from what was seen before,
 * and every entry of it. @returns what was found, and what to remember of it when nothing is wrong
 */
export async function verifyServer(fetch: Fetch, options: VerifyServerOptions = {}): Promise<Verification & { readonly seen: SeenLog | null }> {
  const findings = new Findings();
  const query = options.tenant === undefined ? '' : `tenant=${encodeURIComponent(options.tenant)}`;
  const get = (path: string, more = ''): Promise<Uint8Array | null> => {
    const all = [more, query].filter(part => part !== '').join('&');
    return fetch(`/v1/audit/${path}${all === '' ? '' : `?${all}`}`);
  };
  const failed = (code: string, detail: string) => {
    findings.add(code, null, detail);
    return { ...findings.verification({ origin: null, first: 0, entries: 0, size: 0, root: null, checkpoints: 0, vkey: null, keyPinned: options.vkey !== undefined, producers: {}, outcomes: 0, causesBefore: 0, causesPending: 0 }), seen: null };
  };

  const noteBytes = await get('checkpoint');
  if (noteBytes === null) return failed(options.seen === undefined ? 'NO_CHECKPOINT' : 'ROLLED_BACK', 'the log has no checkpoint');
  const note = parseCheckpoint(Buffer.from(noteBytes).toString());
  if (note === null) return failed('CHECKPOINT', 'the checkpoint can\'t be read');
  const listed = await keysOf(get);
  const pinned = options.vkey === undefined ? null : parseVkey(options.vkey);
  if (options.vkey !== undefined && pinned === null) return failed('KEY', 'the key that was given is none');
  const signer = signerOf(note, pinned === null ? listed : [pinned]);
  if (signer === null) return failed('SIGNATURE', pinned === null ? 'the checkpoint is not signed with a key of this log' : 'the checkpoint is not signed with the key that was given');

  if (options.seen !== undefined) await compareWithSeen(get, findings, options.seen, note, listed);
  const tenant = decodeURIComponent(note.origin.slice(note.origin.lastIndexOf('/') + 1));
  const check = new LogCheck(findings, 0, tenant);
  const hashes: Buffer[] = [];
  for (let number = 0; number * BUNDLE_WIDTH < note.size; number++) {
    const width = Math.min(BUNDLE_WIDTH, note.size - number * BUNDLE_WIDTH);
    const bundle = await get(`tile/entries/${tileNumber(number)}${width === BUNDLE_WIDTH ? '' : `.p/${width}`}`);
    const entries = bundle === null ? null : entriesOf(bundle);
    if (entries === null || entries.length !== width) {
      findings.add('ENTRIES', number * BUNDLE_WIDTH, `the server does not show entries ${number * BUNDLE_WIDTH} to ${number * BUNDLE_WIDTH + width - 1}`);
      break;
    }
    for (const entry of entries) hashes.push(check.pushBytes(entry));
  }
  check.causation.end();
  const isWhole = check.tree.size === note.size;
  if (isWhole && !check.tree.root().equals(note.root)) {
    const index = await firstDifference(get, hashes, note.size);
    findings.add('ROOT', index, `the entries are not those of the tree that was signed${index === null ? '' : `: entry ${index} differs from its tile`}`);
  }
  const root = note.root.toString('base64');
  const verification = findings.verification({
    origin: note.origin, first: 0, entries: check.entries, size: note.size, root, checkpoints: 1, vkey: signer.vkey, keyPinned: pinned !== null,
    producers: { ...check.producers }, outcomes: check.causation.outcomes, causesBefore: check.causation.before, causesPending: check.causation.pending,
  });
  return { ...verification, seen: verification.ok ? { vkey: signer.vkey, size: note.size, root } : null };
}

type Get = (path: string, more?: string) => Promise<Uint8Array | null>;

async function compareWithSeen(get: Get, findings: Findings, seen: SeenLog, note: { readonly size: number; readonly root: Buffer }, listed: readonly VerifierKey[]): Promise<void> {
  const root = bytesOf(seen.root);
  if (root === null) { findings.add('SEEN', null, 'what was remembered of the log can\'t be read'); return; }
  if (!listed.some(({ vkey }) => vkey === seen.vkey)) findings.add('KEY', null, 'the key that had signed the log before is not among its keys any more');
  if (note.size < seen.size) { findings.add('ROLLED_BACK', note.size, `the log has ${note.size} entries; there were ${seen.size} before`); return; }
  if (seen.size === 0) return;
  const proof = note.size === seen.size ? [] : hashesOf(await get('proofs/consistency', `from=${seen.size}&to=${note.size}`));
  if (proof === null || !checkConsistency(seen.size, note.size, proof, root, note.root)) findings.add('CONSISTENCY', null, `the log does not begin with the ${seen.size} entries that were there before`);
}

function hashesOf(bytes: Uint8Array | null): Buffer[] | null {
  const proof = jsonOf(bytes) as { hashes?: unknown } | null;
  const hashes = Array.isArray(proof?.hashes) ? proof.hashes.map(hash => (typeof hash === 'string' ? bytesOf(hash) : null)) : [null];
  return hashes.every(hash => hash !== null) ? hashes : null;
}

async function keysOf(get: Get): Promise<readonly VerifierKey[]> {
  const keys = jsonOf(await get('keys')) as { items?: unknown } | null;
  return Array.isArray(keys?.items) ? keys.items.flatMap(item => parseVkey(String((item as { vkey?: unknown } | null)?.vkey)) ?? []) : [];
}

/** Where the entries first differ from the hashes that the server shows. */
async function firstDifference(get: Get, hashes: readonly Buffer[], size: number): Promise<number | null> {
  for (let number = 0; number * BUNDLE_WIDTH < size; number++) {
    const width = Math.min(BUNDLE_WIDTH, size - number * BUNDLE_WIDTH);
    const tile = await get(`tile/0/${tileNumber(number)}${width === BUNDLE_WIDTH ? '' : `.p/${width}`}`);
    for (let place = 0; place < width; place++) {
      const index = number * BUNDLE_WIDTH + place;
      if (tile === null || !hashes[index]!.equals(Buffer.from(tile).subarray(place * 32, place * 32 + 32))) return index;
    }
  }
  return null;
}

function entriesOf(bytes: Uint8Array): Uint8Array[] | null {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (at + 2 > bytes.length || end > bytes.length) return null;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

function jsonOf(bytes: Uint8Array | null): unknown {
  try { return bytes === null ? null : JSON.parse(Buffer.from(bytes).toString()); } catch { return null; } // Why: an answer that is no JSON holds no key and no proof.
}
