import { BASE_MIGRATIONS, tenantIsolation } from '@aifirst/store';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `workflow_view`: one row per workflow; `data` is the view as JSON text, the other columns are what lists filter by.
 * Labels are indexed only where there are any, open workflows apart from the ended ones, which are nearly all.
 * `view_position`: how far the views have come in each source.
 */
export class WorkflowViews1780000200000 implements MigrationInterface {
  readonly name = 'WorkflowViews1780000200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE workflow_view (
        id uuid PRIMARY KEY,
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        sequence int8 NOT NULL,
        status text COLLATE "C" NOT NULL,
        agent text COLLATE "C" NOT NULL,
        created_ms int8 NOT NULL,
        ended_ms int8,
        labels jsonb,
        data text NOT NULL
      ) WITH (fillfactor = 80, toast_tuple_target = 8160);
      CREATE INDEX workflow_view_newest ON workflow_view (tenant, created_ms DESC, id DESC);
      CREATE INDEX workflow_view_of_agent ON workflow_view (tenant, agent, created_ms DESC, id DESC);
      CREATE INDEX workflow_view_open ON workflow_view (tenant, created_ms DESC, id DESC) WHERE ended_ms IS NULL;
      CREATE INDEX workflow_view_ended ON workflow_view USING brin (ended_ms) WITH (pages_per_range = 32, autosummarize = on);
      CREATE INDEX workflow_view_labels ON workflow_view USING gin (labels jsonb_path_ops) WHERE labels IS NOT NULL;
      CREATE TABLE view_position (source text COLLATE "C" PRIMARY KEY, position int8 NOT NULL) WITH (fillfactor = 10);
      ${tenantIsolation('workflow_view')}`);
  }

  async down(runner: QueryRunner): Promise<void> { await runner.query('DROP TABLE workflow_view, view_position'); }
}

/**
 * `facts`: how many are folded into the view, 0: not known. The index finds what is open, for whoever looks whether the bus
 * has lost its last facts; `ended_ms` of a view that has ended is null while that is in doubt.
 */
export class WorkflowViewFacts1780000300000 implements MigrationInterface {
  readonly name = 'WorkflowViewFacts1780000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE workflow_view ADD COLUMN facts int4 NOT NULL DEFAULT 0;
      CREATE INDEX workflow_view_unended ON workflow_view (id) WHERE ended_ms IS NULL;`);
  }

  async down(runner: QueryRunner): Promise<void> { await runner.query('DROP INDEX workflow_view_unended; ALTER TABLE workflow_view DROP COLUMN facts'); }
}

/**
 * `step_touch`: one row per step and resource that it touched, by the target's own identity where that is known. Names are
 * in bytewise order, so that what lies beneath one is a range. Rows go with their workflow's view.
 */
export class StepTouches1780000400000 implements MigrationInterface {
  readonly name = 'StepTouches1780000400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE step_touch (
        workflow uuid NOT NULL,
        step int2 NOT NULL,
        name text COLLATE "C" NOT NULL,
        tenant text COLLATE "C" NOT NULL CHECK (tenant NOT IN ('', '*')),
        at_ms int8 NOT NULL,
        PRIMARY KEY (workflow, step, name)
      );
      CREATE INDEX step_touch_of ON step_touch (tenant, name, at_ms);
      ${tenantIsolation('step_touch')}`);
  }

  async down(runner: QueryRunner): Promise<void> { await runner.query('DROP TABLE step_touch'); }
}

/** For `migrate`: the gateway's schema. */
export const GATEWAY_MIGRATIONS: readonly (new () => MigrationInterface)[] = [...BASE_MIGRATIONS, WorkflowViews1780000200000, WorkflowViewFacts1780000300000, StepTouches1780000400000];
