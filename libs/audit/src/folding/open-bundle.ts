import { deflateRawSync } from 'node:zlib';
import type { CloudEvent } from '@aifirst/contracts';
import { sha256 } from '../digest';
import { IndexedValues } from '../domain/index-keys';

/** One row of table `bundle`. */
export interface BundleRow {
  readonly tenant: string;
  readonly first: number;
  readonly count: number;
  readonly timeMin: number;
  readonly timeMax: number;
  readonly keys: readonly number[];
  readonly producers: string;
  readonly digest: Buffer;
  readonly data: Buffer;
}

/** What must be inflated to read one entry stays small. */
const ENTRIES_MAX = 512;
const BYTES_MAX = 1024 * 1024;
const BYTES_AT_FIRST = 64 * 1024;
/** Higher levels gain little on events that repeat each other, and cost up to three times as much (measured). */
const DEFLATE = { level: 2, memLevel: 9, chunkSize: 256 * 1024 } as const;
const LENGTH_BYTES = 2;

/** Entries of one tenant that are on their way into a row, encoded as in an entry bundle as they come. */
export class OpenBundle {
  readonly #hashes: Uint8Array[] = [];
  readonly #values = new IndexedValues();
  #buffer = Buffer.allocUnsafeSlow(BYTES_AT_FIRST);
  #at = 0;
  #timeMin = Infinity;
  #timeMax = -Infinity;

  constructor(readonly tenant: string, readonly first: number) {}

  isFull(): boolean { return this.#hashes.length >= ENTRIES_MAX || this.#at >= BYTES_MAX; }

  /** @param text at most 64 KiB of UTF-8 */
  add(event: CloudEvent, text: string): void {
    this.#reserve(LENGTH_BYTES + text.length * 3);
    const begin = this.#at + LENGTH_BYTES;
    const end = begin + this.#buffer.write(text, begin);
    // Why: a leaf is hashed with a zero before it, for which there is room until its length stands there.
    this.#buffer[begin - 1] = 0;
    this.#hashes.push(sha256(this.#buffer.subarray(begin - 1, end)));
    this.#buffer.writeUInt16BE(end - begin, this.#at);
    this.#at = end;
    const at = Date.parse(event.time);
    if (at < this.#timeMin) this.#timeMin = at;
    if (at > this.#timeMax) this.#timeMax = at;
    this.#values.add(event);
  }

  /** @param producers the last number of each producer in the tenant's log, this bundle included */
  close(producers: ReadonlyMap<string, number>): BundleRow {
    return {
      tenant: this.tenant, first: this.first, count: this.#hashes.length,
      // Why: an event whose time can't be read is found by every time.
      timeMin: Number.isFinite(this.#timeMin) ? this.#timeMin : 0, timeMax: Number.isFinite(this.#timeMax) ? this.#timeMax : Number.MAX_SAFE_INTEGER,
      keys: this.#values.keys(this.tenant), producers: JSON.stringify(Object.fromEntries(producers)),
      digest: Buffer.from(digestOfHashes(this.#hashes)),
      data: deflateRawSync(this.#buffer.subarray(0, this.#at), DEFLATE),
    };
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

export const digestOfHashes = (hashes: readonly Uint8Array[]): Uint8Array => sha256(Buffer.concat(hashes));
