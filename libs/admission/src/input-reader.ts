import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { isLiteral, isReference, parseReference, pointerToken, type Reference } from '@aifirst/contracts';
import type { Problems } from './problems';
import { WILDCARD } from './wildcard-schema';

/** What an input holds besides plain values. */
export interface ReadInput {
  /** The input as its schema sees it: `WILDCARD` for each reference, literals unwrapped. The very input when there are none. */
  readonly shown: JsonObject;
  readonly references: readonly Reference[];
  /** Where literals were unwrapped: pointers into `shown`. */
  readonly literals: readonly string[];
}

/** Reads the references of one input and notes those that can't be meant. `base` is the pointer of the input in the body. */
export function readInput(input: JsonObject, base: string, problems: Problems): ReadInput {
  for (const key of ['$ref', '$literal']) {
    if (Object.hasOwn(input, key)) {
      problems.add('INVALID_REFERENCE', `${base}/${key}`, `an input as a whole can't be a \`${key}\`: put it in one of its fields`);
      return { shown: input, references: [], literals: [] };
    }
  }
  const reader = new Reader(base, problems);
  const shown = reader.read(input, '') as JsonObject;
  return { shown, references: reader.references, literals: reader.literals };
}

/** The pointer into the body for one into `shown`. */
export function pointerInBody({ literals }: ReadInput, pointer: string): string {
  const literal = literals.find(place => pointer === place || pointer.startsWith(`${place}/`));
  return literal === undefined ? pointer : `${literal}/$literal${pointer.slice(literal.length)}`;
}

class Reader {
  readonly references: Reference[] = [];
  readonly literals: string[] = [];
  constructor(private readonly base: string, private readonly problems: Problems) {}

  read(value: Json, at: string): Json {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return this.readArray(value as readonly Json[], at);
    const fields = value as JsonObject;
    if (Object.hasOwn(fields, '$ref')) return this.readReference(fields, at);
    if (Object.hasOwn(fields, '$literal')) return this.readLiteral(fields, at);
    if (Object.hasOwn(fields, '$sealed')) { this.reserved(at); return WILDCARD; }
    let changed: [string, Json][] | undefined;
    for (const key of Object.keys(fields)) {
      const before = fields[key]!;
      if (typeof before !== 'object' || before === null) continue;
      const after = this.read(before, `${at}/${pointerToken(key)}`);
      if (after !== before) (changed ??= []).push([key, after]);
    }
    return changed === undefined ? fields : Object.fromEntries([...Object.entries(fields), ...changed]) as JsonObject;
  }

  private readArray(items: readonly Json[], at: string): Json {
    let copy: Json[] | undefined;
    for (let index = 0; index < items.length; index++) {
      const after = this.read(items[index]!, `${at}/${index}`);
      if (after !== items[index]) (copy ??= [...items])[index] = after;
    }
    return copy ?? items;
  }

  private readReference(value: JsonObject, at: string): Json {
    const wrong = (detail: string) => this.problems.add('INVALID_REFERENCE', this.base + at, detail);
    if (!isReference(value)) wrong(typeof value['$ref'] === 'string' ? 'an object with `$ref` has no other key; `{ "$literal": … }` escapes' : 'the value of `$ref` is a string');
    else {
      const parts = parseReference(value.$ref);
      if (parts === undefined) wrong('the form of a reference is `#/steps/<id>/output<JSON Pointer>`');
      else this.references.push({ ...parts, at });
    }
    return WILDCARD;
  }

  private readLiteral(value: JsonObject, at: string): Json {
    if (!isLiteral(value)) {
      this.problems.add('INVALID_REFERENCE', this.base + at, 'an object with `$literal` has no other key');
      return WILDCARD;
    }
    if (holdsSealed(value.$literal)) this.reserved(at);
    this.literals.push(at);
    return value.$literal;
  }

  /** Why: what looks sealed is passed on unread and unsealed by adapters; only the vault may make it. */
  private reserved(at: string): void { this.problems.add('INVALID_INPUT', this.base + at, 'the key `$sealed` is reserved'); }
}

function holdsSealed(value: Json): boolean {
  if (Array.isArray(value)) return (value as readonly Json[]).some(holdsSealed);
  return isObject(value) && (Object.hasOwn(value, '$sealed') || Object.values(value).some(field => field !== undefined && holdsSealed(field)));
}
