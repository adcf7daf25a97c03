import { isLiteral, isReference, isSealed, type Sealed } from '@aifirst/contracts';
import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { classOf, schemasOfField, schemasOfItem, SensitiveSchema } from './sensitive-schema';

export type Seal = (sensitivityClass: string, value: Json) => Sealed;

/** The value with every marked part put through `seal`; the very same value when nothing was. */
export function sealMarked(schema: JsonObject, value: Json, holds: 'input' | 'output', seal: Seal): Json {
  const marks = SensitiveSchema.of(schema);
  return marks.marksAny ? walk(marks, [schema], value, holds, seal) : value;
}

/** Would `sealMarked` seal anything? Asked first, as a key costs a row. */
export function holdsMarked(schema: JsonObject, value: Json, holds: 'input' | 'output'): boolean {
  let found = false;
  sealMarked(schema, value, holds, (sensitivityClass) => { found = true; return { $sealed: '', class: sensitivityClass }; });
  return found;
}

function walk(marks: SensitiveSchema, schemas: readonly JsonObject[], value: Json, holds: 'input' | 'output', seal: Seal): Json {
  const expanded = marks.expand(schemas);
  if (expanded.length === 0) return value;
  const sensitivityClass = classOf(expanded);
  if (sensitivityClass !== undefined) return holds === 'output' ? asData(seal(sensitivityClass, value)) : sealInput(sensitivityClass, value, seal);
  if (holds === 'input') {
    if (isReference(value) || isSealed(value)) return value;
    if (isLiteral(value)) {
      // Why: once unwrapped, what a literal holds would be read as references; where some of it must be sealed, its marked parts are, inside.
      const inner = walk(marks, schemas, value.$literal, 'output', seal);
      return inner === value.$literal ? value : { $literal: inner };
    }
  }
  return mapped(value, (item, key) => {
    const next = typeof key === 'number' ? schemasOfItem(expanded, key) : schemasOfField(expanded, key);
    return next.length === 0 ? item : walk(marks, next, item, holds, seal);
  });
}

/** A marked input: whole where it is all there; part by part around what is still to be resolved or sealed already. */
function sealInput(sensitivityClass: string, value: Json, seal: Seal): Json {
  if (isReference(value) || isSealed(value)) return value as Json;
  if (!holdsOpen(value)) return asData(seal(sensitivityClass, unwrapped(value)));
  return mapped(value, item => sealInput(sensitivityClass, item, seal));
}

const holdsOpen = (value: Json): boolean => {
  if (typeof value !== 'object' || value === null || isLiteral(value)) return false;
  return isReference(value) || isSealed(value) || Object.values(value).some(field => holdsOpen(field as Json));
};
const unwrapped = (value: Json): Json => (isLiteral(value) ? value.$literal : mapped(value, unwrapped));
const asData = (sealed: Sealed): Json => sealed as unknown as Json;

/** Each item or field through `change`; the same object when none changed. */
export function mapped(value: Json, change: (item: Json, key: string | number) => Json): Json {
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    const next = items.map((item, index) => change(item, index));
    return next.some((item, index) => item !== items[index]) ? next : items;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value) as [string, Json][];
  const next = entries.map(([key, field]): [string, Json] => [key, change(field, key)]);
  return next.some(([, field], index) => field !== entries[index]![1]) ? Object.fromEntries(next) : value;
}
