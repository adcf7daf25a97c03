import { Client, DatabaseError, type ClientConfig } from 'pg';
import type { WorkflowView } from '@aifirst/contracts';
import { OperationalError, messageOf } from '@aifirst/kernel';
import { BinaryArrays, type Positions, type PostgresStore } from '@aifirst/store';
import { ENDED } from './facts';
import { boundedName, withAncestors, type FoundTouch, type TouchFilter } from './touches';
import type { ViewFilter, ViewRow, WorkflowViews } from './workflow-views';

export interface PostgresWorkflowViewsOptions {
  /** As the gateway's own role (`migrate` returns it). */
  readonly connection: ClientConfig;
  readonly schema: string;
  /** Where callers' reads go, shut off from other tenants' rows by the database itself. */
  readonly store: Pick<PostgresStore, 'withTenant'>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Per statement, whichever comes first. */
const ROWS_MAX = 1_000;
const BYTES_MAX = 8 * 1024 * 1024;
const FORGET_MAX = 1_000;

const SAVE = `WITH p AS (INSERT INTO view_position (source, position) SELECT * FROM unnest($11::text[], $12::int8[])
    ON CONFLICT (source) DO UPDATE SET position = excluded.position)
  INSERT INTO workflow_view (id, tenant, sequence, status, agent, created_ms, ended_ms, labels, data, facts)
  SELECT v.id, v.tenant, v.sequence, v.status, v.agent, v.created_ms, v.ended_ms, v.labels::jsonb, v.data, v.facts
  FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::int8[], $7::int8[], $8::text[], $9::text[], $10::int8[])
    AS v (id, tenant, sequence, status, agent, created_ms, ended_ms, labels, data, facts)
  ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, status = excluded.status, ended_ms = excluded.ended_ms, data = excluded.data, facts = excluded.facts
    WHERE workflow_view.sequence <= excluded.sequence`;
const READ = 'SELECT data, sequence, facts FROM workflow_view WHERE id = ANY ($1::uuid[])';
const OPEN = 'SELECT data, sequence, facts FROM workflow_view WHERE ended_ms IS NULL AND id > $1 ORDER BY id LIMIT $2';
const DOUBT = 'UPDATE workflow_view SET ended_ms = NULL WHERE id = ANY ($1::uuid[]) AND ended_ms IS NOT NULL';
const NO_ID = '00000000-0000-0000-0000-000000000000';
const FORGET = `WITH gone AS (DELETE FROM workflow_view WHERE id IN (SELECT id FROM workflow_view WHERE ended_ms < $1 LIMIT $2) RETURNING id),
    touches AS (DELETE FROM step_touch WHERE workflow IN (SELECT id FROM gone))
  SELECT id FROM gone`;
// Why the condition: of two calls whose order was lost the later one counts, as with the views.
const TOUCH = `t AS (INSERT INTO step_touch (workflow, step, name, tenant, at_ms)
    SELECT * FROM unnest($13::uuid[], $14::int8[], $15::text[], $16::text[], $17::int8[])
    ON CONFLICT (workflow, step, name) DO UPDATE SET at_ms = excluded.at_ms WHERE step_touch.at_ms < excluded.at_ms)`;
const SAVE_WITH_TOUCHES = SAVE.replace('\n  INSERT', `, ${TOUCH}\n  INSERT`);
// Why the range: '0' is what comes after '/'.
const TOUCHING = `SELECT workflow, step, name, at_ms FROM step_touch WHERE tenant = $1 AND at_ms >= $2 AND workflow <> $3 AND name = ANY ($4::text[])
  UNION ALL
  SELECT t.workflow, t.step, t.name, t.at_ms FROM unnest($5::text[]) AS own (name)
    JOIN step_touch t ON t.tenant = $1 AND t.at_ms >= $2 AND t.workflow <> $3 AND t.name >= (own.name || '/') COLLATE "C" AND t.name < (own.name || '0') COLLATE "C"
  LIMIT $6`;

interface StoredRow { readonly data: string; readonly sequence: string; readonly facts: number }
const rowOf = ({ data, sequence, facts }: StoredRow): ViewRow => ({ view: JSON.parse(data) as WorkflowView, sequence: Number(sequence), facts });

interface Encoded { readonly row: ViewRow; readonly data: string }

/** Views in the gateway's schema: written over one connection that sees all tenants, read by callers over ones that see theirs. */
export class PostgresWorkflowViews implements WorkflowViews {
  private readonly arrays = new BinaryArrays();
  private client: Promise<Client> | null = null;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: PostgresWorkflowViewsOptions) {}

  async positions(): Promise<Positions> {
    const rows = await this.run<{ source: string; position: string }>('view_positions', 'SELECT source, position FROM view_position', () => []);
    return Object.fromEntries(rows.map(({ source, position }) => [source, Number(position)]));
  }

  async save(rows: readonly ViewRow[], positions: Positions): Promise<void> {
    let chunk: Encoded[] = [];
    let bytes = 0;
    for (const row of rows) {
      const data = JSON.stringify(row.view);
      if (chunk.length > 0 && (chunk.length >= ROWS_MAX || bytes + data.length > BYTES_MAX)) { await this.saveChunk(chunk, {}); chunk = []; bytes = 0; }
      chunk.push({ row, data });
      bytes += data.length;
    }
    await this.saveChunk(chunk, positions);
  }

  async read(ids: readonly string[]): Promise<readonly ViewRow[]> {
    if (ids.length === 0) return [];
    return (await this.run<StoredRow>('view_read', READ, () => [this.arrays.uuid(ids)])).map(rowOf);
  }

  async open(after: string | null, limit: number): Promise<readonly ViewRow[]> {
    return (await this.run<StoredRow>('view_open', OPEN, () => [after ?? NO_ID, limit])).map(rowOf);
  }

  async doubt(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.run('view_doubt', DOUBT, () => [this.arrays.uuid(ids)]);
  }

  async find(tenant: string, id: string): Promise<WorkflowView | null> {
    const [row] = await this.options.store.withTenant(tenant, reader => reader.query<{ data: string }>('SELECT data FROM workflow_view WHERE id = $1 AND tenant = $2', [id, tenant]));
    return row === undefined ? null : JSON.parse(row.data) as WorkflowView;
  }

  async touching({ tenant, names, since, except, limit }: TouchFilter): Promise<readonly FoundTouch[]> {
    const own = [...new Set(names.map(boundedName))];
    const upward = [...new Set(own.flatMap(withAncestors))];
    const rows = await this.options.store.withTenant(tenant, reader => reader.query<{ workflow: string; step: number; name: string; at_ms: string }>(TOUCHING, [tenant, since, except, upward, own, limit]));
    return rows.map(({ workflow, step, name, at_ms: at }) => ({ workflow, step, name, at: Number(at) }));
  }

  async list(filter: ViewFilter): Promise<readonly WorkflowView[]> {
    const { text, values } = listStatement(filter);
    const rows = await this.options.store.withTenant(filter.tenant, reader => reader.query<{ data: string }>(text, values));
    return rows.map(({ data }) => JSON.parse(data) as WorkflowView);
  }

  async forget(endedBefore: string): Promise<number> {
    let count = 0;
    await this.run('view_forget', FORGET, () => [Date.parse(endedBefore), FORGET_MAX], removed => { count = removed; });
    return count;
  }

  async close(): Promise<void> {
    const { client } = this;
    this.client = null;
    await this.last.catch(() => {});
    await client?.then(one => one.end(), () => {});
  }

  private async saveChunk(chunk: readonly Encoded[], positions: Positions): Promise<void> {
    const touches = chunk.flatMap(({ row: { view, touches: all = [] } }) => all.map(touch => ({ ...touch, view })));
    const touched = touches.length > 0;
    await this.run(touched ? 'view_save_touches' : 'view_save', touched ? SAVE_WITH_TOUCHES : SAVE, () => {
      const views = chunk.map(({ row }) => row.view);
      const { arrays } = this;
      return [
        arrays.uuid(views.map(view => view.id)), arrays.text(views.map(view => view.tenant)), arrays.int8(chunk.map(({ row }) => row.sequence)), arrays.text(views.map(view => view.status)),
        arrays.text(views.map(view => view.agent)), arrays.int8(views.map(view => Date.parse(view.createdAt))),
        arrays.int8(views.map(view => (view.endedAt === null ? null : Date.parse(view.endedAt)))), arrays.text(views.map(labelsOf)), arrays.text(chunk.map(({ data }) => data)), arrays.int8(chunk.map(({ row }) => row.facts)),
        arrays.text(Object.keys(positions)), arrays.int8(Object.values(positions)),
        ...(touched ? [
          arrays.uuid(touches.map(({ view }) => view.id)), arrays.int8(touches.map(({ step }) => step)), arrays.text(touches.map(({ name }) => name)), arrays.text(touches.map(({ view }) => view.tenant)), arrays.int8(touches.map(({ at }) => at)),
        ] : []),
      ];
    });
  }

  /** One statement after the other: they share a connection and the scratch buffer of their parameters. */
  private run<Row extends object>(name: string, text: string, values: () => unknown[], onCount: (count: number) => void = () => {}): Promise<Row[]> {
    const next = this.last.then(async () => {
      const client = await this.connected();
      this.arrays.reset();
      try {
        const { rows, rowCount } = await client.query<Row>({ name, text, values: values() });
        onCount(rowCount ?? 0);
        return rows;
      } catch (error) {
        if (!(error instanceof DatabaseError) || /^(08|57P)/.test(error.code ?? '')) { this.client = null; client.end().catch(() => {}); }
        throw operational(error);
      }
    });
    this.last = next.catch(() => {});
    return next;
  }

  private connected(): Promise<Client> {
    this.client ??= this.connect().catch((error: unknown) => { this.client = null; throw operational(error); });
    return this.client;
  }

  private async connect(): Promise<Client> {
    const { connection, schema } = this.options;
    const settings = { search_path: schema, 'aifirst.tenant': '*', statement_timeout: String(STATEMENT_TIMEOUT_MS), tcp_keepalives_idle: '10' };
    const options = [...(connection.options === undefined ? [] : [connection.options]), ...Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`)].join(' ');
    const client = new Client({ ...connection, options, application_name: `aifirst ${schema} views`, keepAlive: true, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
    const lost = () => { if (this.client !== null) this.client = null; };
    client.on('error', lost);
    client.on('end', lost);
    await client.connect();
    return client;
  }
}

function listStatement({ tenant, agent, status, labels, createdFrom, createdTo, after, limit }: ViewFilter): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const put = (value: unknown): string => `$${values.push(value)}`;
  const where = [`tenant = ${put(tenant)}`];
  if (agent !== undefined) where.push(`agent = ${put(agent)}`);
  if (status !== undefined) {
    where.push(`status = ${put(status)}`);
    // Why: implied by the status, and what makes the index of open workflows fit.
    if (!ENDED.includes(status)) where.push('ended_ms IS NULL');
  }
  if (labels !== undefined) where.push(`labels IS NOT NULL AND labels @> ${put(JSON.stringify(labels))}::jsonb`);
  if (createdFrom !== undefined) where.push(`created_ms >= ${put(Date.parse(createdFrom))}`);
  if (createdTo !== undefined) where.push(`created_ms < ${put(Date.parse(createdTo))}`);
  if (after !== undefined) where.push(`(created_ms, id) < (${put(Date.parse(after.createdAt))}::int8, ${put(after.id)}::uuid)`);
  return { text: `SELECT data FROM workflow_view WHERE ${where.join(' AND ')} ORDER BY created_ms DESC, id DESC LIMIT ${put(limit)}`, values };
}

const labelsOf = ({ labels }: WorkflowView): string | null => (Object.keys(labels).length === 0 ? null : JSON.stringify(labels));

function operational(error: unknown): OperationalError {
  if (error instanceof OperationalError) return error;
  const refused = error instanceof DatabaseError && !/^(08|40|53|55|57|58)/.test(error.code ?? '');
  return new OperationalError(refused ? 'VIEWS_FAILED' : 'VIEWS_UNAVAILABLE', `views: ${messageOf(error)}`, { retryable: !refused, cause: error });
}
