import type { Connection } from '@aifirst/contracts';
import { CannotDo, type ExecutionAdapter } from '@aifirst/execution';
import type { Workplace } from './execute';
import { failureOf } from './failures';
import { governTables } from './governance/govern';
import { limitationsOf } from './governance/limitations';
import { reachIn } from './governance/reach';
import { targetOf } from './target';
import { Transaction } from './transaction';

const VERSION_MIN = 150_000;

/** Looks at the database, installs what is missing there, and says what can't be done or undone. */
export async function probeDatabase({ pools, boundary }: Workplace, connection: Connection): ReturnType<ExecutionAdapter['probeConnection']> {
  const target = targetOf(connection);
  if ('problem' in target) return target;
  let transaction: Transaction | undefined;
  try {
    transaction = await Transaction.begin(pools, { connection, boundary });
    const [server] = await transaction.query<{ version: number; standby: boolean }>(`SELECT current_setting('server_version_num')::int4 AS version, pg_is_in_recovery() AS standby`);
    if (server!.version < VERSION_MIN) return { problem: 'PostgreSQL 15 or later is needed', pointer: '/config/url' };
    if (server!.standby) return { problem: 'the database is a standby, which takes no changes', pointer: '/config/url' };
    const { statements } = await governTables(transaction);
    const limitations = await limitationsOf(transaction, statements);
    const reach = await reachIn(transaction);
    if (reach === null) limitations.push('there are too many foreign keys, views and partitions to tell locks and policies of: they see the tables that statements name');
    const lockBase = await identityOf(transaction);
    await transaction.commit();
    return { limitations, lockBase, ...(reach === null ? {} : { reach }) };
  } catch (error) {
    const { detail, code } = failureOf(error);
    if (error instanceof CannotDo || code === 'CONNECTION_LOST') return { problem: detail, pointer: detail.includes('password') ? '/secretRefs/password' : '/config/url' };
    return { problem: `what undo needs can't be installed: ${detail}`, pointer: '/config/url' };
  } finally { transaction?.end(); }
}

/** Two connections to one database are one target, by whatever name they reach it. */
async function identityOf(transaction: Transaction): Promise<string> {
  const { host, port, database } = transaction.target.config;
  const [may] = await transaction.query<{ may: boolean }>(`SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS may`);
  if (!may!.may) return `sql://${host}:${port}/${database}`;
  const [row] = await transaction.query<{ system: string; database: string }>(`SELECT system_identifier::text AS system, (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database FROM pg_control_system()`);
  return `sql://${row!.system}/${row!.database}`;
}
