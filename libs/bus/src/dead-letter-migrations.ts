import { tenantIsolation } from '@aifirst/store';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `place`: the order of parking, which is the order of replay. The message is text as in the log, so that it comes back as it was. */
export class DeadLetter1780000010000 implements MigrationInterface {
  readonly name = 'DeadLetter1780000010000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE dead_letter (
        place int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
        consumer_group text COLLATE "C" NOT NULL,
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        source text COLLATE "C" NOT NULL,
        position int8 NOT NULL,
        row_index int4 NOT NULL,
        topic text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        message_id text COLLATE "C" NOT NULL,
        type text COLLATE "C" NOT NULL,
        code text COLLATE "C" NOT NULL,
        detail text NOT NULL,
        message text NOT NULL,
        parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        status text COLLATE "C" NOT NULL DEFAULT 'parked' CHECK (status IN ('parked', 'replayed', 'discarded')),
        settled_at timestamptz,
        CHECK ((status = 'parked') = (settled_at IS NULL)),
        UNIQUE (consumer_group, source, position, message_id)
      );
      CREATE INDEX dead_letter_parked ON dead_letter (consumer_group, key, place) WHERE status = 'parked';
      CREATE INDEX dead_letter_settled ON dead_letter (settled_at) WHERE status <> 'parked';
      ${tenantIsolation('dead_letter')}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE dead_letter');
  }
}

/** For the schema of every service that consumes, after the store's own. */
export const DEAD_LETTER_MIGRATIONS: readonly (new () => MigrationInterface)[] = [DeadLetter1780000010000];
