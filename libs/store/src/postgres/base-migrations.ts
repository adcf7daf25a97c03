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

/**
 * What retention needs, as the service's role may remove nothing itself: each function has the owner's rights and does one
 * thing, for a writer that still is one. `log_trim`: how far each log has been gone through. `log_gap`: ranges of pages
 * that rows were removed from. New rows will fill them, and the BRIN would have them hold the old positions too, so that in
 * time every read would go through most of the table; so they are summarised anew, once nobody sees the removed rows any
 * more. Why it gives up a lock so soon: a vacuum would be cancelled for it.
 */
export class LogTrim1780000005000 implements MigrationInterface {
  readonly name = 'LogTrim1780000005000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE log_trim (writer int2 PRIMARY KEY, up_to int8 NOT NULL DEFAULT 0);
      CREATE TABLE log_gap (block int8 PRIMARY KEY, since timestamptz NOT NULL DEFAULT clock_timestamp());
      CREATE FUNCTION trim_log(of_writer int2, of_epoch int8, wanted int8, most int4, keep uuid[], OUT removed int8, OUT more boolean)
        LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE last int8; start int8; stop int8;
        BEGIN
          IF current_setting('aifirst.tenant', true) IS DISTINCT FROM '*' THEN RAISE insufficient_privilege USING MESSAGE = 'only who sees all tenants may trim the log'; END IF;
          SELECT least(wanted, w.low_water - 1, w.head) INTO last FROM writer w WHERE w.id = of_writer AND w.epoch = of_epoch;
          IF NOT FOUND THEN RETURN; END IF;
          INSERT INTO log_trim (writer) VALUES (of_writer) ON CONFLICT DO NOTHING;
          SELECT t.up_to INTO start FROM log_trim t WHERE t.writer = of_writer FOR UPDATE;
          removed := 0;
          more := false;
          IF last <= start THEN RETURN; END IF;
          stop := least(last, start + greatest(most, 1));
          -- Why the offsets: whatever the planner believes, positions are looked up by the BRIN and streams by their index.
          WITH seen AS MATERIALIZED (SELECT DISTINCT l.stream FROM (SELECT * FROM log WHERE log.position > start AND log.position <= stop OFFSET 0) AS l WHERE l.writer = of_writer),
            lines AS MATERIALIZED (SELECT l.stream, l.version, l.position FROM seen s
              CROSS JOIN LATERAL (SELECT * FROM log WHERE log.stream = s.stream AND log.writer = of_writer OFFSET 0) AS l WHERE s.stream <> ALL (keep)),
            ended AS MATERIALIZED (SELECT l.stream, l.version FROM (SELECT *, max(position) OVER (PARTITION BY stream) AS latest FROM lines) AS l WHERE l.latest <= stop),
            gone AS (DELETE FROM log l USING ended e WHERE l.stream = e.stream AND l.version = e.version AND l.writer = of_writer RETURNING (l.ctid::text::point)[0]::int8 AS block),
            noted AS (INSERT INTO log_gap (block) SELECT DISTINCT g.block - g.block % 32 FROM gone g ON CONFLICT (block) DO UPDATE SET since = clock_timestamp())
          SELECT count(*) INTO removed FROM gone;
          UPDATE log_trim t SET up_to = stop WHERE t.writer = of_writer;
          more := stop < last;
        END $$;
      CREATE FUNCTION tidy_log(most int4) RETURNS int4 LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE gap int8; tidied int4 := 0;
        BEGIN
          PERFORM brin_summarize_new_values('log_position');
          FOR gap IN SELECT g.block FROM log_gap g WHERE g.since < clock_timestamp() - interval '10 minutes' ORDER BY g.block LIMIT most LOOP
            PERFORM brin_desummarize_range('log_position', gap);
            PERFORM brin_summarize_range('log_position', gap);
            DELETE FROM log_gap g WHERE g.block = gap;
            tidied := tidied + 1;
          END LOOP;
          RETURN tidied;
        EXCEPTION WHEN lock_not_available THEN RETURN 0;
        END $$;
      CREATE FUNCTION release_keys(of_writer int2, of_epoch int8, wanted int8, given text[]) RETURNS int4 LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE released int4;
        BEGIN
          IF current_setting('aifirst.tenant', true) IS DISTINCT FROM '*' THEN RAISE insufficient_privilege USING MESSAGE = 'only who sees all tenants may release keys'; END IF;
          IF NOT EXISTS (SELECT FROM writer w WHERE w.id = of_writer AND w.epoch = of_epoch) THEN RETURN NULL; END IF;
          UPDATE log l SET key = NULL WHERE l.writer = of_writer AND l.key = ANY (given) AND l.position <= wanted;
          GET DIAGNOSTICS released = ROW_COUNT;
          RETURN released;
        END $$;
      DO $$ DECLARE service text := current_setting('aifirst.service_role'); made regprocedure; BEGIN
        EXECUTE format('REVOKE ALL ON log_trim, log_gap FROM %I', service);
        FOREACH made IN ARRAY ARRAY['trim_log(int2, int8, int8, int4, uuid[])', 'tidy_log(int4)', 'release_keys(int2, int8, int8, text[])']::regprocedure[] LOOP
          EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
          EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', made, service);
          -- Why pg_temp is named: it would else come first, and whoever calls may make tables there.
          EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', made, current_schema());
        END LOOP;
        ALTER FUNCTION tidy_log SET lock_timeout = '200ms';
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION trim_log, tidy_log, release_keys; DROP TABLE log_trim, log_gap');
  }
}

/** The first migrations of every service's schema. */
export const BASE_MIGRATIONS: readonly (new () => MigrationInterface)[] = [LogWriterDocument1780000000000, LogTrim1780000005000];
