/**
 * The kinds of node a statement may consist of, with the fields each may have: what is not listed here is refused, a field of a listed kind too,
 * so that a newer parser cannot bring in what nobody has thought about.
 */
export type FieldRule =
  /** A word, number or flag, or names that the visitor of the node has checked. */
  | 'plain'
  /** A node with its kind written around it, or a list of such. */
  | 'node'
  /** Handled by the reader by itself: WITH opens a scope, a target is written. */
  | 'scope' | 'target'
  /** The fields of that kind, without the kind written around. */
  | { readonly kind: string };

type Shape = ReadonlyMap<string, FieldRule>;

const words = (text: string | undefined) => (text ?? '').split(' ').filter(word => word !== '');

function shape(spec: { plain?: string; node?: string; bare?: Readonly<Record<string, string>>; scope?: string; target?: string }): Shape {
  return new Map<string, FieldRule>([
    ['location', 'plain'],
    ...words(spec.plain).map(field => [field, 'plain'] as const),
    ...words(spec.node).map(field => [field, 'node'] as const),
    ...Object.entries(spec.bare ?? {}).map(([field, kind]) => [field, { kind }] as const),
    ...words(spec.scope).map(field => [field, 'scope'] as const),
    ...words(spec.target).map(field => [field, 'target'] as const),
  ]);
}

const alias = { alias: 'Alias' };

export const SHAPES: ReadonlyMap<string, Shape> = new Map(Object.entries({
  // Statements
  SelectStmt: shape({
    node: 'distinctClause targetList fromClause whereClause groupClause havingClause windowClause valuesLists sortClause limitOffset limitCount lockingClause',
    plain: 'groupDistinct limitOption op all', bare: { larg: 'SelectStmt', rarg: 'SelectStmt' }, scope: 'withClause',
  }),
  InsertStmt: shape({ node: 'cols selectStmt', plain: 'override', bare: { onConflictClause: 'OnConflictClause', returningClause: 'ReturningClause' }, scope: 'withClause', target: 'relation' }),
  UpdateStmt: shape({ node: 'targetList whereClause fromClause', bare: { returningClause: 'ReturningClause' }, scope: 'withClause', target: 'relation' }),
  DeleteStmt: shape({ node: 'usingClause whereClause', bare: { returningClause: 'ReturningClause' }, scope: 'withClause', target: 'relation' }),
  MergeStmt: shape({ node: 'sourceRelation joinCondition mergeWhenClauses', bare: { returningClause: 'ReturningClause' }, scope: 'withClause', target: 'relation' }),
  TruncateStmt: shape({ plain: 'behavior', target: 'relations' }),
  // Clauses
  OnConflictClause: shape({ plain: 'action', node: 'targetList whereClause', bare: { infer: 'InferClause' } }),
  InferClause: shape({ plain: 'conname', node: 'indexElems whereClause' }),
  IndexElem: shape({ plain: 'name collation opclass ordering nulls_ordering', node: 'expr' }),
  ReturningClause: shape({ node: 'options exprs' }),
  ReturningOption: shape({ plain: 'option value' }),
  MergeWhenClause: shape({ plain: 'matchKind commandType override', node: 'condition targetList values' }),
  CommonTableExpr: shape({
    plain: 'ctename ctematerialized', node: 'aliascolnames ctequery', bare: { search_clause: 'CTESearchClause', cycle_clause: 'CTECycleClause' },
  }),
  CTESearchClause: shape({ plain: 'search_breadth_first search_seq_column', node: 'search_col_list' }),
  CTECycleClause: shape({ plain: 'cycle_mark_column cycle_path_column', node: 'cycle_col_list cycle_mark_value cycle_mark_default' }),
  LockingClause: shape({ plain: 'lockedRels strength waitPolicy' }),
  ResTarget: shape({ plain: 'name', node: 'indirection val' }),
  MultiAssignRef: shape({ plain: 'colno ncolumns', node: 'source' }),
  SortBy: shape({ plain: 'sortby_dir sortby_nulls useOp', node: 'node' }),
  WindowDef: shape({ plain: 'name refname frameOptions', node: 'partitionClause orderClause startOffset endOffset' }),
  GroupingSet: shape({ plain: 'kind', node: 'content' }),
  // What is in FROM
  RangeVar: shape({ plain: 'schemaname relname inh relpersistence', bare: alias }),
  RangeSubselect: shape({ plain: 'lateral', node: 'subquery', bare: alias }),
  RangeFunction: shape({ plain: 'lateral ordinality is_rowsfrom', node: 'functions coldeflist', bare: alias }),
  RangeTableSample: shape({ plain: 'method', node: 'relation args repeatable' }),
  JoinExpr: shape({ plain: 'jointype isNatural', node: 'larg rarg usingClause quals', bare: { ...alias, join_using_alias: 'Alias' } }),
  Alias: shape({ plain: 'aliasname', node: 'colnames' }),
  ColumnDef: shape({ plain: 'colname is_local', bare: { typeName: 'TypeName', collClause: 'CollateClause' } }),
  JsonTable: shape({ plain: 'lateral', node: 'passing columns', bare: { ...alias, context_item: 'JsonValueExpr', pathspec: 'JsonTablePathSpec', on_error: 'JsonBehavior' } }),
  JsonTableColumn: shape({
    plain: 'coltype name wrapper quotes', node: 'columns',
    bare: { typeName: 'TypeName', pathspec: 'JsonTablePathSpec', format: 'JsonFormat', on_empty: 'JsonBehavior', on_error: 'JsonBehavior' },
  }),
  JsonTablePathSpec: shape({ plain: 'name name_location', node: 'string' }),
  // Expressions
  A_Const: shape({ plain: 'ival fval boolval sval bsval isnull' }),
  A_Expr: shape({ plain: 'kind name rexpr_list_start rexpr_list_end', node: 'lexpr rexpr' }),
  A_ArrayExpr: shape({ plain: 'list_start list_end', node: 'elements' }),
  A_Indices: shape({ plain: 'is_slice', node: 'lidx uidx' }),
  A_Indirection: shape({ node: 'arg indirection' }),
  A_Star: shape({}),
  BoolExpr: shape({ plain: 'boolop', node: 'args' }),
  BooleanTest: shape({ plain: 'booltesttype', node: 'arg' }),
  CaseExpr: shape({ node: 'arg args defresult' }),
  CaseWhen: shape({ node: 'expr result' }),
  CoalesceExpr: shape({ node: 'args' }),
  CollateClause: shape({ plain: 'collname', node: 'arg' }),
  ColumnRef: shape({ plain: 'fields' }),
  FuncCall: shape({
    plain: 'funcname agg_within_group agg_star agg_distinct func_variadic funcformat', node: 'args agg_order agg_filter', bare: { over: 'WindowDef' },
  }),
  GroupingFunc: shape({ node: 'args' }),
  Integer: shape({ plain: 'ival' }),
  List: shape({ node: 'items' }),
  MergeSupportFunc: shape({ plain: 'msftype' }),
  MinMaxExpr: shape({ plain: 'op', node: 'args' }),
  NamedArgExpr: shape({ plain: 'name argnumber', node: 'arg' }),
  NullTest: shape({ plain: 'nulltesttype', node: 'arg' }),
  ParamRef: shape({ plain: 'number' }),
  RowExpr: shape({ plain: 'row_format', node: 'args' }),
  SetToDefault: shape({}),
  SQLValueFunction: shape({ plain: 'op typmod' }),
  String: shape({ plain: 'sval' }),
  SubLink: shape({ plain: 'subLinkType operName', node: 'testexpr subselect' }),
  TypeCast: shape({ node: 'arg', bare: { typeName: 'TypeName' } }),
  TypeName: shape({ plain: 'names typemod', node: 'typmods arrayBounds' }),
  JsonFormat: shape({ plain: 'format_type encoding' }),
  JsonReturning: shape({ bare: { format: 'JsonFormat' } }),
  JsonOutput: shape({ bare: { typeName: 'TypeName', returning: 'JsonReturning' } }),
  JsonValueExpr: shape({ node: 'raw_expr', bare: { format: 'JsonFormat' } }),
  JsonBehavior: shape({ plain: 'btype', node: 'expr' }),
  JsonArgument: shape({ plain: 'name', bare: { val: 'JsonValueExpr' } }),
  JsonKeyValue: shape({ node: 'key', bare: { value: 'JsonValueExpr' } }),
  JsonFuncExpr: shape({
    plain: 'op wrapper quotes', node: 'pathspec passing', bare: { context_item: 'JsonValueExpr', output: 'JsonOutput', on_empty: 'JsonBehavior', on_error: 'JsonBehavior' },
  }),
  JsonIsPredicate: shape({ plain: 'item_type unique_keys', node: 'expr', bare: { format: 'JsonFormat' } }),
  JsonParseExpr: shape({ plain: 'unique_keys', bare: { expr: 'JsonValueExpr', output: 'JsonOutput' } }),
  JsonScalarExpr: shape({ node: 'expr', bare: { output: 'JsonOutput' } }),
  JsonSerializeExpr: shape({ bare: { expr: 'JsonValueExpr', output: 'JsonOutput' } }),
  JsonObjectConstructor: shape({ plain: 'absent_on_null unique', node: 'exprs', bare: { output: 'JsonOutput' } }),
  JsonArrayConstructor: shape({ plain: 'absent_on_null', node: 'exprs', bare: { output: 'JsonOutput' } }),
  JsonArrayQueryConstructor: shape({ plain: 'absent_on_null', node: 'query', bare: { output: 'JsonOutput', format: 'JsonFormat' } }),
  JsonAggConstructor: shape({ node: 'agg_filter agg_order', bare: { output: 'JsonOutput', over: 'WindowDef' } }),
  JsonObjectAgg: shape({ plain: 'absent_on_null unique', bare: { constructor: 'JsonAggConstructor', arg: 'JsonKeyValue' } }),
  JsonArrayAgg: shape({ plain: 'absent_on_null', bare: { constructor: 'JsonAggConstructor', arg: 'JsonValueExpr' } }),
}));
