export { startEmbeddedPostgres } from './embedded-postgres';
export type { EmbeddedPostgres, EmbeddedPostgresOptions, PostgresConnection } from './embedded-postgres';
export { DataDirInUse, lockDataDir } from './data-dir-lock';
export type { DataDirLock } from './data-dir-lock';
