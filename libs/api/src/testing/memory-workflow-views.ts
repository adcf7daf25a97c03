import type { Positions } from '@aifirst/store';
import { overlap, type WorkflowView } from '@aifirst/contracts';
import type { FoundTouch, TouchFilter } from '../views/touches';
import type { ViewFilter, ViewRow, WorkflowViews } from '../views/workflow-views';

/** Views that live as long as the test. `saves` counts what PostgreSQL would have had to write. */
export class MemoryWorkflowViews implements WorkflowViews {
  private readonly rows = new Map<string, ViewRow>();
  private readonly doubted = new Set<string>();
  private readonly touched = new Map<string, FoundTouch>();
  private known: Positions = {};
  readonly saves = { calls: 0, rows: 0 };
  /** The next calls of `save` fail with this. */
  failure: Error | null = null;

  async positions(): Promise<Positions> { return this.known; }

  async save(rows: readonly ViewRow[], positions: Positions): Promise<void> {
    await Promise.resolve();
    if (this.failure !== null) throw this.failure;
    this.saves.calls++;
    this.saves.rows += rows.length;
    for (const row of rows) {
      if ((this.rows.get(row.view.id)?.sequence ?? -1) > row.sequence) continue;
      const { touches = [], ...rest } = row;
      this.rows.set(row.view.id, structuredClone(rest));
      for (const touch of touches) {
        const key = `${row.view.id} ${touch.step} ${touch.name}`;
        if ((this.touched.get(key)?.at ?? -Infinity) < touch.at) this.touched.set(key, { ...touch, workflow: row.view.id });
      }
      this.doubted.delete(row.view.id);
    }
    this.known = { ...this.known, ...positions };
  }

  async read(ids: readonly string[]): Promise<readonly ViewRow[]> { return ids.flatMap(id => this.rows.get(id) ?? []); }

  async open(after: string | null, limit: number): Promise<readonly ViewRow[]> {
    const open = [...this.rows.values()].filter(({ view }) => (view.endedAt === null || this.doubted.has(view.id)) && (after === null || view.id > after));
    return open.sort((a, b) => (a.view.id < b.view.id ? -1 : 1)).slice(0, limit);
  }

  async doubt(ids: readonly string[]): Promise<void> { for (const id of ids) if (this.rows.has(id)) this.doubted.add(id); }

  /** What is stored of one now. */
  peek(id: string): ViewRow | undefined { return this.rows.get(id); }

  async find(tenant: string, id: string): Promise<WorkflowView | null> {
    const view = this.rows.get(id)?.view;
    return view?.tenant === tenant ? view : null;
  }

  async touching({ tenant, names, since, except, limit }: TouchFilter): Promise<readonly FoundTouch[]> {
    return [...this.touched.values()].filter(({ workflow, name, at }) =>
      workflow !== except && at >= since && this.rows.get(workflow)?.view.tenant === tenant && names.some(own => overlap(own, name))).slice(0, limit);
  }

  async list({ tenant, agent, status, labels, createdFrom, createdTo, after, limit }: ViewFilter): Promise<readonly WorkflowView[]> {
    const keep = (view: WorkflowView): boolean =>
      view.tenant === tenant && (agent === undefined || view.agent === agent) && (status === undefined || view.status === status)
      && Object.entries(labels ?? {}).every(([name, value]) => view.labels[name] === value)
      && (createdFrom === undefined || view.createdAt >= createdFrom) && (createdTo === undefined || view.createdAt < createdTo)
      && (after === undefined || placeOrder(view, after) > 0);
    return [...this.rows.values()].map(row => row.view).filter(keep).sort(placeOrder).slice(0, limit);
  }

  async forget(endedBefore: string): Promise<number> {
    const old = [...this.rows.values()].filter(({ view }) => view.endedAt !== null && view.endedAt < endedBefore && !this.doubted.has(view.id));
    for (const { view } of old) this.rows.delete(view.id);
    for (const [key, { workflow }] of this.touched) if (!this.rows.has(workflow)) this.touched.delete(key);
    return old.length;
  }

  async close(): Promise<void> {}
}

interface Place { readonly createdAt: string; readonly id: string }
const placeOrder = (a: Place, b: Place): number =>
  a.createdAt !== b.createdAt ? (a.createdAt < b.createdAt ? 1 : -1) : a.id === b.id ? 0 : a.id < b.id ? 1 : -1;
