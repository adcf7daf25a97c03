import { CanonicalText, decodeUtf8, NotCanonical } from './canonical-text';
import { Findings, type Verification } from './findings';
import { LogCheck } from './log-check';
import { checkConsistency } from './merkle-proofs';
import { bytesOf, isSignedBy, parseCheckpoint, parseSignatureLine, parseVkey, signerOf, type CheckedNote, type VerifierKey } from './signed-note';

const FORMAT = 'aifirst-audit-export/1';
const MEMBERS = ['checkpoints', 'entries', 'first', 'format', 'from', 'keys', 'origin', 'producers', 'proofs', 'size', 'tenant', 'to'];

/** The document but its entries, which are read one by one. */
interface Frame {
  readonly checkpoints: readonly string[];
  readonly first: number;
  readonly format: string;
  readonly keys: readonly { readonly vkey: string }[];
  readonly origin: string;
  readonly producers: Readonly<Record<string, { readonly first: number; readonly last: number }>>;
  readonly proofs: { readonly consistency: readonly { readonly from: number; readonly to: number; readonly hashes: readonly string[] }[]; readonly range: { readonly left: readonly string[]; readonly right: readonly string[] } };
  readonly size: number;
  readonly tenant: string;
}
interface Entry { readonly text: string; readonly index: unknown; readonly leafHash: unknown }

export interface VerifyOptions {
  /** The key that must have signed it, known from elsewhere. Without it the key inside is taken: `keyPinned` is false. */
  readonly vkey?: string;
}

/** Whether an export is what was signed, whole, and in itself consistent. Trusts nothing that is in it. Never throws. */
export function verifyExport(bytes: Uint8Array, options: VerifyOptions = {}): Verification {
  const findings = new Findings();
  try {
    return new ExportCheck(bytes, options, findings).run();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    findings.add(error.code, error.index, error.message);
    return findings.verification({ origin: null, first: 0, entries: 0, size: 0, root: null, checkpoints: 0, vkey: null, keyPinned: options.vkey !== undefined, producers: {}, outcomes: 0, causesBefore: 0, causesPending: 0 });
  }
}

/** So wrong that the rest can't be looked at. */
class Unreadable extends Error {
  constructor(readonly code: string, readonly index: number | null, message: string) { super(message); }
}

class ExportCheck {
  readonly #document: string;
  readonly #signed: Uint8Array;
  readonly #line: string;

  constructor(bytes: Uint8Array, private readonly options: VerifyOptions, private readonly findings: Findings) {
    const end = bytes.indexOf(0x0a);
    if (end < 0) throw new Unreadable('NOT_SIGNED', null, 'there is no signature line');
    const [document, line] = [decodeUtf8(bytes.subarray(0, end)), decodeUtf8(bytes.subarray(end + 1))];
    if (document === null || line === null) throw new Unreadable('NOT_CANONICAL', null, 'it is not UTF-8');
    this.#document = document;
    this.#signed = bytes.subarray(0, end + 1);
    this.#line = line;
  }

  run(): Verification {
    const { frame, entries } = this.#read();
    const { signer, wrong } = this.#signer(frame);
    const checkpoints = this.#checkpoints(frame, signer);
    const check = new LogCheck(this.findings, frame.first, frame.tenant);
    const holding = this.#rebuild(frame, entries, checkpoints, check);
    check.causation.end();
    this.#compareProducers(frame, check);
    // Why last: what was changed explains why the signature does not fit; the other way round it explains nothing.
    if (wrong !== null) this.findings.add(wrong.code, null, wrong.isItsKey && this.findings.firstBadIndex !== null ? 'it does not fit, because the document was changed after it was signed' : wrong.detail);
    const newest = checkpoints.at(-1);
    return this.findings.verification({
      origin: frame.origin, first: frame.first, entries: entries.length, size: holding ? newest?.size ?? 0 : 0, root: holding ? newest?.root.toString('base64') ?? null : null,
      checkpoints: checkpoints.length, vkey: signer?.vkey ?? null, keyPinned: this.options.vkey !== undefined,
      producers: { ...check.producers }, outcomes: check.causation.outcomes, causesBefore: check.causation.before, causesPending: check.causation.pending,
    });
  }

  #read(): { frame: Frame; entries: readonly Entry[] } {
    const text = new CanonicalText(this.#document);
    const parts: Record<string, unknown> = {};
    const entries: Entry[] = [];
    // Why: where the text breaks off being canonical, the entry being read is the first bad one.
    const before = Number(/"first":([0-9]{1,15}),"format":/.exec(this.#document.slice(-1_000_000))?.[1] ?? 0);
    let reading: number | null = null;
    try {
      text.members(key => {
        if (!MEMBERS.includes(key)) throw new Unreadable('FORMAT', null, `it has a member \`${key}\``);
        if (key !== 'entries') { parts[key] = JSON.parse(text.value()); return; }
        text.items(place => {
          reading = before + place;
          const fields: Record<string, string> = {};
          text.members(name => { fields[name] = text.value(); });
          if (Object.keys(fields).join() !== 'event,index,leafHash') throw new Unreadable('FORMAT', reading, `entry ${reading} is not one`);
          entries.push({ text: fields['event']!, index: JSON.parse(fields['index']!), leafHash: JSON.parse(fields['leafHash']!) });
        });
        reading = null;
      });
      text.end();
    } catch (error) {
      if (!(error instanceof NotCanonical)) throw error;
      throw new Unreadable('NOT_CANONICAL', reading, `it is not in JCS form: ${error.message}`);
    }
    if (!isFrame(parts)) throw new Unreadable('FORMAT', null, `it is not of the format \`${FORMAT}\``);
    return { frame: parts, entries };
  }

  /** The key that has signed the whole; none: why not. `isItsKey`: it has signed one of the checkpoints. */
  #signer(frame: Frame): { readonly signer: VerifierKey | null; readonly wrong: { readonly code: string; readonly detail: string; readonly isItsKey: boolean } | null } {
    const line = this.#line.endsWith('\n') ? parseSignatureLine(this.#line.slice(0, -1)) : null;
    const pinned = this.options.vkey === undefined ? null : parseVkey(this.options.vkey);
    if (this.options.vkey !== undefined && pinned === null) return { signer: null, wrong: { code: 'KEY', detail: 'the key that was given is none', isItsKey: false } };
    const candidates = pinned === null ? frame.keys.flatMap(({ vkey }) => parseVkey(vkey) ?? []) : [pinned];
    const signer = line === null ? undefined : candidates.find(key => key.name === frame.origin && isSignedBy(line, key, this.#signed));
    if (signer !== undefined) {
      if (!frame.keys.some(({ vkey }) => vkey === signer.vkey)) this.findings.add('KEY', null, 'the key that signed it is not among its keys');
      return { signer, wrong: null };
    }
    if (line === null) return { signer: null, wrong: { code: 'NOT_SIGNED', detail: 'the last line is no signature line', isItsKey: false } };
    const isItsKey = frame.checkpoints.some(text => { const note = parseCheckpoint(text); return note !== null && signerOf(note, candidates) !== null; });
    return { signer: null, wrong: { code: 'SIGNATURE', detail: pinned === null ? 'it was not signed with the key that it names' : 'it was not signed with the key that was given', isItsKey } };
  }

  #checkpoints(frame: Frame, signer: VerifierKey | null): readonly CheckedNote[] {
    const keys = frame.keys.flatMap(({ vkey }) => parseVkey(vkey) ?? []);
    if (keys.length !== frame.keys.length) this.findings.add('KEY', null, 'a key in it is none');
    const notes: CheckedNote[] = [];
    frame.checkpoints.forEach((text, place) => {
      const note = parseCheckpoint(text);
      const isLast = place === frame.checkpoints.length - 1;
      const say = (why: string): void => { this.findings.add('CHECKPOINT', null, `checkpoint ${place + 1} of ${frame.checkpoints.length} ${why}`); };
      if (note === null) { say('can\'t be read'); return; }
      if (note.origin !== frame.origin) say(`is of \`${note.origin}\``);
      if (note.size <= (notes.at(-1)?.size ?? -1)) say('is out of order');
      // Why the last by that very key: older ones may bear one that was replaced since; the last vouches for them.
      // Where nobody has signed the whole, that is said already: what is wrong with a checkpoint is said of that one alone.
      if (signerOf(note, signer === null ? keys : isLast ? [signer] : [...keys, signer]) === null) say('is not signed with a key of this log');
      notes.push(note);
    });
    if (notes.at(-1)?.size !== frame.size) this.findings.add('CHECKPOINT', null, `no checkpoint is of size ${frame.size}`);
    return notes;
  }

  /** Makes the tree again, from the hashes left of the entries to those right of them. @returns whether it is the one that was signed */
  #rebuild(frame: Frame, entries: readonly Entry[], checkpoints: readonly CheckedNote[], check: LogCheck): boolean {
    const [left, right] = [frame.proofs.range.left.map(bytesOf), frame.proofs.range.right.map(bytesOf)];
    const end = frame.first + entries.length;
    if (!left.every(hash => hash !== null) || !right.every(hash => hash !== null) || !check.tree.pushAll(left, frame.first)) {
      this.findings.add('PROOF', null, 'the hashes before the entries can\'t be those');
      return false;
    }
    const roots = new Map(checkpoints.map(({ size, root }) => [size, root]));
    let holding = true;
    let certain = frame.first;
    // Why: an entry that is known to be wrong explains the rest; else it can lie anywhere since the last root that held.
    let known: number | null = null;
    const wrong = (code: string, index: number, detail: string): void => { known ??= index; this.findings.add(code, index, detail); };
    const compare = (): void => {
      const root = roots.get(check.tree.size);
      if (root === undefined) return;
      if (root.equals(check.tree.root())) { certain = check.tree.size; return; }
      if (holding) this.findings.add('ROOT', entries.length === 0 ? null : known ?? Math.min(certain, end - 1), `the tree of size ${check.tree.size} is not the one that was signed: something differs from entry ${certain} on`);
      holding = false;
    };
    if (frame.first > 0) compare();
    entries.forEach(({ text, index, leafHash }, place) => {
      const expected = frame.first + place;
      const hash = check.push(text);
      if (index !== expected) wrong('INDEX', expected, `entry ${expected} says that it is ${String(index)}`);
      if (leafHash !== hash.toString('base64')) wrong('LEAF_HASH', expected, `entry ${expected} is not what was hashed`);
      compare();
    });
    if (end < frame.size || (end === frame.size && right.length > 0) || end > frame.size) {
      if (!check.tree.pushAll(right, frame.size)) { this.findings.add('PROOF', null, 'the hashes after the entries can\'t be those'); return false; }
      compare();
    }
    return this.#consistent(frame, checkpoints) && holding;
  }

  /** Checkpoints of a size before the first entry: only a proof ties them to the newest. */
  #consistent(frame: Frame, checkpoints: readonly CheckedNote[]): boolean {
    const newest = checkpoints.at(-1);
    const proofs = new Map(frame.proofs.consistency.map(proof => [`${proof.from}/${proof.to}`, proof.hashes.map(bytesOf)]));
    let holding = true;
    for (const [place, { size, root }] of checkpoints.entries()) {
      const hashes = proofs.get(`${size}/${newest!.size}`);
      if (hashes === undefined && size >= frame.first && place > 0) continue;
      if (size === newest!.size) continue;
      if (hashes === undefined || !hashes.every(hash => hash !== null) || !checkConsistency(size, newest!.size, hashes, root, newest!.root)) {
        this.findings.add('CONSISTENCY', null, `the log of size ${newest!.size} does not begin with the one of size ${size}`);
        holding = false;
      }
    }
    return holding;
  }

  #compareProducers(frame: Frame, check: LogCheck): void {
    const [said, found] = [Object.entries(frame.producers), Object.entries(check.producers)];
    const same = said.length === found.length && found.every(([name, { first, last }]) => {
      const other = Object.hasOwn(frame.producers, name) ? frame.producers[name] : undefined;
      return other?.first === first && other.last === last;
    });
    if (!same) this.findings.add('PRODUCERS', null, 'the producers\' numbers in it are not those of its entries');
  }
}

function isFrame(parts: Record<string, unknown>): parts is Record<string, unknown> & Frame {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
  const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(item => typeof item === 'string');
  const { checkpoints, first, format, keys, origin, producers, proofs, size, tenant } = parts;
  return MEMBERS.every(name => name === 'entries' || name in parts) && format === FORMAT && areTexts(checkpoints) && isSize(first) && isSize(size)
    && typeof origin === 'string' && typeof tenant === 'string' && origin.endsWith(`/${encodeURIComponent(tenant)}`)
    && Array.isArray(keys) && keys.every(key => isObject(key) && typeof key['vkey'] === 'string')
    && isObject(producers) && Object.values(producers).every(value => isObject(value) && isSize(value['first']) && isSize(value['last']))
    && isObject(proofs) && isObject(proofs['range']) && areTexts(proofs['range']['left']) && areTexts(proofs['range']['right'])
    && Array.isArray(proofs['consistency']) && proofs['consistency'].every(proof => isObject(proof) && isSize(proof['from']) && isSize(proof['to']) && areTexts(proof['hashes']));
}
