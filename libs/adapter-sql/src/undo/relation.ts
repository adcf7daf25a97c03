import { ident, qualified } from '../governance/schema';
import type { Transaction } from '../transaction';

/** A table as undo works on it: one that holds rows itself. */
export interface Relation {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** Quoted, with its schema. */
  readonly table: string;
  readonly shape: string;
  /** The row `aifirst_row` as the text that triggers keep. */
  readonly rowText: string;
  /** That can be given a value when inserted, quoted. */
  readonly insertable: readonly string[];
  readonly updatable: readonly string[];
  /** The columns of its key, quoted; empty: it has none. */
  readonly key: readonly string[];
  /** Of the key, those whose values name a row to a person and tell nothing else. */
  readonly tellable: readonly boolean[];
}

interface Column { readonly name: string; readonly generated: string; readonly identity: string; readonly tellable: boolean }
const TELLABLE = `('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype, 'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'bool'::regtype)`;

/** Holds the table so that nobody alters it, and reads what it looks like. null: it is gone. */
export async function holdRelation(transaction: Transaction, oid: string): Promise<Relation | null> {
  const [named] = await transaction.query<{ schema: string; name: string }>('SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid', [oid]);
  if (named === undefined) return null;
  const table = qualified(named.schema, named.name);
  await transaction.run(`LOCK TABLE ONLY ${table} IN ROW EXCLUSIVE MODE`);
  const [row] = await transaction.query<{ oid: string | null; shape: string; rowText: string; columns: Column[]; key: string[] | null }>(`
    SELECT to_regclass($1)::oid::int8::text AS oid, aifirst.shape($2::oid) AS shape, aifirst.row_text($2::oid, 'aifirst_row') AS "rowText",
      (SELECT json_agg(json_build_object('name', a.attname, 'generated', a.attgenerated, 'identity', a.attidentity, 'tellable', a.atttypid IN ${TELLABLE}) ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = $2::oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
      (SELECT k.names FROM pg_index i, LATERAL (
          SELECT array_agg(a.attname::text ORDER BY u.place) AS names, bool_and(a.attnotnull) AS whole
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY u (num, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num WHERE u.place <= i.indnkeyatts) k
        WHERE i.indrelid = $2::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND k.whole
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1) AS key`, [table, oid]);
  if (row!.oid !== oid) return null;
  const columns = row!.columns ?? [], key = row!.key ?? [];
  const given = columns.filter(({ generated }) => generated === '');
  return {
    oid, ...named, table, shape: row!.shape, rowText: row!.rowText, key: key.map(ident),
    insertable: given.map(({ name }) => ident(name)),
    updatable: given.filter(({ name, identity }) => identity !== 'a' && !key.includes(name)).map(({ name }) => ident(name)),
    tellable: key.map(name => columns.find(column => column.name === name)!.tellable),
  };
}
