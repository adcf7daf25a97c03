export * from './statement';
export { prepareSqlSyntax } from './parser';
export { readStatement, type ReadOptions, type ReadResult } from './read-statement';
export { ALLOWED_FUNCTIONS, SYNTAX_FUNCTIONS, isAllowedFunction } from './allowed-functions';
export { isAllowedRelation, isAllowedType } from './allowed-names';
export { STATEMENT_BYTES_MAX } from './text-gate';
