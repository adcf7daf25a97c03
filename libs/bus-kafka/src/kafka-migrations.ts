import type { MigrationInterface, QueryRunner } from 'typeorm';

export class RelayPosition1780000020000 implements MigrationInterface {
  readonly name = 'RelayPosition1780000020000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE relay_position (
        source text COLLATE "C" PRIMARY KEY,
        position int8 NOT NULL CHECK (position >= 0),
        saved_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE relay_position');
  }
}

/** For the schema of every service that produces, after the store's own. */
export const KAFKA_MIGRATIONS: readonly (new () => MigrationInterface)[] = [RelayPosition1780000020000];
