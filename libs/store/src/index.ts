export * from './store';
export * from './feed';
export * from './migrate';
export * from './postgres-store';
export { Retention, forgottenBefore, type Bound, type RetainedLog, type RetentionOptions, type TrimmedLog } from './retention';
export { BASE_MIGRATIONS, tenantIsolation } from './postgres/base-migrations';
export { endPool } from './postgres/end-pool';
export { BinaryArrays } from './postgres/binary-arrays';
