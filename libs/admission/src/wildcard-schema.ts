import { isObject, type Json, type JsonObject } from '@aifirst/kernel';

/** Stands in an input where a reference stood: any value may come there. Known by identity, so that no agent's value is taken for it. */
export const WILDCARD: JsonObject = Object.freeze({});

/** Keywords of ours in the schema made here: `data === WILDCARD`, and "no wildcard anywhere in data". */
export const IS_WILDCARD = 'x-is-wildcard';
export const IS_GROUND = 'x-is-ground';

export const isGround = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return true;
  if (value === WILDCARD) return false;
  for (const key in value) if (!isGround((value as Record<string, unknown>)[key])) return false;
  return true;
};

const MANY = ['allOf', 'anyOf', 'prefixItems'] as const;
const ONE = ['items', 'additionalProperties', 'additionalItems'] as const;
const NAMED = ['properties', 'patternProperties', 'dependentSchemas', 'dependencies'] as const;
/** Keywords that a wildcard could fail although a value in its place would pass. Where no wildcard is inside they hold as they are. */
const EXACT_ONLY = ['not', 'oneOf', 'if', 'then', 'else', 'const', 'enum', 'uniqueItems', 'contains', 'minContains', 'maxContains', 'unevaluatedProperties', 'unevaluatedItems'] as const;
/** Keywords by which a schema refers to others in ways not followed here: such a part is checked when resolved only. */
const NOT_FOLLOWED = ['$dynamicRef', '$recursiveRef', '$id', '$anchor', '$dynamicAnchor'] as const;

/**
 * A schema that takes a value with wildcards exactly if something could stand in their place that the original might take
 * (it may be too kind where `oneOf`, `not` and the like meet a wildcard, never too strict), and any other value exactly as the original.
 */
export function withWildcards(original: JsonObject): JsonObject {
  const definitions: Record<string, Json> = {};
  const names = new Map<string, string>();
  /** Every schema that a local `$ref` names gets a definition of its own, as wrapping moves what pointers lead to. */
  const definitionOf = (reference: string): Json => {
    const target = reference === '#' ? original : reference.startsWith('#/') ? lookUp(original, reference.slice(2)) : undefined;
    if (target === undefined || (isObject(target) && target['$id'] !== undefined)) return true;
    let name = names.get(reference);
    if (name === undefined) {
      name = `d${names.size}`;
      names.set(reference, name); // Why: before its own turn, so that a schema that refers to itself ends.
      definitions[name] = open(target);
    }
    return { $ref: `#/$defs/${name}` };
  };

  const within = (schema: JsonObject, inner: (part: Json) => Json): JsonObject => {
    const copy: Record<string, Json | undefined> = { ...schema };
    delete copy['$defs']; delete copy['definitions']; delete copy['$schema']; delete copy['$id'];
    for (const key of [...MANY, 'oneOf']) if (Array.isArray(schema[key])) copy[key] = (schema[key] as readonly Json[]).map(inner);
    for (const key of [...ONE, 'not', 'if', 'then', 'else', 'contains', 'unevaluatedProperties', 'unevaluatedItems']) if (schema[key] !== undefined && !Array.isArray(schema[key])) copy[key] = inner(schema[key]!);
    for (const key of NAMED) if (isObject(schema[key])) copy[key] = Object.fromEntries(Object.entries(schema[key]).map(([name, part]) => [name, inner(part!)]));
    if (typeof schema['$ref'] === 'string') {
      delete copy['$ref'];
      copy['allOf'] = [...((copy['allOf'] as Json[] | undefined) ?? []), definitionOf(schema['$ref'])];
    }
    return copy;
  };

  const exact = (schema: Json): Json => (isObject(schema) ? within(schema, exact) : schema);

  const lenient = (schema: JsonObject): JsonObject => {
    const copy: Record<string, Json | undefined> = within(schema, open);
    for (const key of EXACT_ONLY) delete copy[key];
    const branches: Json[] = [];
    if (Array.isArray(schema['oneOf'])) branches.push({ anyOf: (schema['oneOf'] as readonly Json[]).map(open) });
    if (schema['if'] !== undefined) branches.push({ anyOf: [open(schema['then'] ?? true), open(schema['else'] ?? true)] });
    if (branches.length > 0) copy['allOf'] = [...((copy['allOf'] as Json[] | undefined) ?? []), ...branches];
    return copy;
  };

  const open = (schema: Json): Json => {
    if (!isObject(schema)) return schema;
    if (NOT_FOLLOWED.some(key => schema[key] !== undefined && schema !== original)) return true;
    const inner = EXACT_ONLY.some(key => schema[key] !== undefined)
      ? { if: { [IS_GROUND]: true }, then: exact(schema), else: lenient(schema) }
      : within(schema, open);
    return { if: { [IS_WILDCARD]: true }, else: inner };
  };

  const root = open(original) as JsonObject;
  return { ...root, $defs: definitions };
}

function lookUp(schema: JsonObject, pointer: string): Json | undefined {
  let here: Json | undefined = schema;
  for (const token of pointer.split('/')) {
    const key = decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, Json>)[key];
  }
  return here;
}
