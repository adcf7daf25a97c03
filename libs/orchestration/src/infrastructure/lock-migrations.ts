import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The log of what shards ask of the locks that they share. `lock_head`: the last number; whoever appends has it locked, so
 * that numbers are gapless and become visible in order. `lock_shard`: the last batch of each shard's last writer.
 */
export class LockLog1780000030000 implements MigrationInterface {
  readonly name = 'LockLog1780000030000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE lock_head (one boolean PRIMARY KEY DEFAULT true CHECK (one), number int8 NOT NULL DEFAULT 0) WITH (fillfactor = 10);
      INSERT INTO lock_head DEFAULT VALUES;
      CREATE TABLE lock_shard (shard int4 PRIMARY KEY, epoch int8 NOT NULL, batch int8 NOT NULL) WITH (fillfactor = 10);
      CREATE TABLE lock_entry (
        number int8 PRIMARY KEY,
        shard int4 NOT NULL,
        epoch int8 NOT NULL,
        data text NOT NULL
      );
      CREATE TABLE lock_snapshot (one boolean PRIMARY KEY DEFAULT true CHECK (one), number int8 NOT NULL, state text NOT NULL);

      CREATE FUNCTION read_locks(after int8, most int4, OUT head int8, OUT number int8, OUT data text) RETURNS SETOF record LANGUAGE sql STABLE AS $$
        SELECT h.number, e.number, e.data FROM lock_head h
          LEFT JOIN LATERAL (SELECT * FROM lock_entry l WHERE l.number > after ORDER BY l.number LIMIT most) e ON true ORDER BY e.number
      $$;

      -- Why a function: each statement in it sees what was committed until it begins. A writer that was replaced while this
      -- one waited for the head is seen to be, and what was appended is among what is read, all in one round trip.
      CREATE FUNCTION append_locks(writer_name text, of_shard int4, of_epoch int8, of_batch int8, given text, after int8, most int4, OUT head int8, OUT number int8, OUT data text)
        RETURNS SETOF record LANGUAGE plpgsql AS $$
        DECLARE next int8;
        BEGIN
          -- Why: others act on what they see of this, so it must not be lost.
          IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
          SELECT h.number + 1 INTO STRICT next FROM lock_head h FOR UPDATE;
          IF NOT EXISTS (SELECT FROM writer w WHERE w.name = writer_name AND w.epoch = of_epoch) THEN RETURN; END IF;
          IF NOT EXISTS (SELECT FROM lock_shard s WHERE s.shard = of_shard AND s.epoch = of_epoch AND s.batch >= of_batch) THEN
            UPDATE lock_head h SET number = next;
            INSERT INTO lock_entry (number, shard, epoch, data) VALUES (next, of_shard, of_epoch, given);
            INSERT INTO lock_shard AS s (shard, epoch, batch) VALUES (of_shard, of_epoch, of_batch) ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, batch = excluded.batch;
          END IF;
          RETURN QUERY SELECT * FROM read_locks(after, most);
        END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION append_locks, read_locks; DROP TABLE lock_snapshot, lock_entry, lock_shard, lock_head');
  }
}

/** For the orchestrator's schema, after the store's own. */
export const LOCK_MIGRATIONS: readonly (new () => MigrationInterface)[] = [LockLog1780000030000];
