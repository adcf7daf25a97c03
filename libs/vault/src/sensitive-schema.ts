import { isObject, type Json, type JsonObject } from '@aifirst/kernel';

/** Schemas that apply to the same value as the one that holds them. Which of them holds is not asked: marked by one is marked. */
const SAME_VALUE_MANY = ['allOf', 'anyOf', 'oneOf'] as const;
const SAME_VALUE_ONE = ['if', 'then', 'else'] as const;
const ITEMS = ['items', 'contains', 'unevaluatedItems'] as const;

/**
 * Where a schema marks values `x-sensitive`. It errs towards sealing: every branch counts, and so does a mark on what a local
 * `$ref` names. `not` marks nothing.
 */
export class SensitiveSchema {
  static readonly #known = new WeakMap<JsonObject, SensitiveSchema>();
  readonly marksAny: boolean;
  readonly #expanded = new WeakMap<JsonObject, readonly JsonObject[]>();
  readonly #reaching = new WeakMap<JsonObject, boolean>();

  static of(root: JsonObject): SensitiveSchema {
    let schema = this.#known.get(root);
    if (schema === undefined) this.#known.set(root, schema = new SensitiveSchema(root));
    return schema;
  }

  private constructor(private readonly root: JsonObject) { this.marksAny = mentions(root, key => key === 'x-sensitive'); }

  /** All schemas that apply to a value to which these apply, without those beneath which nothing is marked. */
  expand(schemas: readonly JsonObject[]): readonly JsonObject[] {
    return schemas.length === 1 ? this.#expandOne(schemas[0]!) : [...new Set(schemas.flatMap(schema => this.#expandOne(schema)))];
  }

  #expandOne(schema: JsonObject): readonly JsonObject[] {
    let all = this.#expanded.get(schema);
    if (all === undefined) {
      const found = new Set<JsonObject>();
      this.#gather(schema, found);
      this.#expanded.set(schema, all = [...found].filter(one => this.#reaches(one)));
    }
    return all;
  }

  #gather(schema: Json | undefined, found: Set<JsonObject>): void {
    if (!isObject(schema) || found.has(schema)) return;
    found.add(schema);
    for (const key of SAME_VALUE_MANY) if (Array.isArray(schema[key])) for (const part of schema[key] as readonly Json[]) this.#gather(part, found);
    for (const key of SAME_VALUE_ONE) this.#gather(schema[key], found);
    for (const key of ['dependentSchemas', 'dependencies']) if (isObject(schema[key])) for (const part of Object.values(schema[key])) this.#gather(part, found);
    if (typeof schema['$ref'] === 'string') this.#gather(this.#target(schema['$ref']), found);
  }

  #target(reference: string): Json | undefined {
    if (reference === '#') return this.root;
    if (!reference.startsWith('#/')) return undefined;
    let here: Json | undefined = this.root;
    for (const token of reference.slice(2).split('/')) {
      if (typeof here !== 'object' || here === null) return undefined;
      here = (here as Record<string, Json | undefined>)[decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~')];
    }
    return here;
  }

  #reaches(schema: JsonObject): boolean {
    let reaches = this.#reaching.get(schema);
    if (reaches === undefined) this.#reaching.set(schema, reaches = mentions(schema, key => key === 'x-sensitive' || key === '$ref'));
    return reaches;
  }
}

/** The class of a value to which these expanded schemas apply, or undefined when it is not marked itself. */
export function classOf(expanded: readonly JsonObject[]): string | undefined {
  for (const schema of expanded) {
    const mark = schema['x-sensitive'];
    if (typeof mark === 'string') return mark;
    if (mark !== undefined && mark !== false) return 'sensitive';
  }
  return undefined;
}

/** The schemas of the field `key` under expanded schemas. */
export function schemasOfField(expanded: readonly JsonObject[], key: string): readonly JsonObject[] {
  const found: JsonObject[] = [];
  for (const schema of expanded) {
    let named = false;
    const take = (part: Json | undefined) => { if (part !== undefined) named = true; if (isObject(part)) found.push(part); };
    const { properties, patternProperties } = schema;
    if (isObject(properties) && Object.hasOwn(properties, key)) take(properties[key]);
    if (isObject(patternProperties)) for (const [pattern, part] of Object.entries(patternProperties)) if (new RegExp(pattern, 'u').test(key)) take(part);
    if (!named) take(schema['additionalProperties']);
    if (isObject(schema['unevaluatedProperties'])) found.push(schema['unevaluatedProperties']);
  }
  return found;
}

/** The schemas of the item at `index` under expanded schemas. */
export function schemasOfItem(expanded: readonly JsonObject[], index: number): readonly JsonObject[] {
  const found: JsonObject[] = [];
  for (const schema of expanded) {
    const placed = Array.isArray(schema['prefixItems']) ? (schema['prefixItems'] as readonly Json[])[index] : undefined;
    if (isObject(placed)) found.push(placed);
    for (const key of ITEMS) {
      const part = schema[key];
      if (isObject(part) && (placed === undefined || key === 'contains')) found.push(part);
    }
  }
  return found;
}

function mentions(value: Json | undefined, wanted: (key: string) => boolean): boolean {
  if (Array.isArray(value)) return (value as readonly Json[]).some(item => mentions(item, wanted));
  return isObject(value) && Object.entries(value).some(([key, field]) => wanted(key) || mentions(field, wanted));
}
