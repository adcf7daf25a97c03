import { createContext, runInContext } from 'node:vm';
import Ajv2020, { type ErrorObject, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { pointerToken } from '@aifirst/contracts';
import { isObject, type Json, type JsonObject, type Problem } from '@aifirst/kernel';

export const RESULT_SCHEMA_BYTES_MAX = 64 * 1024;
/** Why: a pattern that one agent wrote is run over what another sent, and some pairs take for ever. */
const CHECK_MS_MAX = 250;
const PROBLEMS_MAX = 20;

const sandbox: { run: (() => unknown) | null } = { run: null };
const context = createContext(sandbox);

/** @throws with code `ERR_SCRIPT_EXECUTION_TIMEOUT` when it takes too long */
function within<T>(run: () => T): T {
  let result: { readonly value: T } | undefined;
  sandbox.run = () => { result = { value: run() }; };
  try {
    runInContext('run()', context, { timeout: CHECK_MS_MAX });
  } finally {
    sandbox.run = null;
  }
  return result!.value;
}

/** The schema that a result has to fit, as its delegator wrote it. */
export class ResultSchema {
  private constructor(private readonly validate: ValidateFunction) {}

  /** @returns why it is none that results can be held against */
  static of(schema: JsonObject): ResultSchema | { readonly problem: string } {
    if (Buffer.byteLength(JSON.stringify(schema)) > RESULT_SCHEMA_BYTES_MAX) return { problem: `\`resultSchema\` has more than ${RESULT_SCHEMA_BYTES_MAX} bytes` };
    const foreign = foreignIn(schema);
    if (foreign !== null) return { problem: `\`resultSchema\` ${foreign}` };
    try {
      return new ResultSchema(within(() => {
        const ajv = new Ajv2020({ allErrors: false, strict: false, useDefaults: false, validateFormats: true, addUsedSchema: false });
        addFormats(ajv);
        return ajv.compile(schema);
      }));
    } catch (error) {
      return { problem: isOverTime(error) ? '`resultSchema` takes too long to be read' : `\`resultSchema\` is no JSON Schema: ${cleaned((error as Error).message, 200)}` };
    }
  }

  /** @returns what is wrong, with pointers beneath `/result`; empty: it fits */
  problemsOf(result: Json): readonly Problem[] {
    try {
      return within(() => this.validate(result)) ? [] : (this.validate.errors ?? []).slice(0, PROBLEMS_MAX).map(problemOf);
    } catch (error) {
      if (!isOverTime(error)) throw error;
      return [{ code: 'INVALID_FIELD', pointer: '/result', detail: `takes more than ${CHECK_MS_MAX} ms to be held against \`resultSchema\`` }];
    }
  }
}

const isOverTime = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';

function problemOf({ instancePath, keyword, params, message }: ErrorObject): Problem {
  const given = params as Record<string, unknown>;
  const name = keyword === 'required' ? given['missingProperty'] : keyword === 'additionalProperties' ? given['additionalProperty'] : keyword === 'unevaluatedProperties' ? given['unevaluatedProperty'] : undefined;
  return { code: 'INVALID_FIELD', pointer: `/result${instancePath}${name === undefined ? '' : `/${pointerToken(String(name))}`}`, detail: cleaned(message ?? 'does not fit `resultSchema`', 200) };
}

/** What would lead out of the schema, or make its check something else than a check. null: nothing */
function foreignIn(schema: Json): string | null {
  if (Array.isArray(schema)) return (schema as readonly Json[]).map(foreignIn).find(found => found !== null) ?? null;
  if (!isObject(schema)) return null;
  for (const [key, value] of Object.entries(schema)) {
    if ((key === '$ref' || key === '$dynamicRef') && typeof value === 'string' && !value.startsWith('#')) return `refers to something outside of itself by \`${key}\``;
    if (key === '$async') return 'is asynchronous';
    const found = value === undefined ? null : foreignIn(value);
    if (found !== null) return found;
  }
  return null;
}

/** What others wrote, as it may stand in a line: without control characters, and bounded. */
export const cleaned = (text: string, charsMax: number): string => {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').replace(/\p{Surrogate}/gu, '\ufffd').replace(/\s+/g, ' ').trim();
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line;
};
