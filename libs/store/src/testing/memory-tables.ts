import type { NetPut } from '../check-unit';
import { nameOf } from '../check-unit';
import type { StampedRows } from '../row-text';
import type { Positions } from '../store';

export interface Line { readonly position: number; readonly tenant: string; readonly stream: string; readonly version: number; readonly key: string | null; readonly text: string }
export interface Paper { readonly kind: string; readonly tenant: string; readonly id: string; readonly revision: number; readonly text: string }

export interface Writer {
  readonly name: string;
  epoch: number;
  owner: string;
  holder: { readonly renews: boolean } | null;
  /** Counts once the holder renews it no more. */
  leaseUntil: number;
  positions: Positions;
  lowWater: number;
  head: number;
  sequence: number;
  /** How far `trim` has gone through it. */
  trimmed: number;
  lines: Line[];
  readonly streams: Map<string, Line[]>;
  readonly versions: Map<string, Line>;
  readonly keys: Map<string, Line>;
}

export const leaseEnds = (writer: Writer): number => (writer.holder?.renews === true ? Number.POSITIVE_INFINITY : writer.leaseUntil);

/** What survives a crash. */
export class MemoryTables {
  readonly #writers = new Map<string, Writer>();
  readonly documents = new Map<string, Paper>();

  writer(name: string): Writer {
    const found = this.#writers.get(name);
    if (found !== undefined) return found;
    const made: Writer = {
      name, epoch: 0, owner: '', holder: null, leaseUntil: Number.NEGATIVE_INFINITY, positions: {}, lowWater: 0, head: 0, sequence: 0, trimmed: 0,
      lines: [], streams: new Map(), versions: new Map(), keys: new Map(),
    };
    this.#writers.set(name, made);
    return made;
  }
}

export function writeLines(writer: Writer, { rows, texts }: StampedRows): void {
  rows.forEach(({ position, tenant, stream, version, key }, i) => {
    const line: Line = { position, tenant, stream, version, key, text: texts[i]! };
    writer.lines.push(line);
    writer.head = position;
    const others = writer.streams.get(line.stream);
    if (others === undefined) writer.streams.set(line.stream, [line]);
    else others.push(line);
    writer.versions.set(`${stream}/${version}`, line);
    if (key !== null) writer.keys.set(key, line);
  });
}

/** @returns how many rows */
export function removeStreams(writer: Writer, after: number, upTo: number, keep: ReadonlySet<string>): number {
  const over = new Set<string>();
  for (const { stream, position } of writer.lines) if (position > after && position <= upTo && !keep.has(stream)) over.add(stream);
  for (const stream of over) if (writer.streams.get(stream)!.some(({ position }) => position > upTo)) over.delete(stream);
  const gone = [...over].flatMap(stream => writer.streams.get(stream)!);
  for (const { stream, version, key } of gone) {
    writer.versions.delete(`${stream}/${version}`);
    if (key !== null) writer.keys.delete(key);
  }
  for (const stream of over) writer.streams.delete(stream);
  if (gone.length > 0) writer.lines = writer.lines.filter(({ stream }) => !over.has(stream));
  return gone.length;
}

export function takeKey(writer: Writer, key: string, upTo: number): void {
  const line = writer.keys.get(key);
  if (line === undefined || line.position > upTo) return;
  writer.keys.delete(key);
  const bare: Line = { ...line, key: null };
  const replace = (lines: Line[]): void => { lines[lines.indexOf(line)] = bare; };
  replace(writer.lines);
  replace(writer.streams.get(line.stream)!);
  writer.versions.set(`${line.stream}/${line.version}`, bare);
}

export function writeDocument(documents: Map<string, Paper>, put: NetPut): void {
  const name = nameOf(put);
  if (put.data === null) { documents.delete(name); return; }
  const before = put.fresh ? 0 : documents.get(name)?.revision ?? 0;
  documents.set(name, { kind: put.kind, tenant: put.tenant, id: put.id, revision: before + put.step, text: JSON.stringify(put.data) });
}
