import type { Transaction } from '../transaction';
import { mayReplicate } from '../undo/triggers';

const USER_SCHEMA = `n.nspname <> 'information_schema' AND n.nspname <> 'aifirst' AND n.nspname !~ '^pg_'`;
const NAMES_MAX = 20;

/** What a connection can't do or can't undo, for a person. */
export async function limitationsOf(transaction: Transaction, statements: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const named = async (sql: string, say: (names: string) => string): Promise<void> => {
    const rows = await transaction.query<{ name: string }>(sql);
    if (rows.length > 0) found.push(say(`${rows.slice(0, NAMES_MAX).map(({ name }) => `\`${name}\``).join(', ')}${rows.length > NAMES_MAX ? ` and ${rows.length - NAMES_MAX} more` : ''}`));
  };
  if (statements.length > 0) found.push(`the connection's user may not do everything that changes and their undo need; what lacks it is refused. Somebody with the right should run:\n${statements.join(';\n')};`);
  if (!await mayReplicate(transaction)) {
    found.push('the user may not set session_replication_role: an undo switches triggers of the tables off, which needs their owner and holds writers off meanwhile. GRANT SET ON PARAMETER session_replication_role to it avoids that');
  }
  await named(`SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f' AND ${USER_SCHEMA} ORDER BY 1`,
    names => `foreign tables are not touched: ${names}`);
  await named(`SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND ${USER_SCHEMA} ORDER BY 1`,
    names => `row security holds for agents' statements, under a role of their own: ${names}`);
  await named(`SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND ${USER_SCHEMA} ORDER BY 1`,
    names => `unlogged tables lose their rows when the server crashes, and an undo then finds them gone: ${names}`);
  await named(`SELECT DISTINCT n.nspname || '.' || c.relname || ' (' || t.tgname || ')' AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang
    WHERE NOT t.tgisinternal AND ${USER_SCHEMA} AND p.pronamespace IS DISTINCT FROM to_regnamespace('aifirst') AND (l.lanname NOT IN ('plpgsql', 'sql', 'internal') OR p.prosrc ~* 'notify|dblink|lo_|nextval|setval') ORDER BY 1`,
    names => `triggers that may act outside of tables; that is not undone: ${names}`);
  await named(`SELECT n.nspname || '.' || c.relname || ' (' || k.conname || ')' AS name FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND (to_jsonb(k)->>'conperiod')::boolean ORDER BY 1`,
    names => `an undo of changes to rows under foreign keys with PERIOD is blocked: ${names}`);
  const [sequences] = await transaction.query<{ there: boolean }>(`SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND ${USER_SCHEMA}) AS there`);
  if (sequences!.there) found.push('numbers drawn from sequences are not given back by an undo');
  const [prepared] = await transaction.query<{ most: number }>(`SELECT current_setting('max_prepared_transactions')::int4 AS most`);
  if (prepared!.most === 0) found.push('mode `atomic` needs prepared transactions: set `max_prepared_transactions` of the server to the number of atomic workflows at once, and start it again');
  const namesake = await namesakePath(transaction);
  if (namesake !== null) found.push(namesake);
  await named(`SELECT 'aifirst.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'aifirst' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname NOT IN ('effects', 'images') ORDER BY 1`,
    names => `what others made in schema \`aifirst\` is neither reached nor captured; move it elsewhere: ${names}`);
  if (transaction.target.isPlainOverNetwork) found.push('the connection is not encrypted: add `?sslmode=verify-full` to `url`');
  return found;
}

/** Unlike ours, the sessions of a user who is named like the schema look there first (`"$user"`), unless told otherwise for user or database. */
async function namesakePath(transaction: Transaction): Promise<string | null> {
  const [row] = await transaction.query<{ alter: string }>(`
    SELECT format('ALTER ROLE aifirst IN DATABASE %I SET search_path = public', d.datname) AS alter FROM pg_roles r, pg_database d
    WHERE r.rolname = 'aifirst' AND r.rolcanlogin AND d.datname = current_database() AND coalesce((
      SELECT c.entry FROM pg_db_role_setting s, unnest(s.setconfig) c (entry) WHERE c.entry LIKE 'search_path=%' AND s.setrole IN (0, r.oid) AND s.setdatabase IN (0, d.oid)
      ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1), '$user') LIKE '%$user%'`);
  return row === undefined ? null : `the database user \`aifirst\` finds schema \`aifirst\` first on its path: tables that it makes or names without a schema are looked for there, where nothing is captured. ${row.alter} avoids that`;
}
