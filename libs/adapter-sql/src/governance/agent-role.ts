import { createHash } from 'node:crypto';
import type { Transaction } from '../transaction';
import { ident, qualified } from './schema';

/** One per database and user: what agents may do through one connection says nothing of another. */
export const agentRoleNameOf = (database: string, user: string): string =>
  `aifirst_agent_${createHash('sha256').update(JSON.stringify([database, user])).digest('hex').slice(0, 16)}`;

interface Missing { readonly statement: string }

/**
 * The role that agents' statements run under: of the rights of the connection's user those on rows and sequences, nothing else.
 * @returns what it could not do itself, as statements for somebody who may
 */
export async function prepareAgentRole(transaction: Transaction, role: string, isGiven: boolean): Promise<string[]> {
  const undone: string[] = [];
  if (!isGiven) {
    const [known] = await transaction.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
    if (known === undefined && !await tried(transaction, `CREATE ROLE ${ident(role)} NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`)) {
      return [`CREATE ROLE ${ident(role)} NOLOGIN NOINHERIT`, `GRANT ${ident(role)} TO CURRENT_USER -- as that user: the connection's`];
    }
  }
  const asAgent = `SET LOCAL ROLE ${ident(role)}; SET LOCAL ROLE NONE`;
  if (!await tried(transaction, asAgent) && !(await tried(transaction, `GRANT ${ident(role)} TO CURRENT_USER`) && await tried(transaction, asAgent))) {
    const [row] = await transaction.query<{ user: string }>('SELECT current_user AS user');
    return [`GRANT ${ident(role)} TO ${ident(row!.user)}`];
  }
  const { problem } = await dangerOf(transaction, role);
  if (problem !== null) return [problem];
  if (isGiven) return [];
  for (const { statement } of await missing(transaction, role)) await tried(transaction, statement);
  return [...undone, ...(await missing(transaction, role)).map(({ statement }) => statement)];
}

/** A role that may do more than touch rows could reach what undo relies on. */
async function dangerOf(transaction: Transaction, role: string): Promise<{ readonly problem: string | null }> {
  const [row] = await transaction.query<{ powerful: boolean; schema: boolean; member: boolean }>(`
    SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication AS powerful, has_schema_privilege(oid, 'aifirst', 'USAGE, CREATE') AS schema,
      EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = 'aifirst'::regnamespace AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS member
    FROM pg_roles r WHERE rolname = $1`, [role]);
  const bad = row === undefined ? 'is not there' : row.powerful ? 'may do more than a role for agents should' : row.schema || row.member ? 'can reach schema `aifirst`' : null;
  return { problem: bad === null ? null : `-- the role \`${role}\` ${bad}: take that from it, or name another in \`agentRole\`` };
}

/** Rights on rows that the user has and the role lacks. */
async function missing(transaction: Transaction, role: string): Promise<Missing[]> {
  const found: Missing[] = [];
  const schemas = await transaction.query<{ name: string }>(`
    SELECT nspname AS name FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname <> 'aifirst' AND nspname !~ '^pg_'
      AND has_schema_privilege(oid, 'USAGE') AND NOT has_schema_privilege($1, oid, 'USAGE') ORDER BY 1`, [role]);
  for (const { name } of schemas) found.push({ statement: `GRANT USAGE ON SCHEMA ${ident(name)} TO ${ident(role)}` });
  const relations = await transaction.query<{ schema: string; name: string; rights: string; kind: string }>(`
    SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, string_agg(p.right, ', ' ORDER BY p.place) AS rights
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL (SELECT * FROM (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE'), (5, 'TRUNCATE'), (6, 'USAGE')) p (place, "right")
        WHERE CASE c.relkind WHEN 'S' THEN p.place = 6 WHEN 'm' THEN p.place = 1 WHEN 'v' THEN p.place < 5 ELSE p.place < 6 END) p
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname <> 'aifirst' AND n.nspname !~ '^pg_'
      AND CASE WHEN c.relkind = 'S' AND p.place = 6 THEN has_sequence_privilege(c.oid, p.right) AND NOT has_sequence_privilege($1, c.oid, p.right)
               WHEN c.relkind <> 'S' AND p.place < 6 THEN has_table_privilege(c.oid, p.right) AND NOT has_table_privilege($1, c.oid, p.right) END
    GROUP BY 1, 2, 3 ORDER BY 1, 2`, [role]);
  for (const { schema, name, rights, kind } of relations) found.push({ statement: `GRANT ${rights} ON ${kind === 'S' ? 'SEQUENCE ' : ''}${qualified(schema, name)} TO ${ident(role)}` });
  return found;
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
