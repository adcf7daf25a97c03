import type { AuditEntry, AuditQuestions, CloudEvent } from '@aifirst/contracts';
import { InvariantViolation, OperationalError, Refusal } from '@aifirst/kernel';
import type { PostgresStore, TenantReader } from '@aifirst/store';
import { base64, newHasher } from '../digest';
import { originOf } from '../domain/checkpoint';
import { keysOfFilter, matches, type EntryFilter } from '../domain/index-keys';
import { consistencyPath, inclusionPath, nodesOf, type Hash, type MerkleHasher, type NodeId, type Range } from '../domain/merkle';
import { encodeEntries, tilePartOf, TILE_WIDTH, tileWidth } from '../domain/tiles';
import { vkeyOf } from '../note-signer';
import { openBundle, type StoredBundle } from '../stored-bundle';

type Questions = AuditQuestions;
export type Tenants = Pick<PostgresStore, 'withTenant'>;

const BUNDLES_PER_READ = 8;
/** Full tiles kept in memory: 8 KiB each. */
const TILES_KEPT = 256;
const TIME_MAX_MS = Number.MAX_SAFE_INTEGER;

const COLUMNS = 'first, count, digest, data';
const FROM = `SELECT ${COLUMNS} FROM bundle WHERE tenant = $1 AND first >= coalesce((SELECT max(first) FROM bundle WHERE tenant = $1 AND first <= $2), 0)
  AND time_max >= $3 AND time_min < $4 ORDER BY first LIMIT $5`;
const PLACES = `SELECT bundles_with AS first FROM bundles_with($1, coalesce((SELECT max(first) FROM bundle WHERE tenant = $2 AND first <= $3), 0), $4, $5, $6)`;
const AT = `SELECT ${COLUMNS} FROM bundle WHERE tenant = $1 AND first = ANY ($2) ORDER BY first`;
const LAST = `SELECT size, root, note FROM checkpoint WHERE tenant = $1 ORDER BY size DESC LIMIT 1`;
const TILE = `SELECT hashes FROM tile WHERE tenant = $1 AND level = $2 AND index = $3`;
const ROOTS = `SELECT root FROM tile WHERE tenant = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index`;
const KEYS = `SELECT deployment, public_key, from_at, to_at FROM signing_key ORDER BY place`;

export interface SignedCheckpoint { readonly size: number; readonly root: Hash; readonly note: string }
/** An entry as it is stored: its text is canonical. */
export interface RawEntry { readonly index: number; readonly leafHash: string; readonly text: string }

/** Answers from what is stored. Tiles and proofs reach as far as the newest checkpoint, entries as far as they are folded. */
export class LogReader {
  readonly #hasher: MerkleHasher = newHasher();
  readonly #tiles = new Map<string, readonly Hash[]>();

  constructor(private readonly store: Tenants) {}

  async entries({ tenant, from = 0, limit, fromTime, toTime, ...filter }: Questions['entries'][0]): Promise<Questions['entries'][1]> {
    const [fromMs, toMs] = [msOf(fromTime, 0), msOf(toTime, TIME_MAX_MS)];
    const items: AuditEntry[] = [];
    for await (const entry of this.#found(tenant, from, filter, fromMs, toMs)) {
      const event = JSON.parse(entry.text) as CloudEvent;
      if (!matches(event, filter) || !isWithin(event, fromMs, toMs)) continue;
      if (items.length === limit) return { items, next: entry.index };
      items.push({ index: entry.index, leafHash: entry.leafHash, event });
    }
    return { items, next: null };
  }

  async entry({ tenant, index }: Questions['entry'][0]): Promise<Questions['entry'][1]> {
    for await (const entry of this.range(tenant, index, index + 1)) return { index, leafHash: entry.leafHash, event: JSON.parse(entry.text) as CloudEvent };
    return null;
  }

  async checkpoint(tenant: string): Promise<SignedCheckpoint | null> {
    const [row] = await this.#query<{ size: string; root: Buffer; note: string }>(tenant, LAST, [tenant]);
    return row === undefined ? null : { size: Number(row.size), root: row.root, note: row.note };
  }

  async tile({ tenant, level, index, width }: Questions['tile'][0]): Promise<Questions['tile'][1]> {
    const size = (await this.checkpoint(tenant))?.size ?? 0;
    if (width < 1 || width > tileWidth(level === 'entries' ? 0 : level, index, size)) return null;
    if (level !== 'entries') return { bytes: Buffer.concat((await this.#tile(tenant, level, index, width)).slice(0, width)).toString('base64') };
    const entries: Buffer[] = [];
    for await (const { text } of this.range(tenant, index * TILE_WIDTH, index * TILE_WIDTH + width)) entries.push(Buffer.from(text));
    return { bytes: base64(encodeEntries(entries)) };
  }

  /** @throws Refusal NOT_FOUND */
  async inclusionProof({ tenant, index, size }: Questions['inclusionProof'][0]): Promise<Questions['inclusionProof'][1]> {
    const most = (await this.checkpoint(tenant))?.size ?? 0;
    const of = size ?? most;
    if (of > most || index >= of) throw beyond(most);
    return { index, size: of, hashes: await this.#hashesOf(tenant, inclusionPath(index, of)) };
  }

  /** @throws Refusal NOT_FOUND */
  async consistencyProof({ tenant, from, to }: Questions['consistencyProof'][0]): Promise<Questions['consistencyProof'][1]> {
    const most = (await this.checkpoint(tenant))?.size ?? 0;
    if (to > most || from > to) throw beyond(most);
    return { from, to, hashes: await this.#hashesOf(tenant, consistencyPath(from, to)) };
  }

  async keys(tenant: string): Promise<Questions['keys'][1]> {
    const rows = await this.#query<{ deployment: string; public_key: Buffer; from_at: Date; to_at: Date | null }>(tenant, KEYS, []);
    return { items: rows.map(row => ({ vkey: vkeyOf(originOf(row.deployment, tenant), row.public_key), from: row.from_at.toISOString(), to: row.to_at?.toISOString() ?? null })) };
  }

  /** Base64 of the hashes of the complete subtrees that make up a range. */
  async nodes(tenant: string, range: Range): Promise<string[]> {
    const hashes: string[] = [];
    for (const node of nodesOf(range)) hashes.push(base64(await this.#node(tenant, node)));
    return hashes;
  }

  /** Every entry from `begin` up to and without `end`, as far as there are any. @throws OperationalError AUDIT_LOG_DAMAGED */
  async *range(tenant: string, begin: number, end: number): AsyncGenerator<RawEntry> {
    for (let at = begin; at < end;) {
      const rows = await this.#query<StoredBundle>(tenant, FROM, [tenant, at, 0, TIME_MAX_MS, BUNDLES_PER_READ]);
      const before = at;
      for (const row of rows) for (const entry of this.#open(tenant, row)) if (entry.index === at && at < end) { yield entry; at++; }
      if (at === before) return;
    }
  }

  /** The first index at or after, and the first after, which every entry of the time lies; null where there is none. */
  async span(tenant: string, fromTime: string | undefined, toTime: string | undefined): Promise<Range | null> {
    const [fromMs, toMs] = [msOf(fromTime, 0), msOf(toTime, TIME_MAX_MS)];
    const edge = async (order: 'ASC' | 'DESC'): Promise<number | null> => {
      for (let past: number | null = null; ;) {
        const rows: readonly StoredBundle[] = await this.#query<StoredBundle>(tenant, `SELECT ${COLUMNS} FROM bundle WHERE tenant = $1 AND time_max >= $2 AND time_min < $3
          AND ($4::int8 IS NULL OR ${order === 'ASC' ? 'first > $4' : 'first < $4'}) ORDER BY first ${order} LIMIT 1`, [tenant, fromMs, toMs, past]);
        const [row] = rows;
        if (row === undefined) return null;
        const entries = this.#open(tenant, row);
        const inside = (order === 'ASC' ? entries : [...entries].reverse()).find(({ text }) => isWithin(JSON.parse(text) as CloudEvent, fromMs, toMs));
        if (inside !== undefined) return inside.index;
        past = Number(row.first);
      }
    };
    const begin = await edge('ASC');
    return begin === null ? null : { begin, end: (await edge('DESC'))! + 1 };
  }

  async *#found(tenant: string, from: number, filter: EntryFilter, fromMs: number, toMs: number): AsyncGenerator<RawEntry> {
    const wanted = keysOfFilter(tenant, filter);
    for (let at = from; ;) {
      const rows = await this.store.withTenant(tenant, async reader => {
        if (wanted.length === 0) return reader.query<StoredBundle>(FROM, [tenant, at, fromMs, toMs, BUNDLES_PER_READ]);
        const places = await reader.query<{ first: string }>(PLACES, [wanted, tenant, at, fromMs, toMs, BUNDLES_PER_READ]);
        return places.length === 0 ? [] : reader.query<StoredBundle>(AT, [tenant, places.map(({ first }) => first)]);
      });
      for (const row of rows) for (const entry of this.#open(tenant, row)) if (entry.index >= at) yield entry;
      const last = rows.at(-1);
      if (last === undefined || rows.length < BUNDLES_PER_READ) return;
      at = Number(last.first) + last.count;
    }
  }

  #open(tenant: string, row: StoredBundle): readonly RawEntry[] {
    const opened = openBundle(row);
    // Why: what is shown must be what was folded, or nothing.
    if (opened === null) throw new OperationalError('AUDIT_LOG_DAMAGED', `entries from ${row.first} on of the log of \`${tenant}\` are not what was folded`);
    return opened.entries.map((entry, i) => ({ index: Number(row.first) + i, leafHash: base64(opened.hashes[i]!), text: Buffer.from(entry.buffer, entry.byteOffset, entry.length).toString() }));
  }

  async #hashesOf(tenant: string, path: readonly Range[]): Promise<string[]> {
    const hashes: string[] = [];
    for (const range of path) {
      const parts: Hash[] = [];
      for (const node of nodesOf(range)) parts.push(await this.#node(tenant, node));
      hashes.push(base64(this.#hasher.join(parts)));
    }
    return hashes;
  }

  async #node(tenant: string, node: NodeId): Promise<Hash> {
    const { level, index, offset, count } = tilePartOf(node);
    return this.#hasher.complete((await this.#tile(tenant, level, index, offset + count)).slice(offset, offset + count));
  }

  /** At least `width` hashes of a tile, which are stored. */
  async #tile(tenant: string, level: number, index: number, width: number): Promise<readonly Hash[]> {
    const name = `${level}/${index}/${tenant}`;
    const known = this.#tiles.get(name);
    if (known !== undefined) return known;
    const [full] = await this.#query<{ hashes: Buffer }>(tenant, TILE, [tenant, level, index]);
    if (full !== undefined) {
      const hashes = Array.from({ length: TILE_WIDTH }, (_, i) => full.hashes.subarray(i * 32, i * 32 + 32));
      if (this.#tiles.size >= TILES_KEPT) this.#tiles.delete(this.#tiles.keys().next().value!);
      this.#tiles.set(name, hashes);
      return hashes;
    }
    const begin = index * TILE_WIDTH;
    const hashes: Hash[] = [];
    if (level === 0) for await (const { leafHash } of this.range(tenant, begin, begin + width)) hashes.push(Buffer.from(leafHash, 'base64'));
    else hashes.push(...(await this.#query<{ root: Buffer }>(tenant, ROOTS, [tenant, level - 1, begin, begin + width])).map(({ root }) => root));
    if (hashes.length < width) throw new InvariantViolation(`tile ${level}/${index} of the log of \`${tenant}\` has ${hashes.length} hashes, not ${width}`);
    return hashes;
  }

  #query<Row extends object>(tenant: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.store.withTenant(tenant, (reader: TenantReader) => reader.query<Row>(text, values));
  }
}

const msOf = (time: string | undefined, otherwise: number): number => (time === undefined ? otherwise : Date.parse(time));
function isWithin(event: CloudEvent, fromMs: number, toMs: number): boolean {
  const at = Date.parse(event.time);
  return Number.isNaN(at) || (at >= fromMs && at < toMs);
}
const beyond = (size: number): Refusal => new Refusal({ code: 'NOT_FOUND', detail: `the newest checkpoint of this log has size ${size}` });
