import type { Pool } from 'pg';
import type { JsonObject } from '@aifirst/kernel';
import { invariant } from '@aifirst/kernel';
import { nameOf } from '../check-unit';
import type { NetPut } from '../check-unit';
import { readRow } from '../row-text';
import type { Origin } from '../row-text';
import type { Append, StoredDocument, StoredRow } from '../store';
import { VersionConflict } from '../store';
import { BinaryArrays } from './binary-arrays';
import { asOperational } from './session';
import * as sql from './statements';

type Columns = Readonly<Record<string, string | null>>;

/** As many ranges of pages as one trim's rows of 8 KiB lie in. */
const TIDY_RANGES = 160;

/** Reads of one log and of the documents, on connections of their own so that no commit waits behind them. */
export class LogReader {
  readonly #pool: Pool;
  readonly #writer: number;
  readonly #origin: Origin;

  constructor(pool: Pool, writer: number, origin: Origin) {
    this.#pool = pool;
    this.#writer = writer;
    this.#origin = origin;
  }

  async read(after: number, limit: number, head: number): Promise<readonly StoredRow[]> {
    invariant(limit > 0, 'a read has no limit');
    if (after >= head) return [];
    const rows = await this.#rows(sql.READ, [this.#writer, after, Math.min(after + limit, head)]);
    if (rows.length > 0 || after + limit >= head) return rows;
    const [first] = await this.#query(sql.FIRST_AFTER, [this.#writer, after, head]);
    const start = first?.['min'] ?? null;
    return start === null ? [] : this.#rows(sql.READ, [this.#writer, Number(start) - 1, Math.min(Number(start) - 1 + limit, head)]);
  }

  async readStreams(streams: readonly string[]): Promise<readonly StoredRow[]> {
    return streams.length === 0 ? [] : this.#rows(sql.READ_STREAMS, [this.#writer, new BinaryArrays().uuid(streams)]);
  }

  async readVersions(pairs: readonly { readonly stream: string; readonly version: number }[]): Promise<readonly StoredRow[]> {
    return pairs.length === 0 ? [] : this.#rows(sql.READ_VERSIONS, [this.#writer, ...pairArrays(pairs)]);
  }

  async readKeys(keys: readonly string[]): Promise<readonly StoredRow[]> {
    return keys.length === 0 ? [] : this.#rows(sql.READ_KEYS, [this.#writer, new BinaryArrays().text(keys)]);
  }

  /** @returns null where the writer was replaced */
  async trim(epoch: number, upTo: number, rowsMax: number, keep: readonly string[]): Promise<{ readonly removed: number; readonly more: boolean } | null> {
    // Why first: what is not summarised yet would be read whole, each time.
    await this.#query(sql.TIDY, [TIDY_RANGES]);
    const [found] = await this.#query(sql.TRIM, [this.#writer, epoch, upTo, rowsMax, new BinaryArrays().uuid(keep)]);
    const removed = found?.['removed'] ?? null;
    return removed === null ? null : { removed: Number(removed), more: found!['more'] === 'true' };
  }

  /** @returns false where the writer was replaced */
  async releaseKeys(epoch: number, keys: readonly string[], upTo: number): Promise<boolean> {
    const [found] = await this.#query(sql.RELEASE_KEYS, [this.#writer, epoch, upTo, new BinaryArrays().text(keys)]);
    return (found?.['released'] ?? null) !== null;
  }

  async getDocument(kind: string, tenant: string, id: string): Promise<StoredDocument | null> {
    const [columns] = await this.#query(sql.GET_DOCUMENT, [kind, tenant, id]);
    return columns === undefined ? null : documentOf(columns);
  }

  async listDocuments(kind: string, tenant: string | null, page: { readonly limit: number; readonly after?: string }): Promise<readonly StoredDocument[]> {
    const after = page.after ?? '';
    if (tenant !== null) return (await this.#query(sql.LIST_OF_TENANT, [kind, tenant, after, page.limit])).map(documentOf);
    const slash = after.indexOf('/');
    return (await this.#query(sql.LIST_OF_ALL, [kind, slash < 0 ? after : after.slice(0, slash), slash < 0 ? '' : after.slice(slash + 1), page.limit])).map(documentOf);
  }

  /** What of a unit somebody else has stored already; null when nothing. */
  async conflict(appends: readonly Append[], puts: readonly NetPut[]): Promise<VersionConflict | null> {
    const keys = appends.flatMap(append => append.key ?? []);
    const streams = appends.length === 0 ? [] : await this.#query(sql.EXISTING_VERSIONS, [this.#writer, ...pairArrays(appends)]);
    const taken = keys.length === 0 ? [] : await this.#query(sql.EXISTING_KEYS, [this.#writer, new BinaryArrays().text(keys)]);
    const documents = puts.length === 0 ? [] : await this.#unexpected(puts);
    if (streams.length + taken.length + documents.length === 0) return null;
    return new VersionConflict(streams.map(row => ({ stream: row['stream']!, version: Number(row['version']) })), taken.map(row => row['key']!), documents);
  }

  async #unexpected(puts: readonly NetPut[]): Promise<string[]> {
    const arrays = new BinaryArrays();
    const found = await this.#query(sql.REVISIONS, [arrays.text(puts.map(put => put.kind)), arrays.text(puts.map(put => put.tenant)), arrays.text(puts.map(put => put.id))]);
    const revisions = new Map(found.map(row => [nameOf({ kind: row['kind']!, tenant: row['tenant']!, id: row['id']! }), Number(row['revision'])]));
    return puts.filter(put => put.expected !== undefined && put.expected !== (revisions.get(nameOf(put)) ?? 0)).map(nameOf);
  }

  async #rows(statement: sql.Statement, values: unknown[]): Promise<readonly StoredRow[]> {
    return (await this.#query(statement, values)).map(row => readRow(
      { position: Number(row['position']), tenant: row['tenant']!, stream: row['stream']!, version: Number(row['version']), key: row['key'] ?? null },
      row['data']!, this.#origin,
    ));
  }

  async #query(statement: sql.Statement, values: unknown[]): Promise<Columns[]> {
    try {
      return (await this.#pool.query<Columns>({ name: statement.name, text: statement.text, values })).rows;
    } catch (error) {
      throw asOperational(error);
    }
  }
}

function pairArrays(pairs: readonly { readonly stream: string; readonly version: number }[]): [Buffer, Buffer] {
  const arrays = new BinaryArrays();
  return [arrays.uuid(pairs.map(pair => pair.stream)), arrays.int8(pairs.map(pair => pair.version))];
}

const documentOf = (row: Columns): StoredDocument =>
  ({ kind: row['kind']!, tenant: row['tenant']!, id: row['id']!, revision: Number(row['revision']), data: JSON.parse(row['data']!) as JsonObject });
