import type { A_Expr, A_Indirection, CollateClause, ColumnRef, CommonTableExpr, FuncCall, IndexElem, MergeStmt, Node, RangeTableSample, RangeVar, SQLValueFunction, SelectStmt,
  TruncateStmt, TypeName, WithClause } from '@pgsql/types';
import { isAllowedFunction, whyNot } from './allowed-functions';
import { isAllowedCollation, isAllowedRelation, isAllowedType, elementType, ROW_FUNCTIONS, SYSTEM_COLUMNS } from './allowed-names';
import { reachOf } from './always-true';
import { GROWTH_MAX, growthOf } from './bounded-growth';
import { Names } from './findings';
import { SHAPES } from './node-shapes';
import { Refused, shown, shownObject } from './problem';
import { constructRefusal } from './refusals';
import { isInScope, type Scope } from './scope';
import type { NamedObject } from './statement';

/** Levels of nodes within nodes; people's statements stay below a hundred. */
const DEPTH_MAX = 1_000;
/** PostgreSQL's own limit, of its protocol. */
const PARAMETERS_MAX = 65_535;

type Fields = Readonly<Record<string, unknown>>;

const CLOCKS: ReadonlySet<string> = new Set(['SVFOP_CURRENT_DATE', 'SVFOP_CURRENT_TIME', 'SVFOP_CURRENT_TIME_N', 'SVFOP_CURRENT_TIMESTAMP', 'SVFOP_CURRENT_TIMESTAMP_N',
  'SVFOP_LOCALTIME', 'SVFOP_LOCALTIME_N', 'SVFOP_LOCALTIMESTAMP', 'SVFOP_LOCALTIMESTAMP_N']);

/** What an older server would read as a call. */
const SYNTAX: ReadonlyMap<string, string> = new Map(Object.entries({
  JsonArrayConstructor: 'json_array', JsonArrayQueryConstructor: 'json_array', JsonObjectConstructor: 'json_object', JsonArrayAgg: 'json_arrayagg', JsonObjectAgg: 'json_objectagg',
  JsonParseExpr: 'json', JsonScalarExpr: 'json_scalar', JsonSerializeExpr: 'json_serialize', JsonTable: 'json_table', MergeSupportFunc: 'merge_action',
  JSON_EXISTS_OP: 'json_exists', JSON_QUERY_OP: 'json_query', JSON_VALUE_OP: 'json_value',
}));

/** Walks one tree, once. Throws `Refused` at the first thing that has no place in a statement. */
export class TreeReader {
  readonly reads = new Names();
  readonly writes = new Names();
  readonly functions = new Names();
  readonly operators = new Names();
  readonly types = new Names();
  readonly attributes = new Set<string>();
  readonly assigned = new Set<string>();
  readonly parameters = new Set<number>();
  isUnbounded = false;
  cascades = false;
  deletes = false;
  private growth = 1;
  /** The byte of the innermost node that knows its own. */
  private at: number | null = null;

  constructor(private readonly mayLock: boolean) {}

  read(root: Node): void { this.walkNode(root, null, 0); }

  private walkNode(node: unknown, scope: Scope | null, depth: number): void {
    if (Array.isArray(node)) {
      for (const item of node) this.walkNode(item, scope, depth);
      return;
    }
    // Why own keys: a node is an object with one key, an empty one stands for a null in a list.
    for (const kind of Object.keys(node as Fields)) this.walk(kind, (node as Fields)[kind] as Fields, scope, depth + 1);
  }

  private walk(kind: string, fields: Fields, scope: Scope | null, depth: number): void {
    if (depth > DEPTH_MAX) this.refuse('depth', `the statement nests more than ${DEPTH_MAX} levels deep`);
    const outside = this.at;
    const location = Object.hasOwn(fields, 'location') ? fields['location'] : undefined;
    if (typeof location === 'number' && location >= 0) this.at = location;
    const shape = SHAPES.get(kind);
    if (shape === undefined) return this.refuse(...constructRefusal(kind));
    this.visit(kind, fields, scope);
    const inner = Object.hasOwn(fields, 'withClause') ? this.openScope(fields['withClause'] as WithClause, scope, depth) : scope;
    for (const field of Object.keys(fields)) {
      const rule = shape.get(field);
      if (rule === 'plain' || rule === 'scope') continue;
      if (rule === undefined) this.refuse('construct', `\`${field}\` of the construct \`${kind}\` is not known to be safe`);
      else if (rule === 'node') this.walkNode(fields[field], inner, depth);
      else if (rule === 'target') this.writeTo(fields[field] as RangeVar | Node[], depth);
      else this.walk(rule.kind, fields[field] as Fields, inner, depth + 1);
    }
    this.at = outside;
  }

  /** WITH RECURSIVE shows every name to every query of it; plain WITH shows a name to those after it. Both to the statement it belongs to. */
  private openScope(clause: WithClause, scope: Scope | null, depth: number): Scope | null {
    const queries = (clause.ctes ?? []).map(node => ('CommonTableExpr' in node ? node.CommonTableExpr : this.refuse('construct', 'WITH is not understood')));
    for (const query of queries) if (!isAllowedRelation({ schema: null, name: nameOf(query) })) this.refuse('relation', `${shown(nameOf(query))} is no name for WITH: \`pg_\` is the server's`, query.location);
    let inner = scope;
    if (clause.recursive === true) inner = { names: new Set(queries.map(nameOf)), outer: scope };
    for (const query of queries) {
      this.walk('CommonTableExpr', query as unknown as Fields, inner, depth + 1);
      if (clause.recursive !== true) inner = { names: new Set([nameOf(query)]), outer: inner };
    }
    return inner;
  }

  /** A target is always a relation, even where WITH has one of its name. */
  private writeTo(target: RangeVar | readonly Node[], depth: number): void {
    const relations = Array.isArray(target) ? (target as readonly Node[]).map(node => ('RangeVar' in node ? node.RangeVar : this.refuse('construct', 'the target is not understood'))) : [target as RangeVar];
    for (const relation of relations) {
      this.writes.add(this.relation(relation));
      if (relation.alias !== undefined) this.walk('Alias', relation.alias as unknown as Fields, null, depth + 1);
    }
  }

  private visit(kind: string, fields: Fields, scope: Scope | null): void {
    const syntax = SYNTAX.get(kind);
    if (syntax !== undefined) this.functions.add({ schema: null, name: syntax });
    switch (kind) {
      case 'RangeVar': return this.readFrom(fields as RangeVar, scope);
      case 'FuncCall': return this.call(fields as FuncCall);
      case 'A_Expr': return this.operator((fields as A_Expr).kind?.startsWith('AEXPR_BETWEEN') === true ? undefined : (fields as A_Expr).name);
      case 'SubLink': return this.operator(fields['operName'] as Node[] | undefined);
      case 'SortBy': return this.operator(fields['useOp'] as Node[] | undefined);
      case 'TypeName': return this.type(fields as TypeName);
      case 'ColumnRef': return this.column(fields as ColumnRef);
      case 'A_Indirection': return (fields as A_Indirection).indirection?.forEach(node => 'String' in node && this.attribute(node.String.sval ?? ''));
      case 'CollateClause': return this.collation((fields as CollateClause).collname);
      case 'IndexElem': return this.indexElement(fields as IndexElem);
      case 'ParamRef': return this.parameter(fields['number'] as number | undefined);
      case 'SQLValueFunction': return this.valueFunction(fields as SQLValueFunction);
      case 'SelectStmt': if ((fields as SelectStmt).intoClause !== undefined) this.refuse(...constructRefusal('IntoClause')); return;
      case 'LockingClause': return this.mayLock ? undefined : this.refuse('lock', 'row locks are not for queries: leave out FOR UPDATE or FOR SHARE');
      case 'RangeTableSample': return this.sample(fields as RangeTableSample);
      case 'JsonFuncExpr': return this.functions.add({ schema: null, name: SYNTAX.get(fields['op'] as string) ?? this.refuse('construct', 'this function of JSON is not known') });
      case 'TruncateStmt': return this.truncate(fields as TruncateStmt);
      case 'UpdateStmt': this.assign(fields['targetList'] as Node[] | undefined); return this.bound(fields);
      case 'DeleteStmt': this.deletes = true; return this.bound(fields);
      case 'OnConflictClause': return this.assign(fields['targetList'] as Node[] | undefined);
      case 'MergeStmt': return this.merge(fields as MergeStmt);
    }
  }

  private readFrom(relation: RangeVar, scope: Scope | null): void {
    if (relation.schemaname === undefined && relation.catalogname === undefined && isInScope(relation.relname ?? '', scope)) return;
    this.reads.add(this.relation(relation));
  }

  private relation(relation: RangeVar): NamedObject {
    const object = { schema: relation.schemaname ?? null, name: relation.relname ?? '' };
    if (relation.catalogname !== undefined) this.refuse('relation', `a name of three parts names a database: write ${shownObject(object)}`, relation.location);
    if (!isAllowedRelation(object)) this.refuse('relation', `${shownObject(object)} is the server's or the runtime's own, not data`, relation.location);
    if (relation.relpersistence !== 'p') this.refuse('relation', 'temporary tables are not allowed', relation.location);
    return object;
  }

  private call(call: FuncCall): void {
    const name = this.object(call.funcname, 'function');
    if (!isAllowedFunction(name)) this.refuse('function', `the function ${shownObject(name)} is not allowed: ${whyNot(name)}`);
    const growth = growthOf(name.name, call);
    if (typeof growth === 'string') return this.refuse('function', growth);
    this.growth *= growth;
    if (this.growth > GROWTH_MAX) this.refuse('function', `\`generate_series\` and \`repeat\` may together make at most ${GROWTH_MAX} rows or characters`);
    this.functions.add(name);
  }

  private operator(names: readonly Node[] | undefined): void {
    if (names === undefined) return;
    const name = this.object(names, 'operator');
    if (name.schema !== null && name.schema !== 'pg_catalog') this.refuse('operator', `the operator ${shownObject(name)} is not allowed: only those of pg_catalog are`);
    this.operators.add(name);
  }

  private type(type: TypeName): void {
    const name = this.object(type.names, 'type');
    if (type.setof === true || type.pct_type === true) this.refuse('type', 'types by reference to a column are not allowed: write the type');
    if (!isAllowedType(name)) this.refuse('type', `the type ${shownObject(name)} is not allowed: it looks into the server's catalogue or is of its insides`);
    this.types.add({ schema: name.schema, name: elementType(name.name) });
  }

  private column(column: ColumnRef): void {
    const names = (column.fields ?? []).map(node => ('String' in node ? node.String.sval ?? '' : 'A_Star' in node ? null : this.refuse('construct', 'the column is not understood')));
    const last = names.at(-1) ?? null;
    if (last !== null && SYSTEM_COLUMNS.has(last)) this.refuse('column', `the system column ${shown(last)} is not allowed: name rows by their key`);
    // Why all after the first: of `a.b.c`, `b` may be a table or a column with fields.
    for (const name of names.slice(1)) if (name !== null) this.attribute(name);
  }

  private attribute(name: string): void {
    if (ROW_FUNCTIONS.has(name)) this.refuse('function', `the function ${shown(name)} is not allowed, nor by the notation of a column`);
    if (SYSTEM_COLUMNS.has(name)) this.refuse('column', `the system column ${shown(name)} is not allowed: name rows by their key`);
    this.attributes.add(name);
  }

  private collation(names: readonly Node[] | undefined): void {
    const name = this.object(names, 'collation');
    if (!isAllowedCollation(name)) this.refuse('collation', `the collation ${shownObject(name)} is not allowed: only those of pg_catalog are`);
  }

  private indexElement(element: IndexElem): void {
    if (element.collation !== undefined) this.collation(element.collation);
    if (element.opclass !== undefined && this.object(element.opclass, 'operator').schema !== null) this.refuse('operator', 'operator classes are not given with a schema');
  }

  private parameter(number: number | undefined): void {
    if (number === undefined || number < 1) return this.refuse('parameter', 'parameters count from `$1`');
    if (number > PARAMETERS_MAX) this.refuse('parameter', `there are at most ${PARAMETERS_MAX} parameters: pass an array, or JSON`);
    this.parameters.add(number);
  }

  private valueFunction({ op }: SQLValueFunction): void {
    if (!CLOCKS.has(op ?? '')) this.refuse('function', 'who and where the session is, is the connection\'s business: pass the value as a parameter');
  }

  private sample({ method }: RangeTableSample): void {
    const { schema, name } = this.object(method, 'function');
    if ((schema !== null && schema !== 'pg_catalog') || (name !== 'bernoulli' && name !== 'system')) this.refuse('function', 'TABLESAMPLE is by BERNOULLI or SYSTEM');
    this.functions.add({ schema, name });
  }

  private truncate({ restart_seqs, behavior }: TruncateStmt): void {
    if (restart_seqs === true) this.refuse('construct', "RESTART IDENTITY is not allowed: a sequence can't be set back");
    this.isUnbounded = true;
    this.cascades = behavior === 'DROP_CASCADE';
  }

  private bound(fields: Fields): void { this.isUnbounded ||= reachOf(fields['whereClause'] as Node | undefined) === 'all'; }

  private assign(targets: readonly Node[] | undefined): void {
    for (const node of targets ?? []) if ('ResTarget' in node && node.ResTarget.name !== undefined) this.assigned.add(node.ResTarget.name);
  }

  /** Every row of the target may be changed where no condition stands between. */
  private merge({ joinCondition, mergeWhenClauses }: MergeStmt): void {
    for (const node of mergeWhenClauses ?? []) {
      const clause = 'MergeWhenClause' in node ? node.MergeWhenClause : this.refuse('construct', 'MERGE is not understood');
      if (clause.commandType !== 'CMD_UPDATE' && clause.commandType !== 'CMD_DELETE') continue;
      if (clause.commandType === 'CMD_DELETE') this.deletes = true;
      else this.assign(clause.targetList);
      const byJoin = clause.matchKind === 'MERGE_WHEN_MATCHED' ? reachOf(joinCondition) : 'all';
      this.isUnbounded ||= byJoin === 'all' && reachOf(clause.condition) === 'all';
    }
  }

  private object(names: readonly Node[] | undefined, what: 'function' | 'operator' | 'type' | 'collation'): NamedObject {
    const parts = (names ?? []).map(node => ('String' in node ? node.String.sval ?? '' : ''));
    const [first, second] = parts;
    if (first === undefined || parts.length > 2) return this.refuse(what, `a name of a ${what} has one part, or two with its schema`);
    return second === undefined ? { schema: null, name: first } : { schema: first, name: second };
  }

  private refuse(kind: Refused['kind'], detail: string, at?: number): never { throw new Refused(kind, detail, at ?? this.at); }
}

const nameOf = (query: CommonTableExpr) => query.ctename ?? '';
