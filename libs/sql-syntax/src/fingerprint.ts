import { createHash } from 'node:crypto';
import type { Node } from '@pgsql/types';

/** Where things stand in the text. */
const PLACES: ReadonlySet<string> = new Set(['location', 'name_location', 'list_start', 'list_end', 'rexpr_list_start', 'rexpr_list_end']);

/**
 * 16 hexadecimal digits of the tree without places, constants and parameters; of neighbours in a list that are then alike (rows of VALUES, members
 * of IN) one counts. Why not the parser's own: that one fails at a dozen nested calls, and breaks the instance with it.
 * @param root of a bounded depth
 */
export const fingerprintOf = (root: Node): string => createHash('sha256').update(shapeOf(root)).digest('hex').slice(0, 16);

function shapeOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  if (Array.isArray(value)) {
    let shape = '[';
    let before = '';
    for (const item of value) {
      const next = shapeOf(item);
      if (next !== before) shape += next;
      before = next;
    }
    return `${shape}]`;
  }
  let shape = '{';
  for (const [key, field] of Object.entries(value)) {
    if (key === 'A_Const' || key === 'ParamRef') return '?';
    if (!PLACES.has(key)) shape += `${key}:${shapeOf(field)},`;
  }
  return `${shape}}`;
}
