import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { PostgresStore, migrate } from '@aifirst/store';
import { Client, type ClientConfig } from 'pg';
import { aView } from '../testing';
import { PostgresWorkflowViews } from './postgres-workflow-views';
import { GATEWAY_MIGRATIONS } from './view-migrations';
import { workflowViewsContract } from './workflow-views.contract';

const SCHEMA = 'aifirst_gateway';
let postgres: TestPostgres;
let admin: Client;
let connection: ClientConfig;
let store: PostgresStore;
let views: PostgresWorkflowViews;

beforeAll(async () => {
  postgres = await startTestPostgres();
  connection = (await migrate({ admin: postgres.connection, services: [{ schema: SCHEMA, role: 'aifirst_gateway', migrations: GATEWAY_MIGRATIONS }] })).get(SCHEMA)!;
  admin = new Client(postgres.connection);
  await admin.connect();
  store = new PostgresStore({ connection, schema: SCHEMA, serviceName: 'gateway' });
  views = new PostgresWorkflowViews({ connection, schema: SCHEMA, store });
});
afterAll(async () => {
  await views?.close();
  await store?.close();
  await admin?.end();
  await postgres?.stop();
});

describe('views in PostgreSQL', () => {
  workflowViewsContract(() => views);

  it('are shut off from other tenants by the database itself', async () => {
    const view = aView({ tenant: 'secretive' });
    await views.save([{ view, sequence: 1, facts: 1 }], {});
    const seenBy = (tenant: string) => store.withTenant(tenant, reader => reader.query('SELECT id FROM workflow_view WHERE id = $1', [view.id]));
    expect(await seenBy('secretive')).toHaveLength(1);
    expect(await seenBy('curious')).toEqual([]);
    const bare = new Client({ ...connection, options: `-c search_path=${SCHEMA}` });
    await bare.connect();
    expect((await bare.query('SELECT id FROM workflow_view')).rows).toEqual([]);
    await bare.end();
  });

  it('carry on after their connection was cut', async () => {
    await views.save([{ view: aView(), sequence: 1, facts: 1 }], { 'cut/0': 1 });
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%views'`);
    const view = aView();
    await views.save([{ view, sequence: 1, facts: 1 }], { 'cut/0': 2 }).catch(() => views.save([{ view, sequence: 1, facts: 1 }], { 'cut/0': 2 }));
    expect(await views.positions()).toMatchObject({ 'cut/0': 2 });
    expect(await views.read([view.id])).toHaveLength(1);
  });
});
