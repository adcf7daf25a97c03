import { tenantIsolation } from '@aifirst/store';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `bundle`: entries by ranges, deflated, with what finds them: hashed keys of what they are about, and times (ms since 1970).
 * `digest` is of their leaf hashes one after the other, made before they were stored. `producers`: the last number of each
 * producer in the tenant's log up to here. `tile`: a full tile of hashes, and the hash over all of it. Nothing of these is
 * ever changed or removed, by whomever. `fold`: how far every producer is folded; changed by every commit, fenced by its
 * owner, so it has a page of its own.
 */
export class AuditLogs1780000300000 implements MigrationInterface {
  readonly name = 'AuditLogs1780000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE bundle (
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        first int8 NOT NULL,
        count int4 NOT NULL CHECK (count > 0),
        time_min int8 NOT NULL,
        time_max int8 NOT NULL,
        keys int4[] NOT NULL,
        producers text NOT NULL,
        digest bytea NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (tenant, first)
      );
      ALTER TABLE bundle ALTER COLUMN data SET STORAGE EXTERNAL;
      CREATE INDEX bundle_keys ON bundle USING gin (keys);
      CREATE INDEX bundle_time ON bundle USING brin (time_max) WITH (pages_per_range = 32, autosummarize = on);
      CREATE TABLE tile (
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        level int2 NOT NULL,
        index int8 NOT NULL,
        root bytea NOT NULL,
        hashes bytea NOT NULL,
        PRIMARY KEY (tenant, level, index)
      );
      ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
      CREATE TABLE checkpoint (
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        size int8 NOT NULL,
        root bytea NOT NULL,
        note text NOT NULL,
        signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (tenant, size)
      );
      CREATE TABLE log_name (tenant text COLLATE "C" PRIMARY KEY CHECK (tenant NOT IN ('', '*')));
      CREATE TABLE signing_key (
        place int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        deployment text COLLATE "C" NOT NULL,
        public_key bytea NOT NULL,
        from_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        to_at timestamptz
      );
      CREATE TABLE fold (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        owner uuid NOT NULL DEFAULT gen_random_uuid(),
        session int8 NOT NULL DEFAULT 0,
        revision int8 NOT NULL DEFAULT 0,
        positions text NOT NULL DEFAULT '{}',
        producers text NOT NULL DEFAULT '{}'
      ) WITH (fillfactor = 10);
      INSERT INTO fold DEFAULT VALUES;
      ${['bundle', 'tile', 'checkpoint', 'log_name'].map(tenantIsolation).join('')}
      CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
      END $$;
      ${['bundle', 'tile', 'checkpoint', 'log_name'].map(table => `CREATE TRIGGER added_to_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} EXECUTE FUNCTION refuse_change();`).join('\n')}
      -- Why with the owner's rights: row-level security lets no index be used for an operator that could leak, such as @>; so it names the tenant itself.
      CREATE FUNCTION bundles_with(wanted int4[], from_first int8, from_ms int8, to_ms int8, most int4) RETURNS SETOF int8
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
        SELECT first FROM bundle WHERE tenant = current_setting('aifirst.tenant', true) AND keys @> wanted AND first >= from_first
          AND time_max >= from_ms AND time_min < to_ms ORDER BY first LIMIT most $$;
      REVOKE ALL ON FUNCTION bundles_with FROM PUBLIC;
      DO $$ DECLARE service text := current_setting('aifirst.service_role'); BEGIN
        EXECUTE format('REVOKE UPDATE, DELETE ON bundle, tile, checkpoint, log_name FROM %I', service);
        EXECUTE format('REVOKE INSERT, DELETE ON fold FROM %I', service);
        EXECUTE format('REVOKE DELETE ON signing_key FROM %I', service);
        EXECUTE format('GRANT EXECUTE ON FUNCTION bundles_with TO %I', service);
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION bundles_with; DROP TABLE bundle, tile, checkpoint, log_name, signing_key, fold; DROP FUNCTION refuse_change');
  }
}

/** For the schema of the audit service, after the store's and the dead letters' own. */
export const AUDIT_MIGRATIONS: readonly (new () => MigrationInterface)[] = [AuditLogs1780000300000];
