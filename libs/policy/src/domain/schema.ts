import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { isObject } from '@aifirst/kernel';
import type { CedarSchema } from './cedar-engine';
import { groupsOf, prefixGroupsOf, REVERSIBILITIES, ROLLBACK } from './entity-names';

/**
 * How a value of an input is typed. `open` can't be typed: a JSON number may be a Long or a String, a property that is not
 * declared anything. Policies that look there are checked in all else, and fail (deny) if they guess wrong.
 */
export type InputType =
  | { readonly kind: 'string' | 'long' | 'boolean' | 'array' | 'sealed' | 'open' }
  | { readonly kind: 'record'; readonly attributes: Readonly<Record<string, { readonly type: InputType; readonly required: boolean }>>; readonly open: boolean };

const DEPTH_MAX = 16;
const OPEN: InputType = { kind: 'open' };

/** JSON Schema → what the projection makes of values that fit it. */
export function inputTypeOf(schema: unknown, root: unknown = schema, depth = 0): InputType {
  if (!isObject(schema) || depth > DEPTH_MAX) return OPEN;
  if (schema['x-sensitive'] !== undefined) return { kind: 'sealed' };
  if (typeof schema['$ref'] === 'string') return inputTypeOf(resolveLocal(schema['$ref'], root), root, depth + 1);
  const variants = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(variants)) return commonType(variants.map(variant => inputTypeOf(variant, root, depth + 1)));
  if (schema['allOf'] !== undefined) return OPEN;
  if (schema['type'] === undefined && Array.isArray(schema['enum'])) return commonType(schema['enum'].map(typeOfConstant));
  if (schema['type'] === undefined && schema['const'] !== undefined) return typeOfConstant(schema['const']);
  const types = (Array.isArray(schema['type']) ? schema['type'] : [schema['type']]).filter(type => type !== 'null');
  return types.length === 1 ? typeNamed(String(types[0]), schema, root, depth) : OPEN;
}

function typeNamed(type: string, schema: JsonObject, root: unknown, depth: number): InputType {
  switch (type) {
    case 'string': return { kind: 'string' };
    case 'integer': return { kind: 'long' };
    case 'boolean': return { kind: 'boolean' };
    case 'array': return { kind: 'array' };
    case 'object': return recordType(schema, root, depth);
    default: return OPEN;
  }
}

function recordType(schema: JsonObject, root: unknown, depth: number): InputType {
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
  const properties = Object.entries(isObject(schema['properties']) ? schema['properties'] : {});
  const attributes = Object.fromEntries(properties.map(([name, property]) =>
    [name, { type: inputTypeOf(property, root, depth + 1), required: required.has(name) && !mayBeNull(property) }]));
  return { kind: 'record', attributes, open: schema['additionalProperties'] !== false && schema['unevaluatedProperties'] !== false };
}

const mayBeNull = (schema: unknown): boolean =>
  isObject(schema) && schema['x-sensitive'] === undefined && (!['string', 'undefined'].includes(typeof schema['type'])
    || schema['type'] === 'null' || schema['nullable'] === true || schema['anyOf'] !== undefined || schema['oneOf'] !== undefined
    || schema['$ref'] !== undefined || (Array.isArray(schema['enum']) && schema['enum'].includes(null)));

function typeOfConstant(value: unknown): InputType {
  if (typeof value === 'string') return { kind: 'string' };
  if (typeof value === 'boolean') return { kind: 'boolean' };
  return Number.isSafeInteger(value) ? { kind: 'long' } : OPEN;
}

function commonType(types: readonly InputType[]): InputType {
  const [first] = types;
  return first !== undefined && first.kind !== 'record' && types.every(type => type.kind === first.kind) ? first : OPEN;
}

function resolveLocal(reference: string, root: unknown): unknown {
  if (!reference.startsWith('#')) return undefined;
  return reference.slice(1).split('/').slice(1).reduce<unknown>((at, part) =>
    (isObject(at) ? at[part.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined), root);
}

/** Does this path lead to where nothing is known of types? */
export function isOpen(type: InputType, path: readonly string[]): boolean {
  if (type.kind === 'open') return true;
  const [name, ...rest] = path;
  if (name === undefined || type.kind !== 'record') return false;
  const attribute = Object.hasOwn(type.attributes, name) ? type.attributes[name] : undefined;
  return attribute === undefined ? type.open : isOpen(attribute.type, rest);
}

type CedarType = Readonly<Record<string, unknown>>;
const STRING: CedarType = { type: 'String' };
const LONG: CedarType = { type: 'Long' };
const STRINGS: CedarType = { type: 'Set', element: STRING };
const record = (attributes: Readonly<Record<string, CedarType>>): CedarType => ({ type: 'Record', attributes });

function cedarType(type: InputType): CedarType | null {
  switch (type.kind) {
    case 'string': return STRING;
    case 'long': return LONG;
    case 'boolean': return { type: 'Boolean' };
    case 'array': return record({ count: LONG, items: STRINGS });
    case 'sealed': return record({ sealed: { type: 'Boolean' }, class: STRING });
    case 'open': return null;
    case 'record': return record(Object.fromEntries(Object.entries(type.attributes).flatMap(([name, attribute]) => {
      const inner = name.startsWith('__') ? null : cedarType(attribute.type);
      return inner === null ? [] : [[name, { ...inner, required: attribute.required }]];
    })));
  }
}

/** `time` is Unix time in milliseconds; `chain` the principals whose authority counts, the asking one last. */
const contextType = (input: CedarType): CedarType => record({
  input, resources: STRINGS, risk: record({ level: STRING, score: LONG }), tenant: STRING, time: LONG,
  workflow: record({ steps: LONG, capabilities: STRINGS, resources: STRINGS }), chain: STRINGS,
});

export interface TenantNames { readonly roles: readonly string[]; readonly connections: readonly string[] }

/**
 * Cedar's schema in its JSON form: an action per capability (its input typed by its own schema), in the groups of its
 * prefixes and its reversibility. Names of the tenant's roles and connections stand in annotations: a policy may name one
 * that comes later.
 */
export function schemaOf(capabilities: readonly CapabilityDescriptor[], names: TenantNames): CedarSchema {
  const appliesTo = (input: CedarType) => ({ principalTypes: ['Agent', 'Person'], resourceTypes: ['Connection'], context: contextType(input) });
  const groups = new Set<string>([...REVERSIBILITIES, ...capabilities.flatMap(({ name }) => prefixGroupsOf(name))]);
  const actions: Record<string, unknown> = {};
  for (const group of [...groups].sort()) actions[group] = {};
  for (const capability of capabilities) {
    actions[capability.name] = {
      memberOf: groupsOf(capability.name, capability.reversibility).map(id => ({ id })),
      appliesTo: appliesTo(cedarType(inputTypeOf(capability.inputSchema)) ?? record({})),
    };
  }
  actions[ROLLBACK] = { appliesTo: appliesTo(record({})) };
  const known = (list: readonly string[]) => (list.length === 0 ? {} : { annotations: { known: [...list].sort().join(', ') } });
  return {
    AiFirst: {
      entityTypes: {
        Tenant: {}, Role: known(names.roles), Connection: known(names.connections),
        Agent: { memberOfTypes: ['Role', 'Tenant'] }, Person: { memberOfTypes: ['Role', 'Tenant'] },
      },
      actions,
    },
  };
}
