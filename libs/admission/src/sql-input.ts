import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import type { CapabilityDescriptor, ResourceTemplate, StepHints, TargetReach } from '@aifirst/contracts';
import { prepareSqlSyntax, readScript, readStatement, type ReadStatement, type SqlProblem } from '@aifirst/sql-syntax';
import { pointerInBody, type ReadInput } from './input-reader';
import type { Problems } from './problems';
import { tablesOf } from './sql-reach';

/** What a statement tells of its step. `resources` stand in place of the capability's own; null: nothing more is known than those. */
export interface ReadSql { readonly resources: readonly ResourceTemplate[] | null; readonly hints: StepHints }

interface Marked { readonly field: string; readonly access: 'read' | 'write' | 'script' }
const known = new WeakMap<CapabilityDescriptor, Marked | null>();

/** Must be done once before the first intent. */
export const prepareAdmission = (): Promise<void> => prepareSqlSyntax();

/** The field that its schema marks as a statement, or as a script of several (`x-sql`). */
function markedIn(capability: CapabilityDescriptor): Marked | null {
  let marked = known.get(capability);
  if (marked === undefined) {
    const properties = capability.inputSchema['properties'];
    const found = isObject(properties) ? Object.entries(properties).find(([, schema]) => isObject(schema) && typeof schema['x-sql'] === 'string') : undefined;
    const access = (found?.[1] as JsonObject | undefined)?.['x-sql'];
    marked = found === undefined ? null : { field: found[0], access: access === 'read' || access === 'script' ? access : 'write' };
    known.set(capability, marked);
  }
  return marked;
}

/**
 * Reads the statement of an input by its syntax tree, or each of a script: one that is not allowed is refused before anything runs.
 * @param given the input as it was sent
 * @param reach what its connection's catalogue told
 * @returns null where there is none that is allowed
 */
export function readSql(capability: CapabilityDescriptor, given: JsonObject, input: ReadInput, reach: TargetReach | undefined, base: string, problems: Problems): ReadSql | null {
  const marked = markedIn(capability);
  if (marked === null) return null;
  const { field, access } = marked;
  const text = input.shown[field];
  if (input.references.some(({ at }) => at === `/${field}`)) {
    // Why: what a statement does must be known before anything runs, and no output may ever become SQL.
    problems.add('INVALID_REFERENCE', `${base}/${field}`, 'a statement is written outright, never by reference: give values as `$1`, `$2` … in `params`');
    return null;
  }
  if (typeof text !== 'string') return null;
  const { statement, parts, problem } = access === 'script' ? readWhole(text) : readOne(text, access);
  if (problem !== undefined) {
    problems.add('INVALID_SQL', base + pointerInBody(input, `/${field}`), problem.offset === null ? problem.detail : `${problem.detail} (at character ${problem.offset + 1})`);
    return null;
  }
  countParameters(given['params'], statement.parameters, `${base}/params`, problems);
  const tables = tablesOf(parts, reach);
  return { resources: tables.length === 0 ? null : tables, hints: { statement: statement.verb, ...(statement.isUnbounded && !statement.readOnly ? { unbounded: true } : {}) } };
}

interface Read { readonly statement: ReadStatement; readonly parts: readonly ReadStatement[]; readonly problem?: never }
type NotRead = { readonly statement?: never; readonly parts?: never; readonly problem: SqlProblem };

function readOne(text: string, allow: 'read' | 'write'): Read | NotRead {
  const { statement, problem } = readStatement(text, { allow });
  return problem === undefined ? { statement, parts: [statement] } : { problem };
}
/** A script says of itself what its statements say together, the worst of their hints. */
function readWhole(text: string): Read | NotRead {
  const { script, problem } = readScript(text);
  return problem === undefined ? { statement: script, parts: script.statements } : { problem };
}

function countParameters(params: Json | undefined, wanted: number, pointer: string, problems: Problems): void {
  const given = params === undefined ? 0 : Array.isArray(params) ? params.length : wanted;
  if (given !== wanted) problems.add('INVALID_INPUT', pointer, `the statement takes ${wanted} ${wanted === 1 ? 'parameter' : 'parameters'}, and ${given} ${given === 1 ? 'is' : 'are'} given`);
}
