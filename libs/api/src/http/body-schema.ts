import Ajv2020, { type ErrorObject, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { pointerToken } from '@aifirst/contracts';
import { Refusal, type Json, type JsonObject, type Problem } from '@aifirst/kernel';

const PROBLEMS_MAX = 50;

const ajv = new Ajv2020({ allErrors: true, strict: false, useDefaults: false, validateFormats: true });
addFormats(ajv);
const compiled = new WeakMap<JsonObject, ValidateFunction>();

/** @throws Refusal UNKNOWN_FIELD, INVALID_FIELD: all that is wrong, each with its pointer */
export function checkBody(schema: JsonObject, body: Json): void {
  let validate = compiled.get(schema);
  if (validate === undefined) { validate = ajv.compile(schema); compiled.set(schema, validate); }
  if (validate(body)) return;
  const problems = (validate.errors ?? []).slice(0, PROBLEMS_MAX).map(problemOf);
  throw new Refusal(problems as [Problem, ...Problem[]]);
}

function problemOf(error: ErrorObject): Problem {
  const params = error.params as Record<string, unknown>;
  const field = (name: string): string => `${error.instancePath}/${pointerToken(String(params[name]))}`;
  switch (error.keyword) {
    case 'additionalProperties': return { code: 'UNKNOWN_FIELD', pointer: field('additionalProperty'), detail: 'there is no such field here' };
    case 'unevaluatedProperties': return { code: 'UNKNOWN_FIELD', pointer: field('unevaluatedProperty'), detail: 'there is no such field here' };
    case 'required': return { code: 'INVALID_FIELD', pointer: field('missingProperty'), detail: 'is missing' };
    case 'enum': return { code: 'INVALID_FIELD', pointer: error.instancePath, detail: `must be one of ${(params['allowedValues'] as unknown[]).map(value => JSON.stringify(value)).join(', ')}` };
    default: return { code: 'INVALID_FIELD', pointer: error.instancePath, detail: error.message ?? 'is not valid' };
  }
}
