import { createHash } from 'node:crypto';
import type { Transaction } from '../transaction';
import { ident, qualified } from './schema';

/** One per database and user: what agents may do through one connection says nothing of another. */
export const agentRoleNameOf = (database: string, user: string): string =>
  `aifirst_agent_${createHash('sha256').update(JSON.stringify([database, user])).digest('hex').slice(0, 16)}`;

/**
 * The role that agents' statements run under: of the rights of the connection's user those on rows and sequences, nothing else.
 * @returns what it could not do itself, as statements for somebody who may
 */
export async function prepareAgentRole(transaction: Transaction, role: string, isGiven: boolean): Promise<string[]> {
  const [known] = await transaction.query<{ there: boolean; user: string }>('SELECT to_regrole(quote_ident($1)) IS NOT NULL AS there, current_user AS user', [role]);
  const make = `CREATE ROLE ${ident(role)} NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`;
  const join = `GRANT ${ident(role)} TO ${ident(known!.user)}`;
  if (!known!.there && (isGiven || !await tried(transaction, make))) return [make, join, ...await missing(transaction, role, false)];
  const asAgent = `SET LOCAL ROLE ${ident(role)}; SET LOCAL ROLE NONE`;
  const maySet = await tried(transaction, asAgent) || (await tried(transaction, join) && await tried(transaction, asAgent));
  const danger = await dangerOf(transaction, role);
  if (danger !== null) return [`-- ${danger}`];
  if (!isGiven) for (const statement of await missing(transaction, role, true)) await tried(transaction, statement);
  return [...(maySet ? [] : [join]), ...(isGiven ? [] : await missing(transaction, role, true))];
}

/** A role that may do more than touch rows could reach what undo relies on. null: it can't. */
export async function dangerOf(transaction: Transaction, role: string): Promise<string | null> {
  const [row] = await transaction.query<{ powerful: boolean; schema: boolean; member: boolean }>(`
    SELECT r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication OR EXISTS (SELECT 1 FROM pg_roles p WHERE p.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files') AND pg_has_role(r.oid, p.oid, 'MEMBER')) AS powerful,
      coalesce((SELECT has_schema_privilege(r.oid, n.oid, 'USAGE, CREATE') FROM pg_namespace n WHERE n.nspname = 'aifirst'), false) AS schema,
      EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'aifirst' AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS member
    FROM pg_roles r WHERE r.rolname = $1`, [role]);
  const bad = row === undefined ? 'is not there' : row.powerful ? 'may do more than a role for agents should' : row.schema || row.member ? 'can reach schema `aifirst`' : null;
  return bad === null ? null : `the role \`${role}\` ${bad}: take that from it, or name another in \`agentRole\``;
}

/** Statements that give the role those rights on rows that the user has and the role lacks. */
async function missing(transaction: Transaction, role: string, isThere: boolean): Promise<string[]> {
  const ofUsers = `n.nspname <> 'information_schema' AND n.nspname <> 'aifirst' AND n.nspname !~ '^pg_'`;
  const schemas = await transaction.query<{ name: string }>(`
    SELECT n.nspname AS name FROM pg_namespace n WHERE ${ofUsers} AND has_schema_privilege(n.oid, 'USAGE') AND CASE WHEN $2 THEN NOT has_schema_privilege($1, n.oid, 'USAGE') ELSE true END ORDER BY 1`, [role, isThere]);
  const relations = await transaction.query<{ schema: string; name: string; rights: string; kind: string }>(`
    SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, string_agg(p."right", ', ' ORDER BY p.place) AS rights
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE'), (5, 'TRUNCATE'), (6, 'USAGE')) p (place, "right")
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND ${ofUsers} AND CASE
        WHEN c.relkind = 'S' AND p.place = 6 THEN has_sequence_privilege(c.oid, p."right") AND CASE WHEN $2 THEN NOT has_sequence_privilege($1, c.oid, p."right") ELSE true END
        WHEN (c.relkind IN ('r', 'p') AND p.place < 6) OR (c.relkind = 'v' AND p.place < 5) OR (c.relkind = 'm' AND p.place = 1)
          THEN has_table_privilege(c.oid, p."right") AND CASE WHEN $2 THEN NOT has_table_privilege($1, c.oid, p."right") ELSE true END END
    GROUP BY 1, 2, 3 ORDER BY 1, 2`, [role, isThere]);
  return [
    ...schemas.map(({ name }) => `GRANT USAGE ON SCHEMA ${ident(name)} TO ${ident(role)}`),
    ...relations.map(({ schema, name, rights, kind }) => `GRANT ${rights} ON ${kind === 'S' ? 'SEQUENCE ' : ''}${qualified(schema, name)} TO ${ident(role)}`),
  ];
}

/** Goes back to before it when it fails. */
export async function tried(transaction: Transaction, statements: string): Promise<boolean> {
  await transaction.run('SAVEPOINT tried');
  try {
    await transaction.run(statements);
    await transaction.run('RELEASE SAVEPOINT tried');
    return true;
  } catch (error) {
    if (!(error instanceof Error) || !('severity' in error)) throw error;
    await transaction.run('ROLLBACK TO SAVEPOINT tried; RELEASE SAVEPOINT tried');
    return false;
  }
}
