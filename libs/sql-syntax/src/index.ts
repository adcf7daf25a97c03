export * from './statement';
export { prepareSqlSyntax } from './parser';
export { readStatement, type ReadOptions, type ReadResult } from './read-statement';
export { readScript, SCRIPT_STATEMENTS_MAX, type ReadScriptResult } from './read-script';
export { ALLOWED_FUNCTIONS, SYNTAX_FUNCTIONS, isAllowedFunction } from './allowed-functions';
export { isAllowedRelation, isAllowedType } from './allowed-names';
export { resourceName } from './resource-name';
export { STATEMENT_BYTES_MAX } from './text-gate';
