import type { Message } from '@aifirst/contracts';
import { base64, newHasher, textMeans } from '../digest';
import { canonicalJson } from '../domain/canonical-json';
import { checkpointText, signedNote } from '../domain/checkpoint';
import { leafText } from '../domain/leaf';
import { consistencyPath, type Hash, type Range } from '../domain/merkle';
import { encodeEntries, GrowingTree } from '../domain/tiles';
import { NoteSigner } from '../note-signer';

/** A log as a server shows it, in memory: what is honest about it, tests take away. */
export class ServedLog {
  readonly #hasher = newHasher();
  signer = new NoteSigner(Buffer.alloc(32, 7));
  keys: readonly string[] | null = null;
  readonly origin: string;

  constructor(readonly texts: string[], tenant = 'default') { this.origin = `test/${tenant}`; }

  static of(messages: readonly Message[]): ServedLog { return new ServedLog(messages.map(({ event }) => leafText(event, textMeans))); }

  vkey(): string { return this.signer.vkey(this.origin); }
  root(size = this.texts.length): Hash { return this.#rootOf({ begin: 0, end: size }); }

  note(size = this.texts.length): string {
    const text = checkpointText({ origin: this.origin, size, root: base64(this.root(size)) });
    return signedNote(text, this.signer.line(this.origin, text));
  }

  /** What `GET /v1/audit/<path>` answers; null: 404. */
  answer(path: string): Uint8Array | null {
    const url = new URL(path, 'http://server');
    const name = url.pathname.replace('/v1/audit/', '');
    if (name === 'checkpoint') return Buffer.from(this.note());
    if (name === 'keys') return Buffer.from(canonicalJson({ items: (this.keys ?? [this.vkey()]).map(vkey => ({ vkey, from: '2026-01-01T00:00:00.000Z', to: null })) }));
    if (name === 'proofs/consistency') {
      const [from, to] = ['from', 'to'].map(key => Number(url.searchParams.get(key)));
      return Buffer.from(canonicalJson({ from: from!, to: to!, hashes: consistencyPath(from!, to!).map(range => base64(this.#rootOf(range))) }));
    }
    const [, level, number, width] = /^tile\/(entries|0)\/([x0-9/]+?)(?:\.p\/([0-9]+))?$/.exec(name) ?? [];
    if (level === undefined) return null;
    const begin = Number(number!.replace(/[x/]/g, '')) * 256;
    const texts = this.texts.slice(begin, begin + Number(width ?? 256));
    if (texts.length < Number(width ?? 256)) return null;
    return level === '0' ? Buffer.concat(texts.map(text => this.#leaf(text))) : encodeEntries(texts.map(text => Buffer.from(text)));
  }

  #leaf(text: string): Hash { return this.#hasher.leaf(Buffer.from(text)); }
  #rootOf({ begin, end }: Range): Hash {
    const tree = new GrowingTree(this.#hasher);
    for (const text of this.texts.slice(begin, end)) tree.append(this.#leaf(text));
    return tree.root();
  }
}
