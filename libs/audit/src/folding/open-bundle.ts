import { constants, deflateRawSync } from 'node:zlib';
import type { CloudEvent } from '@aifirst/contracts';
import { sha256 } from '../digest';
import { eachValue, keyOf } from '../domain/index-keys';
import { encodeEntries } from '../domain/tiles';

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
/** Higher levels gain little on events that repeat each other, and cost up to three times as much (measured). */
const DEFLATE = { level: 2, memLevel: 9, chunkSize: 256 * 1024, strategy: constants.Z_DEFAULT_STRATEGY } as const;

/** Entries of one tenant that are on their way into a row. */
export class OpenBundle {
  readonly #entries: Buffer[] = [];
  readonly #hashes: Uint8Array[] = [];
  readonly #keys = new Set<number>();
  #bytes = 0;
  #timeMin = Infinity;
  #timeMax = -Infinity;

  constructor(readonly tenant: string, readonly first: number) {}

  get count(): number { return this.#entries.length; }
  isFull(): boolean { return this.#entries.length >= ENTRIES_MAX || this.#bytes >= BYTES_MAX; }

  /** @param prefixed a byte that is 0, then the leaf's bytes: what is hashed */
  add(event: CloudEvent, prefixed: Buffer): void {
    this.#hashes.push(sha256(prefixed));
    this.#entries.push(prefixed.subarray(1));
    this.#bytes += prefixed.length;
    const at = Date.parse(event.time);
    if (at < this.#timeMin) this.#timeMin = at;
    if (at > this.#timeMax) this.#timeMax = at;
    eachValue(event, (kind, value) => { this.#keys.add(keyOf(this.tenant, kind, value)); });
  }

  /** @param producers the last number of each producer in the tenant's log, this bundle included */
  close(producers: ReadonlyMap<string, number>): BundleRow {
    return {
      tenant: this.tenant, first: this.first, count: this.#entries.length,
      // Why: an event whose time can't be read is found by every time.
      timeMin: Number.isFinite(this.#timeMin) ? this.#timeMin : 0, timeMax: Number.isFinite(this.#timeMax) ? this.#timeMax : Number.MAX_SAFE_INTEGER,
      keys: [...this.#keys], producers: JSON.stringify(Object.fromEntries(producers)),
      digest: Buffer.from(digestOfHashes(this.#hashes)),
      data: deflateRawSync(encodeEntries(this.#entries), DEFLATE),
    };
  }
}

export const digestOfHashes = (hashes: readonly Uint8Array[]): Uint8Array => sha256(Buffer.concat(hashes));
