import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What sets tenants apart in a table with a column `tenant`: rows are shown and taken only where the setting
 * `aifirst.tenant` names their tenant or is `*`. Where it is not set nothing is seen. For migrations of services' own tables.
 */
export const tenantIsolation = (table: string): string => `
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
  ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant_isolation ON ${table}
    USING ((SELECT current_setting('aifirst.tenant', true)) = '*' OR tenant = (SELECT current_setting('aifirst.tenant', true)));`;

/**
 * `log`: one row per append. BRIN on the position because rows come in its order; a text column because jsonb costs 20 %;
 * rows of up to 8 KiB stay in place uncompressed. `writer`: one row per log and shard, changed by every commit, so mostly
 * empty pages keep its new versions beside the old. `incarnation` is unlogged on purpose: see `INCARNATE`.
 */
export class LogWriterDocument1780000000000 implements MigrationInterface {
  readonly name = 'LogWriterDocument1780000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE writer (
        id int2 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE,
        owner text NOT NULL DEFAULT '',
        epoch int8 NOT NULL DEFAULT 0,
        session int8 NOT NULL DEFAULT 0,
        lease_until timestamptz NOT NULL DEFAULT '-infinity',
        revision int8 NOT NULL DEFAULT 0,
        positions text NOT NULL DEFAULT '{}',
        low_water int8 NOT NULL DEFAULT 0,
        head int8 NOT NULL DEFAULT 0,
        sequence int8 NOT NULL DEFAULT 0
      ) WITH (fillfactor = 10);
      CREATE UNLOGGED TABLE incarnation (id uuid NOT NULL, one boolean PRIMARY KEY DEFAULT true CHECK (one));
      CREATE TABLE log (
        position int8 NOT NULL,
        stream uuid NOT NULL,
        version int8 NOT NULL,
        writer int2 NOT NULL,
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        key text COLLATE "C",
        data text NOT NULL
      ) WITH (toast_tuple_target = 8160);
      CREATE INDEX log_position ON log USING brin (position) WITH (pages_per_range = 32, autosummarize = on);
      CREATE UNIQUE INDEX log_version ON log (stream, version, writer);
      CREATE UNIQUE INDEX log_key ON log (key, writer) WHERE key IS NOT NULL;
      CREATE TABLE document (
        kind text COLLATE "C" NOT NULL,
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        id text COLLATE "C" NOT NULL,
        revision int8 NOT NULL,
        data text NOT NULL,
        PRIMARY KEY (kind, tenant, id)
      ) WITH (fillfactor = 70);
      ${tenantIsolation('log')}
      ${tenantIsolation('document')}
      DO $$ DECLARE service text := current_setting('aifirst.service_role'); BEGIN
        EXECUTE format('REVOKE UPDATE, DELETE ON log, incarnation FROM %I', service);
        EXECUTE format('REVOKE DELETE ON writer FROM %I', service);
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE document, log, incarnation, writer');
  }
}

/** The first migrations of every service's schema. */
export const BASE_MIGRATIONS: readonly (new () => MigrationInterface)[] = [LogWriterDocument1780000000000];
