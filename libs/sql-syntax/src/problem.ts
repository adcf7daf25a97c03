import type { KindOfProblem, NamedObject, SqlProblemKind } from './statement';

/** Thrown inside the gate only: its door hands it back as a value. `at` counts bytes of UTF-8, as the tree does. */
export class Refused extends Error {
  constructor(readonly kind: SqlProblemKind, readonly detail: string, readonly at: number | null) { super(detail); }
}

export const problem = (kind: SqlProblemKind, detail: string, offset: number | null = null): KindOfProblem => ({ kind, detail, offset });

/** A name for a message: bounded, and nothing in it that a log or a terminal would act on. */
export const shown = (name: string): string => `\`${name.replace(/[\p{C}\p{Zl}\p{Zp}`]/gu, '?').slice(0, 128)}\``;

export const shownObject = ({ schema, name }: NamedObject): string => shown(schema === null ? name : `${schema}.${name}`);

/** Bytes of UTF-8 to UTF-16 units. */
export function unitsOfBytes(text: string, bytes: number): number {
  let units = 0;
  for (let seen = 0; units < text.length && seen < bytes;) {
    const point = text.codePointAt(units) ?? 0;
    seen += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    units += point < 0x10000 ? 1 : 2;
  }
  return units;
}

/** Code points to UTF-16 units. */
export function unitsOfCharacters(text: string, characters: number): number {
  let units = 0;
  for (let seen = 0; units < text.length && seen < characters; seen++) units += (text.codePointAt(units) ?? 0) < 0x10000 ? 1 : 2;
  return units;
}
