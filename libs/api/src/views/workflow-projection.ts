import type { Batch, Consumer, Delivery, MessageBus } from '@aifirst/bus';
import { TOPICS, type CloudEvent, type WorkflowView } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { crashPoint, messageOf, type Clock } from '@aifirst/kernel';
import type { Log, Positions } from '@aifirst/store';
import type { GatewayLogger } from '../http/edge';
import { startOf, type AcceptedIntent } from '../intake/intent-intake';
import { pendingView } from './fold-view';
import { ViewTable, type Kept } from './view-table';
import { Watchers } from './watchers';
import type { ViewFilter, WorkflowViews } from './workflow-views';

export interface ProjectionOptions {
  readonly views: WorkflowViews;
  readonly bus: MessageBus;
  readonly log: Log;
  readonly neighbours: Neighbours;
  readonly clock: Clock;
  readonly logger: GatewayLogger;
}

export const VIEWS_GROUP = 'gateway.views';
const FLUSH_MS = 100;
/** What is at rest is stored at once; what still moves waits, as it would only be stored again. */
const OPEN_SAVE_MS = 1_000;
const RIPE_MAX = 500;
/** Beyond it facts wait for the store. */
const UNSAVED_MAX = 20_000;
const OPEN_MAX = 50_000;
const READ_MAX = 1_000;
const FACTS_PAGE = 500;

/**
 * The workflows as readers see them: folded from the orchestrator's facts in memory, stored in batches behind. Until a
 * view is stored, positions stay before its first change, so that a crash costs only folding again.
 */
export class WorkflowProjection {
  private readonly table = new ViewTable();
  private readonly watchers = new Watchers();
  private seen: Record<string, number> = {};
  private consumer: Consumer | null = null;
  private saving: Promise<void> = Promise.resolve();
  private cancelTimer: (() => void) | null = null;
  private stopped = false;

  constructor(private readonly options: ProjectionOptions) {}

  /** Goes on from what is stored, makes good for intents whose view was not stored, and begins to follow the facts. */
  async start(): Promise<void> {
    const { views, bus } = this.options;
    this.seen = { ...await views.positions() };
    await this.recoverPending();
    const own = this.options.log.producer;
    this.consumer = await bus.subscribe({
      group: VIEWS_GROUP, topics: [TOPICS.workflowEvents],
      from: async () => Object.fromEntries(Object.entries(await views.positions()).filter(([source]) => source !== own)),
      handle: batch => this.handle(batch),
    });
  }

  /** Facts that are known to wait. */
  lag(): number { return this.consumer?.lag() ?? 0; }

  /** The view of an intent that was just stored. */
  addPending(intent: AcceptedIntent): void {
    const { log } = this.options;
    this.table.add(pendingView(intent.start, intent.tenant, intent.at), log.producer, intent.position, this.now());
    this.see(log.producer, intent.position);
    this.schedule();
  }

  async find(tenant: string, id: string): Promise<WorkflowView | null> {
    const kept = this.table.get(id);
    if (kept !== undefined) return kept.view.tenant === tenant ? kept.view : null;
    return this.options.views.find(tenant, id);
  }

  /** Newest first, as of now. */
  async list(filter: ViewFilter): Promise<readonly WorkflowView[]> {
    await this.flush();
    return this.options.views.list(filter);
  }

  /** @returns the view as soon as `until` holds for it, or as it is when the time is over; null: no such workflow */
  async waitFor(tenant: string, id: string, until: (view: WorkflowView, sequence: number) => boolean, timeoutMs: number): Promise<WorkflowView | null> {
    const stop = this.watchers.wait(id, until, this.options.clock, timeoutMs);
    try {
      const kept = this.table.get(id);
      if (kept === undefined) {
        const [row] = await this.options.views.read([id]);
        // Why: it may have come back into memory meanwhile.
        if (this.table.get(id) === undefined) { if (row === undefined || until(row.view, row.sequence)) return row?.view.tenant === tenant ? row.view : null; }
      } else if (until(kept.view, kept.sequence)) return this.find(tenant, id);
      await stop.done;
      return await this.find(tenant, id);
    } finally {
      stop.cancel();
    }
  }

  /** Calls back for every new fact of a workflow, in order. @returns what ends it */
  watch(id: string, listener: (event: CloudEvent) => void): () => void { return this.watchers.listen(id, listener); }

  /** Stores every view as it is now. */
  flush(): Promise<void> { return this.save(Infinity); }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTimer?.();
    this.watchers.endAll();
    await this.consumer?.stop();
    await this.flush();
  }

  /** Answers everybody who waits with what is known. */
  release(): void { this.watchers.endAll(); }

  private async handle({ deliveries, positions }: Batch): Promise<void> {
    await this.loadMissing(deliveries);
    for (const delivery of deliveries) {
      const { event } = delivery.message;
      const workflow = workflowOf(event);
      const before = this.table.get(workflow)?.sequence ?? -1;
      const kept = this.table.fold(workflow, event, delivery.source, delivery.position, this.now());
      if (kept === null) this.options.logger.warn('a fact of a workflow whose beginning is nowhere', { workflow, type: event.type });
      else if (kept.sequence > before) this.watchers.tell(workflow, event, kept.view, kept.sequence);
    }
    for (const [source, position] of Object.entries(positions)) this.see(source, position);
    if (this.table.unsaved >= UNSAVED_MAX) await this.flush();
    else if (this.table.ripe >= RIPE_MAX) void this.saveQuietly(this.now() - OPEN_SAVE_MS);
    else this.schedule();
  }

  /** Views that are not in memory come from the store, all of a batch at once; those not there either from the facts. */
  private async loadMissing(deliveries: readonly Delivery[]): Promise<void> {
    const missing = new Map<string, CloudEvent>();
    for (const { message: { event } } of deliveries) {
      const workflow = workflowOf(event);
      if (this.table.get(workflow) === undefined && !missing.has(workflow)) missing.set(workflow, event);
    }
    if (missing.size === 0) return;
    for (const row of await this.options.views.read([...missing.keys()])) { this.table.load(row); missing.delete(row.view.id); }
    for (const [workflow, first] of missing) if (first.type !== INTENT_SUBMITTED) await this.rebuild(workflow, first);
  }

  private async rebuild(workflow: string, first: CloudEvent): Promise<void> {
    const source = first.producer;
    for (let after = 0; ;) {
      const { items } = await this.options.neighbours.ask('orchestrator', 'facts', { tenant: first.tenant, workflow, after, limit: FACTS_PAGE });
      // Why: the position is not known here; before everything is the safe one.
      for (const event of items) if ((event.sequence ?? 0) < (first.sequence ?? 0)) this.table.fold(workflow, event, source, (this.seen[source] ?? 0) + 1, this.now());
      if (items.length < FACTS_PAGE) return;
      after = items[items.length - 1]!.sequence ?? after + FACTS_PAGE;
    }
  }

  private async recoverPending(): Promise<void> {
    const { log, views } = this.options;
    for (let after = this.seen[log.producer] ?? 0; after < log.head();) {
      const rows = await log.read(after, READ_MAX);
      if (rows.length === 0) return;
      const intents = rows.flatMap(row => startOf(row) ?? []);
      const stored = new Set((await views.read(intents.map(({ start }) => start.workflow))).map(({ view }) => view.id));
      for (const intent of intents) if (!stored.has(intent.start.workflow)) this.addPending(intent);
      after = rows[rows.length - 1]!.position;
      this.see(log.producer, after);
    }
  }

  private see(source: string, position: number): void { this.seen[source] = Math.max(this.seen[source] ?? 0, position); }

  private schedule(): void {
    if (this.cancelTimer !== null || this.stopped || this.table.unsaved === 0) return;
    this.cancelTimer = this.options.clock.after(FLUSH_MS, () => { this.cancelTimer = null; void this.saveQuietly(this.now() - OPEN_SAVE_MS); });
  }

  private async saveQuietly(openBeforeMs: number): Promise<void> {
    try {
      await this.save(openBeforeMs);
    } catch (error) {
      this.options.logger.warn('views could not be stored and will be again', { error: messageOf(error), unsaved: this.table.unsaved });
    }
    this.schedule();
  }

  /** One after the other: the store takes one call at a time. */
  private save(openBeforeMs: number): Promise<void> {
    const next = this.saving.then(() => this.saveNow(openBeforeMs));
    this.saving = next.catch(() => {});
    return next;
  }

  private async saveNow(openBeforeMs: number): Promise<void> {
    const taken = this.table.take(openBeforeMs);
    if (taken.length === 0) return;
    const rows = taken.map(({ view, sequence }) => ({ view, sequence }));
    const positions: Positions = this.table.positionsAfter(new Set<Kept>(taken), this.seen);
    const undo = this.table.markSaved(taken);
    try {
      crashPoint('views.flush.before');
      await this.options.views.save(rows, positions);
      crashPoint('views.flush.after');
    } catch (error) {
      undo();
      throw error;
    }
    this.table.evict(taken, id => this.watchers.isWatched(id), OPEN_MAX);
  }

  private now(): number { return this.options.clock.now(); }
}

const INTENT_SUBMITTED = 'aifirst.workflow.intent-submitted.v1';
const workflowOf = (event: CloudEvent): string => event.subject;
