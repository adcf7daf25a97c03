import { expandResources, type CarryingKey, type TargetReach } from '@aifirst/contracts';
import { prepareSqlSyntax, readScript } from '@aifirst/sql-syntax';
import { tablesOf } from './sql-reach';

beforeAll(prepareSqlSyntax);

const key = (from: string, to: string, onDelete: CarryingKey['onDelete'], onUpdate: CarryingKey['onUpdate'] = 'nothing', columns = ['id'], toColumns = [from.slice(from.indexOf('.') + 1)]): CarryingKey => ({ from, columns, to, toColumns, onDelete, onUpdate });
const REACH: TargetReach = {
  within: [['public.rich', 'public.customer'], ['public.richest', 'public.rich'], ['public.part1', 'public.part'], ['public.ruled', 'public.audit']],
  keys: [
    key('public.customer', 'public.invoice', 'delete'), key('public.invoice', 'public.line', 'delete'), key('public.customer', 'public.note', 'update', 'update'), key('public.customer', 'public.kept', 'nothing'),
    key('public.note', 'public.mirror', 'nothing', 'update', ['customer'], ['customer']), key('public.tree', 'public.tree', 'delete'), key('public.part', 'public.of_part', 'delete'),
    key('public.line', 'public.customer', 'nothing', 'update'),
  ],
};
const touched = (sql: string, reach: TargetReach | undefined = REACH): string[] =>
  expandResources(tablesOf(readScript(`${sql}; DELETE FROM other.x`).script!.statements.slice(0, -1), reach), 'crm', {}).map(({ uri, access }) => `${access} ${uri.replace('sql://crm/public.', '')}`);

it.each<[string, string, string[]]>([
  ['a delete, along cascades', 'DELETE FROM customer WHERE id = 1', ['write customer', 'write invoice', 'write note', 'write line', 'write mirror']],
  ['a delete in WITH', 'WITH d AS (DELETE FROM invoice RETURNING *) INSERT INTO archive SELECT * FROM d', ['write archive', 'write invoice', 'write line']],
  ['a delete by MERGE', 'MERGE INTO invoice i USING batch b ON i.id = b.id WHEN MATCHED THEN DELETE', ['write invoice', 'read batch', 'write line']],
  ['an update of what is no key', 'UPDATE customer SET credit = 1', ['write customer']],
  ['an update of a key', 'UPDATE customer SET id = 2', ['write customer', 'write note', 'write mirror']],
  ['an update of two at once', 'UPDATE customer SET (credit, id) = (1, 2)', ['write customer', 'write note', 'write mirror']],
  ['an update by ON CONFLICT', 'INSERT INTO customer VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 5', ['write customer', 'write note', 'write mirror']],
  ['an update by MERGE', 'MERGE INTO customer c USING batch b ON c.id = b.id WHEN MATCHED THEN UPDATE SET id = b.id + 1', ['write customer', 'read batch', 'write note', 'write mirror']],
  ['an insert', 'INSERT INTO customer VALUES (1)', ['write customer']],
  ['a truncate with all that refers to it', 'TRUNCATE invoice CASCADE', ['write invoice', 'write line', 'write customer', 'write note', 'write kept', 'write mirror']],
  ['a truncate of one', 'TRUNCATE invoice', ['write invoice']],
  ['a read', 'SELECT * FROM customer', ['read customer']],
  ['a read of a view of a view', 'SELECT * FROM richest', ['read richest', 'read rich', 'read customer']],
  ['a delete by a view', 'DELETE FROM rich WHERE id = 1', ['write rich', 'write customer', 'write invoice', 'write note', 'write line', 'write mirror']],
  ['an update by a view, whose columns may be any', 'UPDATE rich SET credit = 1', ['write rich', 'write customer', 'write note', 'write mirror']],
  ['what a rule leads to', 'UPDATE ruled SET a = 1', ['write ruled', 'write audit']],
  ['a partition and its whole', 'DELETE FROM part1 WHERE id = 1', ['write part1', 'write part', 'write of_part']],
  ['a table that refers to itself', 'DELETE FROM tree WHERE id = 1', ['write tree']],
  ['one statement of a script apart from another', 'DELETE FROM line WHERE id = 1; UPDATE customer SET credit = 1; INSERT INTO invoice VALUES (1)', ['write line', 'write customer', 'write invoice']],
  ['a write over a read', 'SELECT * FROM line; DELETE FROM invoice WHERE id = 1', ['write line', 'write invoice']],
])('tells of %s', (_, sql, expected) => expect(touched(sql)).toEqual(expected));

it('tells what is named where no catalogue told more', () => {
  const script = readScript('DELETE FROM customer; SELECT * FROM rich').script!;
  expect(tablesOf(script.statements, undefined)).toEqual([{ uri: 'sql://{connection}/public.customer', access: 'write' }, { uri: 'sql://{connection}/public.rich', access: 'read' }]);
});
