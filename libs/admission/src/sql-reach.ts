import type { CarryingKey, ResourceTemplate, TargetReach } from '@aifirst/contracts';
import { resourceName, type ReadStatement } from '@aifirst/sql-syntax';

/** What happens to rows of a table. `truncate`: with CASCADE; others have no more than the table itself. `update`: of these columns, null: of any. */
type Act = { readonly kind: 'read' | 'write' | 'delete' | 'truncate' } | { readonly kind: 'update'; readonly columns: ReadonlySet<string> | null };
const READ: Act = { kind: 'read' }, WRITE: Act = { kind: 'write' }, DELETE: Act = { kind: 'delete' }, TRUNCATE: Act = { kind: 'truncate' };

interface Index { readonly within: ReadonlyMap<string, readonly string[]>; readonly keys: ReadonlyMap<string, readonly CarryingKey[]> }
const known = new WeakMap<TargetReach, Index>();

function indexOf(reach: TargetReach): Index {
  let index = known.get(reach);
  if (index === undefined) {
    const within = new Map<string, string[]>(), keys = new Map<string, CarryingKey[]>();
    for (const [from, to] of reach.within) into(within, from, to);
    for (const key of reach.keys) into(keys, key.from, key);
    known.set(reach, index = { within, keys });
  }
  return index;
}

function into<T>(lists: Map<string, T[]>, at: string, item: T): void {
  const list = lists.get(at);
  if (list === undefined) lists.set(at, [item]);
  else list.push(item);
}

/**
 * Every table that the statements name, and those that the catalogue says they reach: behind views, above partitions, by actions of foreign
 * keys. What triggers write, no catalogue tells.
 */
export function tablesOf(statements: readonly ReadStatement[], reach: TargetReach | undefined): ResourceTemplate[] {
  const found = new Map<string, 'read' | 'write'>();
  const index = reach === undefined ? undefined : indexOf(reach);
  for (const { writes, reads, deletes, assigns, cascades } of statements) {
    const acts: Act[] = [WRITE, ...(deletes ? [DELETE] : []), ...(cascades ? [TRUNCATE] : []), ...(assigns.length > 0 ? [{ kind: 'update', columns: new Set(assigns) } as const] : [])];
    const open: (readonly [table: string, act: Act])[] = [...writes.flatMap(table => acts.map(act => [resourceName(table), act] as const)), ...reads.map(table => [resourceName(table), READ] as const)];
    const seen = new Set<string>();
    for (let next = open.shift(); next !== undefined; next = open.shift()) {
      const [table, act] = next;
      const key = `${act.kind} ${act.kind === 'update' && act.columns !== null ? [...act.columns].join() : ''} ${table}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (act.kind !== 'read' || !found.has(table)) found.set(table, act.kind === 'read' ? 'read' : 'write');
      if (index === undefined) continue;
      // Why of any column: a view may give it another name.
      for (const to of index.within.get(table) ?? []) open.push([to, act.kind === 'update' ? { kind: 'update', columns: null } : act]);
      for (const carrying of index.keys.get(table) ?? []) {
        const carried = carriedBy(act, carrying);
        if (carried !== null) open.push([carrying.to, carried]);
      }
    }
  }
  return [...found].map(([table, access]) => ({ uri: `sql://{connection}/${table}`, access }));
}

function carriedBy(act: Act, { columns, toColumns, onDelete, onUpdate }: CarryingKey): Act | null {
  const updated: Act = { kind: 'update', columns: new Set(toColumns) };
  switch (act.kind) {
    case 'read': case 'write': return null;
    case 'truncate': return TRUNCATE;
    case 'delete': return onDelete === 'delete' ? DELETE : onDelete === 'update' ? updated : null;
    case 'update': return onUpdate === 'update' && (act.columns === null || columns.some(column => act.columns!.has(column))) ? updated : null;
  }
}
