import { OperationalError, invariant } from '@aifirst/kernel';
import type { JsonObject } from '@aifirst/kernel';
import { TRIM_ROWS, checkRepeats, checkUnit, mergePositions, nameOf, netPuts } from '../check-unit';
import type { NetPut } from '../check-unit';
import { readRow, stampRows } from '../row-text';
import { Fenced, VersionConflict } from '../store';
import { removeStreams, takeKey, writeDocument, writeLines } from './memory-tables';
import type { Line, MemoryTables, Paper, Writer } from './memory-tables';
import type { Append, Log, Positions, StoredDocument, StoredRow, Unit } from '../store';

export type Defer = (step: () => void) => void;
/**
 * stored         as it should be
 * refused        nothing stored, STORE_UNAVAILABLE (retryable)
 * unknownStored  stored, but the answer is lost: COMMIT_UNKNOWN (retryable)
 * unknownAbsent  not stored, COMMIT_UNKNOWN (retryable)
 */
export type Fate = 'stored' | 'refused' | 'unknownStored' | 'unknownAbsent';

interface Settings {
  readonly tables: MemoryTables;
  readonly writer: Writer;
  readonly leaseMs: number;
  readonly source: string;
  readonly defer: Defer;
  readonly now: () => number;
  readonly fate: (producer: string, unit: Unit) => Fate;
}
/** Where this log's writer believes the log stands. */
interface Mark { readonly head: number; readonly sequence: number; readonly positions: Positions; readonly lowWater: number }
interface Attempt { readonly unit: Unit; readonly rows: readonly StoredRow[]; readonly mark: Mark; readonly isStored: boolean }

export class MemoryLog implements Log {
  readonly producer: string;
  readonly epoch: number;
  readonly #settings: Settings;
  readonly #listeners = new Set<(rows: readonly StoredRow[]) => void>();
  #mark: Mark;
  #ended: OperationalError | undefined;
  #isBusy = false;
  #isPaused = false;
  #pending: Attempt | undefined;
  /** The last attempt whose caller was told COMMIT_UNKNOWN. */
  #unsure: Attempt | undefined;
  readonly #cuts = new Set<(reason: OperationalError) => void>();

  constructor(settings: Settings) {
    const { writer } = settings;
    this.#settings = settings;
    this.producer = writer.name;
    this.epoch = writer.epoch;
    this.#mark = { head: writer.head, sequence: writer.sequence, positions: writer.positions, lowWater: writer.lowWater };
  }

  get renews(): boolean { return this.#ended === undefined && !this.#isPaused; }

  async commit(unit: Unit): Promise<readonly StoredRow[]> {
    invariant(!this.#isBusy, `two commits at once on log \`${this.producer}\``);
    this.#isBusy = true;
    try {
      checkUnit(unit);
      this.#settle();
      if (this.#ended !== undefined) throw this.#ended;
      const unsure = this.#unsure;
      this.#unsure = undefined;
      if (unsure !== undefined && unsure.unit === unit && unsure.mark === this.#mark) return unsure.rows;
      const attempt = await this.#step(() => this.#store(unit));
      return await this.#step(() => { this.#adopt(attempt); return attempt.rows; });
    } finally {
      this.#isBusy = false;
    }
  }

  positions(): Positions { return this.#mark.positions; }
  lowWater(): number { return this.#mark.lowWater; }
  head(): number { return this.#mark.head; }

  async read(after: number, limit: number): Promise<readonly StoredRow[]> {
    invariant(limit > 0, 'a read has no limit');
    const head = this.#mark.head;
    return this.#rows(({ lines }) => {
      const first = lines[placeOf(lines, after + 1)]?.position ?? head + 1;
      // Why: positions bound what the database reads, so that a page holds less where streams have been removed.
      const last = Math.min((first > after + limit ? first - 1 : after) + limit, head);
      return lines.slice(placeOf(lines, first), placeOf(lines, last + 1));
    });
  }

  async readStreams(streams: readonly string[]): Promise<readonly StoredRow[]> {
    return this.#rows(writer => unique(streams).flatMap(stream => writer.streams.get(stream) ?? []).sort(byStream));
  }

  async readVersions(pairs: readonly { readonly stream: string; readonly version: number }[]): Promise<readonly StoredRow[]> {
    return this.#rows(writer => unique(pairs.flatMap(pair => writer.versions.get(`${pair.stream}/${pair.version}`) ?? [])).sort(byStream));
  }

  async readKeys(keys: readonly string[]): Promise<readonly StoredRow[]> {
    return this.#rows(writer => unique(keys.flatMap(key => writer.keys.get(key) ?? [])).sort((a, b) => a.position - b.position));
  }

  async getDocument(kind: string, tenant: string, id: string): Promise<StoredDocument | null> {
    return this.#step(() => {
      const paper = this.#settings.tables.documents.get(nameOf({ kind, tenant, id }));
      return paper === undefined ? null : documentOf(paper);
    });
  }

  async listDocuments(kind: string, tenant: string | null, page: { readonly limit: number; readonly after?: string }): Promise<readonly StoredDocument[]> {
    const after = page.after ?? '';
    const slash = after.indexOf('/');
    const [afterTenant, afterId] = tenant !== null ? [tenant, after] : slash < 0 ? [after, ''] : [after.slice(0, slash), after.slice(slash + 1)];
    return this.#step(() => [...this.#settings.tables.documents.values()]
      .filter(paper => paper.kind === kind && (tenant === null || paper.tenant === tenant) && byName(paper, { tenant: afterTenant, id: afterId }) > 0)
      .sort(byName).slice(0, page.limit).map(documentOf));
  }

  onCommitted(listener: (rows: readonly StoredRow[]) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  async trim(upTo: number, rowsMax = TRIM_ROWS, keep: readonly string[] = []): Promise<{ readonly removed: number; readonly more: boolean }> {
    return this.#change(writer => {
      const goal = Math.min(upTo, writer.lowWater - 1, writer.head);
      if (goal <= writer.trimmed) return { removed: 0, more: false };
      const after = writer.trimmed;
      writer.trimmed = Math.min(goal, after + Math.max(rowsMax, 1));
      return { removed: removeStreams(writer, after, writer.trimmed, new Set(keep)), more: writer.trimmed < goal };
    });
  }

  async releaseKeys(keys: readonly string[], upTo: number): Promise<void> {
    await this.#change(writer => { for (const key of keys) takeKey(writer, key, upTo); });
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    this.cut(new OperationalError('LOG_CLOSED', `log \`${this.producer}\` is closed`));
    if (this.#settings.writer.holder === this) this.#settings.writer.leaseUntil = Number.NEGATIVE_INFINITY;
  }

  /** Nothing of this log goes on; its lease runs out by itself. */
  cut(reason: OperationalError): void {
    if (this.#ended !== undefined) return;
    this.#leaveLease();
    this.#ended = reason;
    for (const cut of this.#cuts) cut(reason);
  }

  pause(): void {
    this.#leaveLease();
    this.#isPaused = true;
  }

  #leaveLease(): void {
    const { writer, now, leaseMs } = this.#settings;
    if (this.renews && writer.holder === this) writer.leaseUntil = now() + leaseMs;
  }

  /** One step of the outside world, which a crash may come before. */
  #step<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cut = (reason: OperationalError) => { this.#cuts.delete(cut); reject(reason); };
      this.#cuts.add(cut);
      this.#settings.defer(() => {
        if (!this.#cuts.delete(cut)) return;
        try { resolve(work()); } catch (error) { reject(error); }
      });
    });
  }

  #change<T>(work: (writer: Writer) => T): Promise<T> {
    return this.#step(() => {
      if (this.#ended !== undefined) throw this.#ended;
      if (this.#settings.writer.epoch !== this.epoch) throw (this.#ended = new Fenced(this.producer, this.epoch));
      return work(this.#settings.writer);
    });
  }

  #rows(select: (writer: Writer) => readonly Line[]): Promise<readonly StoredRow[]> {
    const origin = { producer: this.producer, source: this.#settings.source };
    return this.#step(() => select(this.#settings.writer).map(({ text, ...columns }) => readRow(columns, text, origin)));
  }

  /** What the database does in one transaction. */
  #store(unit: Unit): Attempt {
    const { writer, tables, source, fate, now, leaseMs } = this.#settings;
    const appends = unit.appends ?? [];
    const puts = netPuts(unit.documents ?? []);
    if (writer.epoch !== this.epoch) {
      this.#ended = new Fenced(this.producer, this.epoch);
      throw this.#ended;
    }
    this.#refuseConflicts(appends, puts);
    checkRepeats(appends);
    const stamped = stampRows(appends, { producer: this.producer, source }, this.#mark.head, this.#mark.sequence);
    const mark: Mark = {
      head: stamped.head, sequence: stamped.sequence,
      positions: mergePositions(this.#mark.positions, unit.positions), lowWater: Math.max(this.#mark.lowWater, unit.lowWater ?? 0),
    };
    const decided = fate(this.producer, unit);
    if (decided === 'refused') throw new OperationalError('STORE_UNAVAILABLE', 'the database can\'t be reached', { retryable: true });
    const isStored = decided !== 'unknownAbsent';
    if (isStored) {
      writeLines(writer, stamped);
      for (const put of puts) writeDocument(tables.documents, put);
      Object.assign(writer, { positions: mark.positions, lowWater: mark.lowWater, sequence: mark.sequence, leaseUntil: now() + leaseMs });
    }
    const attempt = { unit, rows: stamped.rows, mark, isStored };
    if (decided === 'stored') return attempt;
    this.#pending = attempt;
    this.#unsure = attempt;
    this.#settings.defer(() => this.#settle());
    throw new OperationalError('COMMIT_UNKNOWN', `nobody knows yet whether log \`${this.producer}\` has stored a unit: commit the same unit again`, { retryable: true });
  }

  #refuseConflicts(appends: readonly Append[], puts: readonly NetPut[]): void {
    const { writer, tables } = this.#settings;
    const streams = appends.filter(({ stream, version }) => writer.versions.has(`${stream}/${version}`)).map(({ stream, version }) => ({ stream, version }));
    const keys = appends.flatMap(({ key }) => (key !== undefined && writer.keys.has(key) ? [key] : []));
    const documents = puts.filter(put => put.expected !== undefined && put.expected !== (tables.documents.get(nameOf(put))?.revision ?? 0)).map(nameOf);
    if (streams.length + keys.length + documents.length > 0) throw new VersionConflict(streams.sort(byStream), keys.sort(), documents);
  }

  /** The connection is back: finds out what became of the pending attempt. */
  #settle(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#ended !== undefined) return;
    this.#pending = undefined;
    if (this.#settings.writer.epoch !== this.epoch) this.#ended = new Fenced(this.producer, this.epoch);
    else if (pending.isStored) this.#adopt(pending);
  }

  #adopt({ rows, mark }: Attempt): void {
    this.#mark = mark;
    if (rows.length === 0) return;
    for (const listener of this.#listeners) {
      try { listener(rows); } catch (error) { queueMicrotask(() => { throw error; }); }
    }
  }
}

const documentOf = ({ kind, tenant, id, revision, text }: Paper): StoredDocument => ({ kind, tenant, id, revision, data: JSON.parse(text) as JsonObject });
/** Where the first line from a position on lies. */
function placeOf(lines: readonly Line[], position: number): number {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle]!.position < position) low = middle + 1;
    else high = middle;
  }
  return low;
}
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
/** As the database sorts: by bytes of UTF-8. */
const byBytes = (a: string, b: string): number => (a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b)));
const byName = (a: { tenant: string; id: string }, b: { tenant: string; id: string }): number => byBytes(a.tenant, b.tenant) || byBytes(a.id, b.id);
const byStream = (a: { stream: string; version: number }, b: { stream: string; version: number }): number => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.version - b.version);
