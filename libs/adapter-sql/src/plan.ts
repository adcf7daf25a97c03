import { CannotDo, type Image, type StepCall } from '@aifirst/execution';
import { invariant } from '@aifirst/kernel';
import { readStatement, type ReadStatement } from '@aifirst/sql-syntax';
import { READ_ONLY } from './capabilities';
import { parameterTexts } from './values';

export interface Planned { readonly statement: ReadStatement; readonly values: readonly (string | null)[]; readonly isReading: boolean }

/** All that can be known without the target; the parser must be ready. @throws CannotDo `INVALID_SQL`, `INVALID_INPUT` */
export function planOf(call: Pick<StepCall, 'capability' | 'input'>): Planned {
  const isReading = READ_ONLY.has(call.capability);
  const { sql, params } = call.input;
  if (typeof sql !== 'string') throw new CannotDo('INVALID_INPUT', '`sql` is no text');
  const read = readStatement(sql, { allow: isReading ? 'read' : 'write' });
  if (read.problem !== undefined) throw new CannotDo('INVALID_SQL', read.problem.detail);
  const { statement } = read;
  return { statement, values: parameterTexts(params, statement.parameters), isReading };
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
