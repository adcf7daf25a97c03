import { CannotDo } from '@aifirst/execution';
import type { Transaction } from '../transaction';
import { agentRoleNameOf, prepareAgentRole, tried } from './agent-role';
import { alwaysSql, GOVERNABLE_SQL, INSTALL_LOCK, qualified, ROOT_TRIGGER, ROW_TRIGGER, rowTriggerSql, SCHEMA_SQL, TRUNCATE_TRIGGER, truncateTriggerSql } from './schema';

const EFFECTS_COLUMNS = '{step,id,xid,state,touched,digest,output}';
const IMAGES_COLUMNS = '{effect,relation,old,new}';

interface Governable { readonly schema: string; readonly name: string; readonly kind: 'r' | 'p'; readonly hasRow: boolean; readonly hasAlways: boolean; readonly hasOwn: boolean; readonly hasTruncate: boolean; readonly isPartition: boolean }

/** `statements`: what somebody with the right to do so should run, without which not everything works. */
export interface Governed { readonly tables: number; readonly statements: readonly string[] }

/** Installs what is missing: schema, functions, a trigger on every table there is, the role for agents. Repeating it changes nothing. */
export async function governTables(transaction: Transaction): Promise<Governed> {
  await transaction.query('SELECT pg_advisory_xact_lock($1)', [INSTALL_LOCK]);
  const statements: string[] = [];
  const [state] = await transaction.query<{ there: boolean; own: boolean | null }>(`
    SELECT n.oid IS NOT NULL AS there, pg_has_role(n.nspowner, 'MEMBER') AS own FROM (SELECT 1) x LEFT JOIN pg_namespace n ON n.nspname = 'aifirst'`);
  await checkForeign(transaction);
  const isOwn = !state!.there || state!.own === true;
  const isInstalled = isOwn ? await tried(transaction, SCHEMA_SQL) : state!.there;
  if (!isInstalled) statements.push(SCHEMA_SQL.trim().replace(/;$/, ''));
  if (!isInstalled || !isOwn && !await canUse(transaction)) statements.push(...await grantSql(transaction));
  let tables = 0;
  for (const table of await transaction.query<Governable>(GOVERNABLE_SQL)) {
    tables++;
    const missing = missingOn(table);
    if (missing.length > 0 && !(isInstalled && await tried(transaction, missing.join('; ')))) statements.push(...missing);
    if (!isInstalled) continue;
    if (!table.hasAlways && !table.isPartition) await tried(transaction, alwaysSql(qualified(table.schema, table.name), triggerOf(table)));
    if (table.kind === 'r' && !table.hasTruncate) await tried(transaction, alwaysSql(qualified(table.schema, table.name), TRUNCATE_TRIGGER));
  }
  const role = agentRoleOf(transaction);
  statements.push(...await prepareAgentRole(transaction, role, transaction.target.agentRole !== null));
  return { tables, statements };
}

export function agentRoleOf({ target }: Pick<Transaction, 'target'>): string {
  return target.agentRole ?? agentRoleNameOf(target.config.database!, target.config.user!);
}

const triggerOf = ({ kind }: Governable): string => (kind === 'p' ? ROOT_TRIGGER : ROW_TRIGGER);

function missingOn(found: Governable): string[] {
  const { schema, name, kind, hasRow, hasOwn, hasTruncate, isPartition } = found;
  const table = qualified(schema, name);
  return [
    ...(hasRow || isPartition ? [] : [rowTriggerSql(table, triggerOf(found))]),
    // Why: it has become a partition, whose root captures.
    ...(isPartition && hasOwn ? [`DROP TRIGGER ${ROW_TRIGGER} ON ${table}`] : []),
    ...(hasTruncate || kind === 'p' ? [] : [truncateTriggerSql(table)]),
  ];
}

/**
 * Why refuse: triggers that look into somebody else's table of that name would fail in everybody's transactions.
 * @throws CannotDo `CONNECTION_UNUSABLE`
 */
async function checkForeign(transaction: Transaction): Promise<void> {
  const [foreign] = await transaction.query<{ name: string }>(`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (VALUES ('effects', '${EFFECTS_COLUMNS}'::text[]), ('images', '${IMAGES_COLUMNS}'::text[])) o (name, columns) ON o.name = c.relname
    WHERE n.nspname = 'aifirst' AND (c.relkind <> 'r' OR NOT o.columns <@ (SELECT coalesce(array_agg(a.attname::text), '{}') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) ORDER BY 1 LIMIT 1`);
  if (foreign !== undefined) throw new CannotDo('CONNECTION_UNUSABLE', `schema \`aifirst\` of the database holds a table \`${foreign.name}\` that is somebody else's: rename the one or the other`);
}

async function canUse(transaction: Transaction): Promise<boolean> {
  const [row] = await transaction.query<{ can: boolean }>(`
    SELECT CASE WHEN NOT has_schema_privilege('aifirst', 'USAGE') THEN false WHEN NOT (SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc p WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'aifirst')) THEN false
      WHEN to_regclass('aifirst.effects') IS NULL OR to_regclass('aifirst.images') IS NULL THEN false
      ELSE (SELECT bool_and(has_table_privilege(t, p)) FROM unnest(ARRAY['aifirst.effects', 'aifirst.images']) t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p) END AS can`);
  return row!.can;
}

async function grantSql(transaction: Transaction): Promise<string[]> {
  const [row] = await transaction.query<{ user: string }>('SELECT quote_ident(current_user) AS user');
  const { user } = row!;
  return [`GRANT USAGE ON SCHEMA aifirst TO ${user}`, `GRANT SELECT, INSERT, UPDATE, DELETE ON aifirst.effects, aifirst.images TO ${user}`, `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aifirst TO ${user}`];
}
