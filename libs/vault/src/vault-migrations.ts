import { tenantIsolation } from '@aifirst/store';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export const VAULT_SCHEMA = 'aifirst_vault';

/** One row per workflow that ever had something to seal. An erased one stays, without its key, so that none is made anew. */
export class DataKeys1780000100000 implements MigrationInterface {
  readonly name = 'DataKeys1780000100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE data_key (
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        workflow uuid PRIMARY KEY,
        wrapped bytea,
        created_at timestamptz NOT NULL DEFAULT now(),
        erased_at timestamptz,
        CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
      );
      ${tenantIsolation('data_key')}
      DO $$ BEGIN EXECUTE format('REVOKE DELETE ON data_key FROM %I', current_setting('aifirst.service_role')); END $$`);
  }

  async down(runner: QueryRunner): Promise<void> { await runner.query('DROP TABLE data_key'); }
}

/** For `migrate({ services: [{ schema: VAULT_SCHEMA, role: 'aifirst_vault', migrations: VAULT_MIGRATIONS }] })`: a schema and role of its own, without a log. */
export const VAULT_MIGRATIONS: readonly (new () => MigrationInterface)[] = [DataKeys1780000100000];
