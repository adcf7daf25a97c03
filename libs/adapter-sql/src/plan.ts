import { CannotDo, type Image, type StepCall } from '@aifirst/execution';
import { invariant, type Json } from '@aifirst/kernel';
import { readScript, readStatement, type ReadStatement } from '@aifirst/sql-syntax';
import { READ_ONLY } from './capabilities';
import { parameterTexts } from './values';

type Values = readonly (string | null)[];
export interface Part { readonly statement: ReadStatement; readonly values: Values }
/** `parts`: what runs, one after the other; `statement` and `values`: of all of it together, as if it were one. */
export interface Planned extends Part { readonly parts: readonly Part[]; readonly isScript: boolean; readonly isReading: boolean }

/** All that can be known without the target; the parser must be ready. @throws CannotDo `INVALID_SQL`, `INVALID_INPUT` */
export function planOf(call: Pick<StepCall, 'capability' | 'input'>): Planned {
  const isReading = READ_ONLY.has(call.capability);
  const { sql, params } = call.input;
  if (typeof sql !== 'string') throw new CannotDo('INVALID_INPUT', '`sql` is no text');
  if (call.capability === 'sql.script') return planOfScript(sql, params);
  const read = readStatement(sql, { allow: isReading ? 'read' : 'write' });
  if (read.problem !== undefined) throw new CannotDo('INVALID_SQL', read.problem.detail);
  const { statement } = read;
  const part = { statement, values: parameterTexts(params, statement.parameters) };
  return { ...part, parts: [part], isScript: false, isReading };
}

function planOfScript(sql: string, params: Json | undefined): Planned {
  const { script, problem } = readScript(sql);
  if (problem !== undefined) throw new CannotDo('INVALID_SQL', problem.detail);
  const values = parameterTexts(params, script.parameters);
  const parts = script.statements.map(statement => ({ statement, values: statement.takes.map(number => values[number - 1]!) }));
  return { statement: script, values, parts, isScript: true, isReading: false };
}

/** `key`: the step's, as its image was made. `outputKey`: see `kept-output.ts`. */
export interface BeforeImage { readonly key: string; readonly outputKey: string }
export interface AfterImage { readonly digest: string }

export function beforeOf(image: Image): BeforeImage {
  const { key, outputKey } = image;
  invariant(typeof key === 'string' && typeof outputKey === 'string', 'the image is not one of this adapter');
  return { key, outputKey };
}
export const undoKeyOf = (key: string): string => key.replace(/(\/forward)?$/, '/undo');
