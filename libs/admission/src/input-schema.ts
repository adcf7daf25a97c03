import Ajv2020, { type ErrorObject, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { isObject, OperationalError, messageOf, type JsonObject } from '@aifirst/kernel';
import { pointerToken, type CapabilityDescriptor } from '@aifirst/contracts';
import { pathProblem } from './path-grammar';
import { IS_GROUND, IS_WILDCARD, isGround, WILDCARD, withWildcards } from './wildcard-schema';

export interface InputProblem { readonly code: 'INVALID_INPUT' | 'UNKNOWN_FIELD' | 'INVALID_PATH'; /** Into the input. */ readonly pointer: string; readonly detail: string }

const ajv = addFormats(new Ajv2020({ allErrors: true, strict: false, logger: false }));
ajv.addKeyword({ keyword: IS_WILDCARD, schema: false, errors: false, validate: (data: unknown) => data === WILDCARD });
ajv.addKeyword({ keyword: IS_GROUND, schema: false, errors: false, validate: isGround });
ajv.addKeyword({ keyword: 'x-sensitive', schemaType: 'string' });
ajv.addKeyword({ keyword: 'x-sql', schemaType: 'string' });
ajv.addKeyword({
  keyword: 'x-path', schemaType: 'boolean', type: 'string', errors: true,
  validate: function path(marked: boolean, data: string): boolean {
    const why = marked ? pathProblem(data) : undefined;
    (path as { errors?: Partial<ErrorObject>[] }).errors = why === undefined ? [] : [{ keyword: 'x-path', message: `the path ${why}`, params: {} }];
    return why === undefined;
  },
});

interface Checks { readonly plain: ValidateFunction; /** Made when the first input with a reference comes. */ open: ValidateFunction | undefined; readonly schema: JsonObject }
const known = new WeakMap<CapabilityDescriptor, Checks>();

function compile(schema: JsonObject, capability: string): ValidateFunction {
  try {
    const check = ajv.compile(schema);
    // Why: ajv keeps each schema for ever, but descriptors come and go; ours is the only memory of them.
    ajv.removeSchema(schema);
    return check;
  } catch (cause) {
    throw new OperationalError('CAPABILITY_SCHEMA_INVALID', `the input schema of capability \`${capability}\` does not compile: ${messageOf(cause)}`, { cause });
  }
}

function checksOf(descriptor: CapabilityDescriptor): Checks {
  let checks = known.get(descriptor);
  if (checks === undefined) {
    const schema = withConnection(descriptor);
    checks = { plain: compile(schema, descriptor.name), open: undefined, schema };
    known.set(descriptor, checks);
  }
  return checks;
}

/** Every capability but a built-in takes a connection, whether its schema says so or not. */
function withConnection({ adapter, inputSchema }: CapabilityDescriptor): JsonObject {
  const properties = inputSchema['properties'];
  if (adapter === 'builtin' || (isObject(properties) && properties['connection'] !== undefined)) return inputSchema;
  return { ...inputSchema, properties: { ...(isObject(properties) ? properties : {}), connection: { type: 'string' } } };
}

/**
 * Compiles what a capability's inputs are checked with, so that the first intent need not wait for it; once per descriptor object.
 * @throws OperationalError `CAPABILITY_SCHEMA_INVALID`
 */
export function prepareCapability(descriptor: CapabilityDescriptor): void {
  const checks = checksOf(descriptor);
  checks.open ??= compile(withWildcards(checks.schema), descriptor.name);
}

/** What is wrong with an input in which `WILDCARD` stands for each reference; nothing when it is empty. */
export function inputProblems(descriptor: CapabilityDescriptor, input: JsonObject, hasReferences: boolean): readonly InputProblem[] {
  const checks = checksOf(descriptor);
  const check = hasReferences ? (checks.open ??= compile(withWildcards(checks.schema), descriptor.name)) : checks.plain;
  try {
    if (check(input)) return NONE;
  } catch {
    // Why: ajv's equality calls `valueOf` and `toString` of what it compares, which in an agent's object may be fields.
    return [{ code: 'INVALID_INPUT', pointer: '', detail: 'holds an object that can\'t be compared: fields `valueOf` and `toString` are not accepted here' }];
  }
  const takesConnection = descriptor.adapter !== 'builtin';
  const found = new Map<string, InputProblem>();
  for (const error of check.errors!) {
    // Why: an `if` only repeats what its branch has said; a missing connection is told as such by whoever looks it up.
    if (error.keyword === 'if') continue;
    if (takesConnection && error.keyword === 'required' && error.instancePath === '' && error.params['missingProperty'] === 'connection') continue;
    if (takesConnection && error.instancePath === '/connection') continue;
    const problem = problemOf(error);
    found.set(`${problem.code} ${problem.pointer} ${problem.detail}`, problem);
  }
  return [...found.values()];
}
const NONE: readonly InputProblem[] = [];

function problemOf({ keyword, instancePath, params, message }: ErrorObject): InputProblem {
  const p = params as Record<string, unknown>;
  const below = (name: unknown) => `${instancePath}/${pointerToken(String(name))}`;
  switch (keyword) {
    case 'x-path': return { code: 'INVALID_PATH', pointer: instancePath, detail: message! };
    case 'required': return { code: 'INVALID_INPUT', pointer: below(p['missingProperty']), detail: 'is required' };
    case 'additionalProperties': return { code: 'UNKNOWN_FIELD', pointer: below(p['additionalProperty']), detail: 'the capability knows no such field' };
    case 'unevaluatedProperties': return { code: 'UNKNOWN_FIELD', pointer: below(p['unevaluatedProperty']), detail: 'the capability knows no such field' };
    case 'enum': return { code: 'INVALID_INPUT', pointer: instancePath, detail: `must be one of ${(p['allowedValues'] as unknown[]).map(value => JSON.stringify(value)).join(', ')}` };
    default: return { code: 'INVALID_INPUT', pointer: instancePath, detail: message ?? `does not satisfy \`${keyword}\`` };
  }
}
