export { SqlAdapter, type SqlAdapterOptions } from './sql-adapter';
export type { ResolveSecret } from './pools';
