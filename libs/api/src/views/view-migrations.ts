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

/** For `migrate`: the gateway's schema. */
export const GATEWAY_MIGRATIONS: readonly (new () => MigrationInterface)[] = [...BASE_MIGRATIONS, WorkflowViews1780000200000];
