export * from './store';
export * from './feed';
export * from './migrate';
export * from './postgres-store';
export { BASE_MIGRATIONS, tenantIsolation } from './postgres/base-migrations';
export { BinaryArrays } from './postgres/binary-arrays';
