import { refuseParameter } from './problem';
import type { QueryParameter } from './route';

export const LIMIT_DEFAULT = 50;
export const LIMIT_MAX = 200;

export const PAGE_QUERY: Readonly<Record<string, QueryParameter>> = {
  limit: { description: `how many at most, ${LIMIT_DEFAULT} unless given`, schema: { type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT } },
  cursor: { description: '`next` of the page before', schema: { type: 'string' } },
};

type Query = Readonly<Record<string, string>>;

export const limitOf = (query: Query): number => integerOf(query, 'limit', 1, LIMIT_MAX) ?? LIMIT_DEFAULT;

/** @throws Refusal INVALID_FIELD */
export function integerOf(query: Query, name: string, min: number, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  const value = /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) throw refuseParameter(name, max === Number.MAX_SAFE_INTEGER ? `is a whole number from ${min}` : `is a whole number from ${min} to ${max}`);
  return value;
}

/** RFC 3339, as ISO text in UTC. @throws Refusal INVALID_FIELD */
export function timeOf(query: Query, name: string): string | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) throw refuseParameter(name, 'is a date or a time of RFC 3339');
  return new Date(at).toISOString();
}

/** An opaque place in a list: the key of the last item that was shown. */
export const cursorOf = (place: unknown): string => Buffer.from(JSON.stringify(place)).toString('base64url');

/** @throws Refusal INVALID_FIELD */
export function placeOf<T>(query: Query, isPlace: (value: unknown) => value is T): T | undefined {
  const text = query['cursor'];
  if (text === undefined) return undefined;
  let place: unknown;
  try { place = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')); } catch { place = undefined; }
  if (!isPlace(place)) throw refuseParameter('cursor', 'is the `next` of a page before');
  return place;
}
export const isText = (value: unknown): value is string => typeof value === 'string';

export interface Page<T> { readonly items: readonly T[]; readonly next: string | null }

/** One page of a list that is in memory, ordered by its keys. */
export function pageOf<T>(items: readonly T[], keyOf: (item: T) => string, query: Query): Page<T> {
  const limit = limitOf(query);
  const after = placeOf(query, isText);
  const rest = after === undefined ? items : items.filter(item => keyOf(item) > after);
  return cut(rest, limit, item => keyOf(item));
}

/** @param items one more than `limit` where there is more */
export function cut<T>(items: readonly T[], limit: number, placeAfter: (item: T) => unknown): Page<T> {
  const shown = items.slice(0, limit);
  return { items: shown, next: items.length > limit ? cursorOf(placeAfter(shown[shown.length - 1]!)) : null };
}

/** One page of an owner's list, filtered here: asks on until the page is full or there is no more. */
export async function filteredPage<T>(ask: (limit: number, after: string | undefined) => Promise<readonly T[]>, keyOf: (item: T) => string, keep: (item: T) => boolean, query: Query): Promise<Page<T>> {
  const limit = limitOf(query);
  let after = placeOf(query, isText);
  const kept: T[] = [];
  for (;;) {
    const items = await ask(LIMIT_MAX, after);
    kept.push(...items.filter(keep));
    if (items.length < LIMIT_MAX || kept.length > limit) return cut(kept, limit, keyOf);
    after = keyOf(items[items.length - 1]!);
  }
}
