import { InvariantViolation, OperationalError, invariant, isObject } from '@aifirst/kernel';
import type { JsonObject } from '@aifirst/kernel';
import { VersionConflict } from './store';
import type { Append, DocumentPut, Positions, Unit } from './store';

/** Positions that `trim` goes through at a time. */
export const TRIM_ROWS = 5_000;
/** Bytes of UTF-8 that an index entry takes without trouble (PostgreSQL's B-tree stops at 2,704). */
const INDEXED_BYTES_MAX = 2_000;
const HEX_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** With the `u` flag a surrogate matches only where it has no partner. */
const UNSTORABLE = /[\0\ud800-\udfff]/u;
/** `*` stands for every tenant in row-level security, and `/` parts tenant from id in a page's cursor. */
const TENANT = /^[^/*\0\ud800-\udfff]+$/u;

/**
 * Refuses what a text column would damage or an index reject. Event data and state are not looked at: JSON escapes lone
 * surrogates and NUL, so they come back as they were.
 * @throws OperationalError `NOT_STORABLE`
 */
export function checkUnit(unit: Unit): void {
  let knownTenant: string | undefined;
  for (const append of unit.appends ?? []) {
    if (append.tenant !== knownTenant) { checkTenant(append.tenant); knownTenant = append.tenant; }
    if (append.key !== undefined) checkText('key', append.key);
    invariant(HEX_UUID.test(append.stream), `stream \`${append.stream}\` is not a UUID in lower case`);
    invariant(isCount(append.version), `version of \`${append.stream}\` is not a whole number from 0`);
  }
  for (const put of unit.documents ?? []) {
    checkTenant(put.tenant);
    checkText('kind', put.kind);
    checkText('id', put.id);
    if ((put.kind.length + put.tenant.length + put.id.length) * 3 > INDEXED_BYTES_MAX) checkLength('name of a document', put.kind + put.tenant + put.id);
    invariant(put.expectedRevision === undefined || isCount(put.expectedRevision), `expected revision of \`${nameOf(put)}\` is not a whole number from 0`);
    invariant(put.data === null || isObject(put.data), `document \`${nameOf(put)}\` is no object`);
  }
  for (const [source, position] of Object.entries(unit.positions ?? {})) {
    if (UNSTORABLE.test(source) || !isCount(position)) throw new InvariantViolation('a position is not a whole number from 0 of a named source');
  }
  invariant(unit.lowWater === undefined || isCount(unit.lowWater), 'the low-water mark is not a whole number from 0');
}

/** Twice the same row or key in one unit: no conflict with anybody else, so a bug. */
export function checkRepeats(appends: readonly Append[]): void {
  const seen = new Set<string>();
  for (const { stream, version, key } of appends) {
    for (const name of key === undefined ? [`${stream}/${version}`] : [`${stream}/${version}`, `key ${key}`]) {
      invariant(!seen.has(name), `a unit holds \`${stream}/${version}\` or its key twice`);
      seen.add(name);
    }
  }
}

export const nameOf = (document: Pick<DocumentPut, 'kind' | 'tenant' | 'id'>): string => `${document.kind}/${document.tenant}/${document.id}`;

/** The net effect of all puts of one document in a unit. */
export interface NetPut {
  readonly kind: string; readonly tenant: string; readonly id: string;
  /** What must be there before; undefined = whatever. */
  readonly expected: number | undefined;
  /** The revision is the one before plus this; counted from 0 where `fresh`. */
  readonly step: number;
  /** It was deleted on the way, so revisions start again. */
  readonly fresh: boolean;
  readonly data: JsonObject | null;
}

/**
 * Units are made of many callers' wishes, so one document may be put several times: the later one counts, as if each had
 * been stored by itself.
 */
export function netPuts(puts: readonly DocumentPut[]): readonly NetPut[] {
  const net = new Map<string, NetPut>();
  for (const put of puts) {
    const name = nameOf(put);
    const before = net.get(name);
    const after: NetPut = {
      kind: put.kind, tenant: put.tenant, id: put.id, data: put.data,
      expected: before === undefined ? put.expectedRevision : before.expected,
      step: put.data === null ? 0 : (before?.step ?? 0) + 1,
      fresh: put.data === null || (before?.fresh ?? false),
    };
    if (before !== undefined && put.expectedRevision !== undefined) {
      const revision = before.fresh ? before.step : before.expected === undefined ? undefined : before.expected + before.step;
      invariant(revision !== undefined, `a unit expects a revision of \`${name}\` after a put that expects none`);
      if (revision !== put.expectedRevision) throw new VersionConflict([], [], [name]);
    }
    net.set(name, after);
  }
  return [...net.values()];
}

export function mergePositions(before: Positions, more: Positions | undefined): Positions {
  return more === undefined ? before : { ...before, ...more };
}

function checkTenant(tenant: string): void {
  if (!TENANT.test(tenant)) throw new OperationalError('NOT_STORABLE', 'a tenant is empty or holds `/`, `*`, NUL or half a surrogate pair');
}

function checkText(what: string, text: string): void {
  if (UNSTORABLE.test(text)) throw new OperationalError('NOT_STORABLE', `a ${what} holds NUL or half a surrogate pair`);
  if (text.length * 3 > INDEXED_BYTES_MAX) checkLength(what, text);
}

function checkLength(what: string, text: string): void {
  if (Buffer.byteLength(text) > INDEXED_BYTES_MAX) throw new OperationalError('NOT_STORABLE', `a ${what} is longer than ${INDEXED_BYTES_MAX} bytes`);
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
