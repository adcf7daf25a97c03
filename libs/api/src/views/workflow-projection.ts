import type { Batch, Consumer, Delivery, MessageBus } from '@aifirst/bus';
import { TOPICS, type CloudEvent, type PrincipalRef, type WorkflowView } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { type Clock, crashPoint, isUuid, messageOf, OperationalError, Refusal } from '@aifirst/kernel';
import type { Log, Positions, StoredRow } from '@aifirst/store';
import type { GatewayLogger } from '../http/edge';
import { startOf, type AcceptedIntent } from '../intake/intent-intake';
import { reasonOf } from './actions';
import { CATCH_UP_PACE, CatchUp, type CatchUpPace } from './catch-up';
import { pendingView } from './fold-view';
import type { BaseOf, FoundTouch, TouchFilter } from './touches';
import { ViewTable, type Folded, type Kept, type Place } from './view-table';
import { Watchers } from './watchers';
import type { ViewFilter, ViewRow, WorkflowViews } from './workflow-views';

export interface ProjectionOptions {
  readonly views: WorkflowViews;
  readonly bus: MessageBus;
  readonly log: Log;
  readonly neighbours: Neighbours;
  readonly clock: Clock;
  readonly logger: GatewayLogger;
  /** Sends the commands of these intents again, which the orchestrator has not heard of. Absent: nothing is. */
  readonly sendAgain?: (intents: readonly string[]) => Promise<void>;
  /** Default `CATCH_UP_PACE`. */
  readonly pace?: CatchUpPace;
  /** Default `VIEWS_GROUP`. Where each copy of the gateway is to see every fact, each has a group of its own. */
  readonly group?: string;
  /** Default: nothing is known of what connections lead to. */
  readonly baseOf?: BaseOf;
}

export const VIEWS_GROUP = 'gateway.views';
const FLUSH_MS = 100;
/** The command that begins a workflow has arrived by then, or is sent again soon. */
const TAKEN_WITHIN_MS = 10_000;
/** What is at rest is stored at once; what still moves waits, as it would only be stored again. */
const OPEN_SAVE_MS = 1_000;
const RIPE_MAX = 500;
/** Beyond it facts wait for the store. */
const UNSAVED_MAX = 20_000;
const OPEN_MAX = 50_000;
const READ_MAX = 1_000;
/** Workflows whose facts are missing, beyond which the others' facts wait. */
const MISSING_MAX = 5_000;
/** What was ordered shows by then, unless the bus has lost it. */
const ORDER_SHOWS_MS = 300;

/**
 * The workflows as readers see them: folded from the orchestrator's facts in memory, stored in batches behind. Until a
 * view is stored, positions stay before its first change, so that a crash costs only folding again.
 */
export class WorkflowProjection {
  private readonly table: ViewTable;
  private readonly catchUp: CatchUp;
  private readonly watchers = new Watchers();
  private seen: Record<string, number> = {};
  private consumer: Consumer | null = null;
  private saving: Promise<void> = Promise.resolve();
  private cancelTimer: (() => void) | null = null;
  private stopListening: () => void = () => {};
  private stopped = false;

  constructor(private readonly options: ProjectionOptions) {
    const { views, neighbours, clock, logger, pace = CATCH_UP_PACE, sendAgain = async () => {} } = options;
    this.table = new ViewTable(pace.quietMs, this.options.baseOf ?? (() => undefined));
    this.catchUp = new CatchUp({
      table: this.table, views, neighbours, clock, logger, pace, sendAgain, watched: () => this.watchers.ids(),
      fold: event => this.fold(event, null), settle: rows => this.store(rows),
    });
  }

  /** Goes on from what is stored, makes good for intents whose view was not stored, and begins to follow the facts. */
  async start(): Promise<void> {
    const { views, bus } = this.options;
    this.seen = { ...await views.positions() };
    // Why of the log and not of who stores: also what was stored by a commit whose fate nobody learned is somebody's intent.
    this.stopListening = this.options.log.onCommitted(rows => { for (const row of rows) this.hear(row); });
    await this.recoverPending();
    const own = this.options.log.producer;
    this.consumer = await bus.subscribe({
      group: this.options.group ?? VIEWS_GROUP, topics: [TOPICS.workflowEvents],
      from: async () => Object.fromEntries(Object.entries(await views.positions()).filter(([source]) => source !== own)),
      handle: batch => this.handle(batch),
    });
    this.catchUp.start();
  }

  /** Facts that are known to wait. */
  lag(): number { return this.consumer?.lag() ?? 0; }

  private hear(row: StoredRow): void {
    // Why the first: later rows of the stream send the command again.
    const intent = row.version === 1 ? startOf(row) : null;
    if (intent !== null) this.addPending(intent);
  }

  /** The view of an intent that was just stored. */
  addPending(intent: AcceptedIntent): void {
    const { log } = this.options;
    if (this.table.get(intent.start.workflow) === undefined) this.table.add(pendingView(intent.start, intent.tenant, intent.at), { source: log.producer, position: intent.position }, this.now());
    this.see(log.producer, intent.position);
    this.schedule();
  }

  async find(tenant: string, id: string): Promise<WorkflowView | null> {
    const kept = this.table.get(id);
    if (kept !== undefined) return kept.view.tenant === tenant ? shown(kept) : null;
    return this.options.views.find(tenant, id);
  }

  /** As a caller may see it: others' workflows do not exist for an agent, but for those that act on its behalf. @param id as it was sent */
  async visibleTo(principal: Pick<PrincipalRef, 'kind' | 'id'>, tenant: string, id: string): Promise<WorkflowView | null> {
    const known = id.toLowerCase();
    const view = isUuid(known) ? await this.find(tenant, known) : null;
    return view !== null && principal.kind === 'agent' && view.agent !== principal.id && view.parent?.chain.includes(principal.id) !== true ? null : view;
  }

  /** Newest first, as of now. */
  async list(filter: ViewFilter): Promise<readonly WorkflowView[]> {
    await this.flush();
    return this.options.views.list(filter);
  }

  /** Who else touched the same, as of now. */
  async touching(filter: TouchFilter): Promise<readonly FoundTouch[]> {
    await this.flush();
    return this.options.views.touching(filter);
  }

  /** Of these workflows those that are there, as of now. */
  async all(tenant: string, ids: readonly string[]): Promise<readonly WorkflowView[]> {
    const absent = ids.filter(id => this.table.get(id) === undefined);
    const stored = absent.length === 0 ? [] : await this.options.views.read(absent);
    return [...ids.flatMap(id => this.table.get(id)?.view ?? []), ...stored.map(({ view }) => view)].filter(view => view.tenant === tenant);
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

  /**
   * Gives an order by `ask`, which answers with the sequence of the last fact that it makes: that fact will show, whatever
   * the bus loses and whoever ends in between. @returns the view with it, or as it is when the time is over
   */
  async ordered(tenant: string, id: string, ask: () => Promise<{ readonly sequence: number }>, timeoutMs: number): Promise<WorkflowView | null> {
    const isOver = this.catchUp.underOrder(id);
    try {
      // Why: what has ended nobody looks after; were all facts lost that the order makes, nothing would ever tell of them.
      if ((await this.find(tenant, id))?.endedAt !== null) { await this.flush(); await this.options.views.doubt([id]); }
      const { sequence } = await this.onceTaken(tenant, id, ask);
      const waiting = this.waitFor(tenant, id, (_view, seen) => seen >= sequence, timeoutMs);
      const cancel = this.options.clock.after(ORDER_SHOWS_MS, () => { void this.expect(tenant, id, sequence); });
      return await waiting.finally(cancel);
    } finally {
      isOver();
    }
  }

  /** Why: an order may overtake the command that begins its workflow. */
  private async onceTaken<T>(tenant: string, id: string, ask: () => Promise<T>): Promise<T> {
    const isUnknown = (error: unknown): boolean => error instanceof Refusal && error.code === 'NOT_FOUND';
    let taken = false;
    try {
      return await ask();
    } catch (error) {
      if (!isUnknown(error)) throw error;
      await this.waitFor(tenant, id, (_view, seen) => (taken = seen > 0), TAKEN_WITHIN_MS);
    }
    return ask().catch((error: unknown) => {
      if (taken || !isUnknown(error)) throw error;
      throw new OperationalError('NOT_TAKEN_YET', `workflow \`${id}\` has not been begun yet: try again`, { retryable: true });
    });
  }

  private async expect(tenant: string, id: string, sequence: number): Promise<void> {
    try {
      if (this.table.get(id) === undefined) for (const row of await this.options.views.read([id])) this.table.load(row, this.now());
      const kept = this.table.get(id);
      if (kept === undefined || kept.sequence >= sequence) return;
      kept.expected = Math.max(kept.expected, sequence);
      this.catchUp.fill(id, tenant, sequence);
    } catch (error) {
      this.options.logger.warn('a view could not be read and will be looked after later', { workflow: id, error: messageOf(error) });
    }
  }

  /** Calls back for every new fact of a workflow, in order. @returns what ends it */
  watch(id: string, listener: (event: CloudEvent) => void): () => void { return this.watchers.listen(id, listener); }

  /** Stores every view as it is now. */
  flush(): Promise<void> { return this.save(Infinity); }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTimer?.();
    this.stopListening();
    this.catchUp.stop();
    this.watchers.endAll();
    await this.consumer?.stop();
    await this.flush();
  }

  /** Answers everybody who waits with what is known. */
  release(): void { this.watchers.endAll(); }

  private async handle({ deliveries, positions }: Batch): Promise<void> {
    if (this.catchUp.missing >= MISSING_MAX) throw new OperationalError('VIEWS_BEHIND', 'too many facts are missing', { retryable: true });
    await this.loadMissing(deliveries);
    for (const { message: { event }, source, position } of deliveries) {
      if (this.fold(event, { source, position }) !== 'hole') continue;
      this.table.openHole(workflowOf(event), { source, position });
      this.catchUp.fill(workflowOf(event), event.tenant, event.sequence ?? 0);
    }
    for (const [source, position] of Object.entries(positions)) this.see(source, position);
    if (this.table.unsaved >= UNSAVED_MAX) await this.flush();
    else if (this.table.ripe >= RIPE_MAX) void this.saveQuietly(this.now() - OPEN_SAVE_MS);
    else this.schedule();
  }

  private fold(event: CloudEvent, place: Place | null): Folded {
    const workflow = workflowOf(event);
    const folded = this.table.fold(workflow, event, place, this.now());
    if (folded !== 'folded') return folded;
    const { view, sequence } = this.table.get(workflow)!;
    this.watchers.tell(workflow, event, view, sequence);
    if (place === null) this.schedule();
    return folded;
  }

  /** Views that are not in memory come from the store, all of a batch at once. */
  private async loadMissing(deliveries: readonly Delivery[]): Promise<void> {
    const missing = new Set<string>();
    for (const { message: { event } } of deliveries) if (this.table.get(workflowOf(event)) === undefined) missing.add(workflowOf(event));
    if (missing.size > 0) for (const row of await this.options.views.read([...missing])) this.table.load(row, this.now() + (this.options.pace ?? CATCH_UP_PACE).quietMs);
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

  private store(rows: readonly ViewRow[]): Promise<void> {
    const next = this.saving.then(() => this.options.views.save(rows, {}));
    this.saving = next.catch(() => {});
    return next;
  }

  private async saveNow(openBeforeMs: number): Promise<void> {
    const taken = this.table.take(openBeforeMs);
    if (taken.length === 0) return;
    const rows = taken.map(({ view, sequence, facts, touches }): ViewRow => ({ view, sequence, facts, ...(touches.length === 0 ? {} : { touches }) }));
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

const MAY_WAIT: readonly WorkflowView['status'][] = ['pending', 'running', 'committing'];
const workflowOf = (event: CloudEvent): string => event.subject;

/** With what it stands still for, as far as that is known. Not stored: it passes without a fact. */
function shown({ view, waitsFor }: Kept): WorkflowView {
  if (waitsFor === null || waitsFor === undefined || view.statusReason !== null || !MAY_WAIT.includes(view.status)) return view;
  const { resource, holder, since } = waitsFor;
  const detail = holder === null ? `waits for \`${resource}\`, for which others were there before it` : `waits for \`${resource}\`, which workflow \`${holder}\` holds`;
  return { ...view, statusReason: reasonOf('LOCKED', detail, new Date(since).toISOString(), [{ method: 'GET', path: '/v1/locks', by: 'an administrator' }]) };
}
