import type { SqlProblemKind } from './statement';

/** Kinds of node that people try and that are not allowed, with what to say; any other kind without a shape is refused by its name. */
const CONSTRUCTS: ReadonlyMap<string, readonly [SqlProblemKind, string]> = new Map(Object.entries({
  CurrentOfExpr: ['construct', 'WHERE CURRENT OF is not allowed: there are no cursors; name the rows by their key'],
  XmlExpr: ['construct', 'XML is not allowed: use JSON'],
  XmlSerialize: ['construct', 'XML is not allowed: use JSON'],
  RangeTableFunc: ['construct', 'XMLTABLE is not allowed: use JSON_TABLE'],
  IntoClause: ['construct', 'SELECT INTO makes a table: INSERT … SELECT into one that is there'],
} satisfies Record<string, readonly [SqlProblemKind, string]>));

const DDL = 'definitions of tables, roles and the like are not allowed: they can\'t be undone';
const SESSION = 'the session is not the statement\'s to change or to ask about';
const TRANSACTION = 'the transaction is the runtime\'s: a step is committed or rolled back with its workflow';
const ADMINISTRATION = 'administration of the server is not allowed';

/** Statements by kind of node; all that are absent, allowed ones aside, define something. */
const STATEMENTS: ReadonlyMap<string, string> = new Map(Object.entries({
  CopyStmt: 'COPY is not allowed: INSERT the rows, or SELECT them',
  DoStmt: 'DO runs code: give the statement itself',
  CallStmt: 'CALL runs code: give the statement itself',
  ExplainStmt: 'EXPLAIN is not allowed: a plan of the intent shows what a statement would do',
  PrepareStmt: 'PREPARE is not allowed: give the statement itself, with parameters', ExecuteStmt: 'EXECUTE is not allowed: give the statement itself, with parameters',
  DeallocateStmt: SESSION, DeclareCursorStmt: 'cursors are not allowed: give the query itself', FetchStmt: 'cursors are not allowed: give the query itself',
  ClosePortalStmt: 'cursors are not allowed: give the query itself',
  VariableSetStmt: SESSION, VariableShowStmt: SESSION, DiscardStmt: SESSION, ConstraintsSetStmt: SESSION, LoadStmt: ADMINISTRATION,
  ListenStmt: 'LISTEN is not allowed: nothing is told to a session', UnlistenStmt: SESSION, NotifyStmt: 'NOTIFY is not allowed: it can\'t be taken back',
  LockStmt: 'LOCK is not allowed: the runtime holds the locks of a step',
  TransactionStmt: TRANSACTION,
  VacuumStmt: ADMINISTRATION, ClusterStmt: ADMINISTRATION, CheckPointStmt: ADMINISTRATION, ReindexStmt: ADMINISTRATION, AlterSystemStmt: ADMINISTRATION, RefreshMatViewStmt: ADMINISTRATION,
  CreateForeignTableStmt: 'foreign tables are not allowed', ImportForeignSchemaStmt: 'foreign tables are not allowed', CreateForeignServerStmt: 'foreign servers are not allowed',
  CreateTableAsStmt: 'CREATE TABLE AS is not allowed: INSERT … SELECT into a table that is there',
  GrantStmt: 'rights are not a statement\'s to give', GrantRoleStmt: 'rights are not a statement\'s to give',
  PLAssignStmt: 'assignments are not statements', ReturnStmt: 'RETURN is not a statement',
}));

export const constructRefusal = (kind: string): readonly [SqlProblemKind, string] =>
  CONSTRUCTS.get(kind) ?? ['construct', `the construct \`${kind}\` is not known to be safe`];

export const statementRefusal = (kind: string): string => STATEMENTS.get(kind) ?? DDL;
