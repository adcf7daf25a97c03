import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { quoted } from './texts';

/** Keywords that hold schemas by name: a key there is a name, not a keyword. */
const BY_NAME = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
/** Keywords that hold data: nothing in them is a schema. */
const DATA = new Set(['const', 'enum', 'default', 'examples', 'required', 'type', 'dependentRequired']);
/** Text that a reader takes for ours. */
const PROSE = new Set(['title', '$comment', 'examples']);
const FOREIGN_TEXT_CHARS_MAX = 200;
/** More connections than that are not enumerated. */
const ENUMERATED_MAX = 100;

/**
 * A schema as clients get it: without our own keywords, and without `$schema`, which is 2020-12 unless said otherwise and
 * which some clients can't look up. @param isForeign its texts were written by whoever is connected: they are quoted
 */
export function plainSchema(schema: JsonObject, isForeign: boolean): JsonObject {
  const kept: Record<string, Json> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (value === undefined || keyword.startsWith('x-') || keyword === '$schema' || keyword === '$comment') continue;
    if (isForeign && PROSE.has(keyword)) continue;
    if (isForeign && keyword === 'description') { if (typeof value === 'string') kept[keyword] = `Described by the connection as ${quoted(value, FOREIGN_TEXT_CHARS_MAX)}.`; continue; }
    kept[keyword] = DATA.has(keyword) ? value : BY_NAME.has(keyword) && isObject(value) ? eachOf(value, isForeign) : within(value, isForeign);
  }
  return kept;
}

const eachOf = (schemas: JsonObject, isForeign: boolean): JsonObject =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, within(schema ?? true, isForeign)]));

function within(value: Json, isForeign: boolean): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(item => within(item, isForeign));
  return isObject(value) ? plainSchema(value, isForeign) : value;
}

/** @param connections those that the caller may use, by their names, which are letters, digits and `.`, `_`, `-` */
export function inputSchemaOf(schema: JsonObject, isForeign: boolean, connections: readonly string[]): JsonObject {
  const plain: JsonObject = { ...plainSchema(schema, isForeign), type: 'object' };
  const { properties } = plain;
  if (!isObject(properties) || !isObject(properties['connection']) || connections.length === 0 || connections.length > ENUMERATED_MAX) return plain;
  return { ...plain, properties: { ...properties, connection: { ...properties['connection'], type: 'string', enum: [...connections] } } };
}

/** Keywords whose schemas are of the very same value. */
const OF_THE_SAME = ['allOf', 'anyOf', 'oneOf'];

/** Whether a property of this name is declared, also in parts of the schema. */
export function declares(schema: Json | undefined, name: string): boolean {
  if (!isObject(schema)) return false;
  const { properties } = schema;
  return (isObject(properties) && Object.hasOwn(properties, name)) || OF_THE_SAME.some(keyword => { const parts = schema[keyword]; return Array.isArray(parts) && (parts as readonly Json[]).some(part => declares(part, name)); });
}

/** With a further argument that is ours, unless the capability has one of that name. */
export function withArgument(schema: JsonObject, name: string, argument: JsonObject): JsonObject {
  if (declares(schema, name)) return schema;
  const { properties } = schema;
  return { ...schema, properties: { ...(isObject(properties) ? properties : {}), [name]: argument } };
}

/** The member under which an output stands that is no object. */
export const WRAPPED = 'output';
export const isWrapped = (schema: JsonObject): boolean => schema['type'] !== 'object';

/** What a tool answers with is an object in every revision. */
export function outputSchemaOf(schema: JsonObject, isForeign: boolean): JsonObject {
  const plain = plainSchema(schema, isForeign);
  return isWrapped(schema) ? { type: 'object', properties: { [WRAPPED]: plain }, required: [WRAPPED] } : plain;
}
export const structuredOutput = (schema: JsonObject, output: Json): JsonObject => (isWrapped(schema) || !isObject(output) ? { [WRAPPED]: output } : output);

/** What a tool takes, in a line. */
export function parametersOf(schema: JsonObject): string {
  const properties = isObject(schema['properties']) ? Object.entries(schema['properties']) : [];
  const required = Array.isArray(schema['required']) ? (schema['required'] as readonly Json[]) : [];
  if (properties.length === 0) return 'no arguments';
  return properties.map(([name, property]) => {
    const notes = [required.includes(name) ? 'required' : 'optional', ...kindOf(property)];
    return `\`${name}\` (${notes.join(', ')})`;
  }).join(', ');
}

const SHOWN_VALUES_MAX = 20;

function kindOf(property: Json | undefined): string[] {
  if (!isObject(property)) return [];
  const values = property['enum'];
  if (Array.isArray(values)) {
    const shown = (values as readonly Json[]).slice(0, SHOWN_VALUES_MAX).map(value => JSON.stringify(value)).join(' | ');
    return [values.length > SHOWN_VALUES_MAX ? `${shown} | …` : shown];
  }
  return typeof property['type'] === 'string' ? [property['type']] : [];
}
