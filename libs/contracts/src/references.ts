import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { isSealed, type Sealed } from './capability';

/** `{ "$ref": "#/steps/<id>/output<JSON Pointer>" }`: the pointer is RFC 6901 text as it stands, without percent-encoding. */
export interface Reference {
  /** The step whose output is meant. */
  readonly step: string;
  /** Into that output; empty for the whole of it. */
  readonly pointer: string;
  /** Where the reference stands, as a pointer into the input. */
  readonly at: string;
}

export interface Unresolved { readonly ok: false; readonly code: 'REFERENCE_UNRESOLVED'; readonly detail: string; /** Into the input. */ readonly pointer: string }
export type Resolution = { readonly ok: true; readonly value: JsonObject } | Unresolved;

const FORM = /^#\/steps\/([A-Za-z0-9_-]{1,64})\/output((?:\/(?:[^~/]|~[01])*)*)$/;

/** The parts of a `$ref`'s text, or undefined when it has another form. */
export function parseReference(text: string): { readonly step: string; readonly pointer: string } | undefined {
  const found = FORM.exec(text);
  return found === null ? undefined : { step: found[1]!, pointer: found[2]! };
}

/** One reference token of a JSON Pointer, escaped (RFC 6901). */
export const pointerToken = (key: string): string => (key.includes('~') || key.includes('/') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key);
const tokensOf = (pointer: string): string[] =>
  pointer === '' ? [] : pointer.slice(1).split('/').map(token => token.replaceAll('~1', '/').replaceAll('~0', '~'));

const standsAlone = (value: JsonObject, key: string): boolean => {
  if (!Object.hasOwn(value, key)) return false;
  for (const other in value) if (other !== key) return false;
  return true;
};
export const isReference = (value: unknown): value is { readonly $ref: string } =>
  isObject(value) && typeof value['$ref'] === 'string' && standsAlone(value, '$ref');
export const isLiteral = (value: unknown): value is { readonly $literal: Json } => isObject(value) && standsAlone(value, '$literal');

/** Every well-formed reference in an input, in the order in which they stand. What is inside `$literal` or sealed is no reference. */
export function referencesOf(input: Json): readonly Reference[] {
  const found: Reference[] = [];
  collect(input, '', found);
  return found;
}

function collect(value: Json, at: string, found: Reference[]): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) { value.forEach((item: Json, index) => collect(item, `${at}/${index}`, found)); return; }
  if (isReference(value)) {
    const parts = parseReference(value.$ref);
    if (parts !== undefined) found.push({ ...parts, at });
    return;
  }
  if (isLiteral(value) || isSealed(value)) return;
  const fields = value as JsonObject;
  for (const key of Object.keys(fields)) collect(fields[key]!, `${at}/${pointerToken(key)}`, found);
}

/**
 * The input with every `{ $ref }` replaced by what it names and every `{ $literal: x }` by x. What was put in is not looked
 * at again: a `$ref` inside an output or a literal is data. A reference into a sealed value gives that sealed value with
 * `pointer` set (behind the one it may have), for whoever unseals it. The input is not changed; parts without references are shared.
 * @param outputOf the output of a step that succeeded, else undefined
 */
export function resolveInput(input: JsonObject, outputOf: (stepId: string) => Json | undefined): Resolution {
  const resolved = resolve(input, '', outputOf);
  return resolved instanceof Failure ? resolved.unresolved : { ok: true, value: resolved as JsonObject };
}

/** A class of its own, so that no value of an agent can be mistaken for it. */
class Failure { constructor(readonly unresolved: Unresolved) {} }

function resolve(value: Json, at: string, outputOf: (stepId: string) => Json | undefined): Json | Failure {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    let changed = false;
    const items: Json[] = [];
    for (let index = 0; index < value.length; index++) {
      const item = resolve(value[index] as Json, `${at}/${index}`, outputOf);
      if (item instanceof Failure) return item;
      changed ||= item !== value[index];
      items.push(item);
    }
    return changed ? items : value;
  }
  if (isReference(value)) return follow(value.$ref, at, outputOf);
  if (isLiteral(value)) return value.$literal;
  if (isSealed(value)) return value;
  const fields = value as JsonObject;
  let changed = false;
  const entries: [string, Json][] = [];
  for (const key of Object.keys(fields)) {
    const field = resolve(fields[key]!, `${at}/${pointerToken(key)}`, outputOf);
    if (field instanceof Failure) return field;
    changed ||= field !== fields[key];
    entries.push([key, field]);
  }
  // Why: fromEntries defines each key, so that none of them can reach a prototype.
  return changed ? Object.fromEntries(entries) : value;
}

function follow(text: string, at: string, outputOf: (stepId: string) => Json | undefined): Json | Failure {
  const failure = (why: string) => new Failure({ ok: false, code: 'REFERENCE_UNRESOLVED', detail: `\`${text}\` ${why}`, pointer: at });
  const parts = parseReference(text);
  if (parts === undefined) return failure('is not of the form `#/steps/<id>/output<JSON Pointer>`');
  const output = outputOf(parts.step);
  if (output === undefined) return failure(`leads nowhere: step \`${parts.step}\` has no output`);
  const found = valueAt(output, parts.pointer);
  return found === undefined ? failure('leads nowhere in that output') : found;
}

const INDEX = /^(?:0|[1-9][0-9]*)$/;

/** What a JSON Pointer names, or undefined. Own fields and strict array indices only; stops at a sealed value, with the rest in its `pointer`. */
export function valueAt(value: Json, pointer: string): Json | undefined {
  const tokens = tokensOf(pointer);
  let here: Json | undefined = value;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (isSealed(here)) return into(here, `/${tokens.slice(i).map(pointerToken).join('/')}`);
    if (Array.isArray(here)) here = INDEX.test(token) ? (here[Number(token)] as Json | undefined) : undefined;
    else here = isObject(here) && Object.hasOwn(here, token) ? here[token] : undefined;
    if (here === undefined) return undefined;
  }
  return here;
}

const into = (sealed: Sealed, rest: string): JsonObject => ({ $sealed: sealed.$sealed, class: sealed.class, pointer: `${sealed.pointer ?? ''}${rest}` });
