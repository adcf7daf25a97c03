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
  sequence: number;
  readonly lines: Line[];
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
      name, epoch: 0, owner: '', holder: null, leaseUntil: Number.NEGATIVE_INFINITY, positions: {}, lowWater: 0, sequence: 0,
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
    const others = writer.streams.get(line.stream);
    if (others === undefined) writer.streams.set(line.stream, [line]);
    else others.push(line);
    writer.versions.set(`${stream}/${version}`, line);
    if (key !== null) writer.keys.set(key, line);
  });
}

export function writeDocument(documents: Map<string, Paper>, put: NetPut): void {
  const name = nameOf(put);
  if (put.data === null) { documents.delete(name); return; }
  const before = put.fresh ? 0 : documents.get(name)?.revision ?? 0;
  documents.set(name, { kind: put.kind, tenant: put.tenant, id: put.id, revision: before + put.step, text: JSON.stringify(put.data) });
}
