export * from './vault';
export * from './lease';
export { MasterKey, newMasterKeyText } from './master-key';
export { PostgresVault } from './postgres-vault';
export type { PostgresKeyRingOptions as PostgresVaultOptions } from './postgres-key-ring';
export { resolveSecretRefs } from './secret-refs';
export { VAULT_MIGRATIONS, VAULT_SCHEMA } from './vault-migrations';
