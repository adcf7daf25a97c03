import type { CloudEvent, WorkflowHead, WorkflowView } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { messageOf, type Clock } from '@aifirst/kernel';
import type { GatewayLogger } from '../http/edge';
import type { Folded, Kept, ViewTable } from './view-table';
import type { ViewRow, WorkflowViews } from './workflow-views';

/** How patiently views wait for what the bus may have lost. */
export interface CatchUpPace {
  /** So long nothing is heard of an open workflow before the orchestrator is asked how far it has come. Default 2,000 ms. */
  readonly quietMs: number;
  /** Each time there is nothing new the pause is twice as long, up to this. Default 30,000 ms. */
  readonly pauseMsMax: number;
  /** How often what is stored as open and not in memory is gone through. Default 30,000 ms. */
  readonly sweepMs: number;
}
export const CATCH_UP_PACE: CatchUpPace = { quietMs: 2_000, pauseMsMax: 30_000, sweepMs: 30_000 };

const ROUND_MS = 500;
/** What one question asks about, and so how many there are a second at most. */
const ROUND_MAX = 250;
/** Commands that are sent again in one round: after an outage thousands may be waiting, and the bus may just be slow. */
const RESENDS_MAX = 100;
/** With more than these waiting at the orchestrator, more than it takes in a second, a command is most likely among them ... */
const LAG_FEW = 1_000;
/** ... unless it has been under way for so long. */
const LAG_PATIENCE_MS = 20_000;
const FILLS_MAX = 8;
const FACTS_PAGE = 500;
const SWEEP_PAGE = 250;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;

export interface CatchUpOptions {
  readonly table: ViewTable;
  readonly views: WorkflowViews;
  readonly neighbours: Neighbours;
  readonly clock: Clock;
  readonly logger: GatewayLogger;
  readonly pace: CatchUpPace;
  /** Folds a fact that the orchestrator was asked for, and tells whoever watches. */
  readonly fold: (event: CloudEvent) => Folded;
  /** Sends the commands of these intents again. */
  readonly sendAgain: (intents: readonly string[]) => Promise<void>;
  /** Stores views as they are, so that nobody doubts their end any more. */
  readonly settle: (rows: readonly ViewRow[]) => Promise<void>;
  readonly watched: () => Iterable<string>;
}

interface Filling { readonly tenant: string; /** Up to this sequence there is something to be had. */ wanted: number; running: boolean; failures: number; cancel: (() => void) | null }

/**
 * The bus may lose anything, for good: a command on its way to the orchestrator, facts on theirs to the views, the last
 * one of a workflow too, after which nothing more comes. So the orchestrator is asked: at once for what lies in a hole,
 * and after a while for what has fallen silent. What it does not know is handed in again.
 */
export class CatchUp {
  private readonly filling = new Map<string, Filling>();
  private readonly waiting: string[] = [];
  private readonly ordering = new Map<string, number>();
  private running = 0;
  private stopped = false;
  private isSilent = false;
  private cancelRound: (() => void) | null = null;
  private cancelSweep: (() => void) | null = null;

  constructor(private readonly options: CatchUpOptions) {}

  start(): void { this.nextRound(ROUND_MS); this.nextSweep(0); }

  stop(): void {
    this.stopped = true;
    this.cancelRound?.();
    this.cancelSweep?.();
    for (const { cancel } of this.filling.values()) cancel?.();
  }

  /** How many workflows facts are missing of. */
  get missing(): number { return this.filling.size; }

  /** There are facts, up to this sequence, that are not folded yet: asks for them. */
  fill(workflow: string, tenant: string, wanted: number): void {
    const known = this.filling.get(workflow);
    if (known !== undefined) { known.wanted = Math.max(known.wanted, wanted); return; }
    this.filling.set(workflow, { tenant, wanted, running: false, failures: 0, cancel: null });
    this.waiting.push(workflow);
    this.work();
  }

  /** While an order is under way nobody says that the end of its workflow holds. @returns what ends it */
  underOrder(workflow: string): () => void {
    this.ordering.set(workflow, (this.ordering.get(workflow) ?? 0) + 1);
    return () => {
      const left = this.ordering.get(workflow)! - 1;
      if (left === 0) this.ordering.delete(workflow); else this.ordering.set(workflow, left);
    };
  }

  private work(): void {
    while (this.running < FILLS_MAX && !this.stopped) {
      const workflow = this.waiting.shift();
      if (workflow === undefined) return;
      this.running++;
      void this.fillNow(workflow, this.filling.get(workflow)!).finally(() => { this.running--; this.work(); });
    }
  }

  private async fillNow(workflow: string, filling: Filling): Promise<void> {
    const { table, clock, logger } = this.options;
    try {
      let isThere = false;
      for (let wanted = -1; wanted < filling.wanted && !isThere;) {
        wanted = filling.wanted;
        await this.askFacts(workflow, filling.tenant);
        isThere = (table.get(workflow)?.sequence ?? 0) >= filling.wanted;
      }
      if (this.stopped) return;
      const kept = table.get(workflow);
      if (!isThere && filling.wanted > 0) logger.warn(kept === undefined ? 'a fact of a workflow whose beginning is nowhere' : 'a fact that its owner does not have', { workflow });
      if (kept !== undefined && !isThere) kept.expected = 0;
      this.filling.delete(workflow);
      table.closeHole(workflow, clock.now());
    } catch (error) {
      if (this.stopped) return;
      if (filling.failures === 0) logger.warn('missing facts could not be asked for and will be again', { workflow, error: messageOf(error) });
      const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** filling.failures++);
      filling.cancel = clock.after(delayMs, () => { filling.cancel = null; this.waiting.push(workflow); this.work(); });
    }
  }

  private async askFacts(workflow: string, tenant: string): Promise<void> {
    const { table, neighbours, fold } = this.options;
    for (let after = -1; ;) {
      const from = table.get(workflow)?.sequence ?? 0;
      if (from === after) return;
      after = from;
      const { items } = await neighbours.ask('orchestrator', 'facts', { tenant, workflow, after, limit: FACTS_PAGE });
      if (this.stopped) return;
      for (const event of items) fold(event);
      if (items.length < FACTS_PAGE) return;
    }
  }

  private nextRound(delayMs: number): void {
    if (this.stopped) return;
    this.cancelRound = this.options.clock.after(delayMs, () => {
      this.round().then(() => { this.isSilent = false; return ROUND_MS; }, (error: unknown) => {
        // Why once: who is away is away for many rounds.
        if (!this.isSilent && !this.stopped) this.options.logger.warn('the orchestrator does not say how far workflows have come', { error: messageOf(error) });
        this.isSilent = true;
        return RETRY_MS_MAX / 2;
      }).then(pauseMs => this.nextRound(pauseMs), () => {});
    });
  }

  private async round(): Promise<void> {
    const { table, clock, sendAgain, logger } = this.options;
    await this.loadWatched();
    const quiet = table.quiet(clock.now(), ROUND_MAX);
    if (quiet.length === 0) return;
    const { heads, lag } = await this.headsOf(quiet.map(({ view }) => view.id));
    const now = clock.now();
    const watched = new Set(this.options.watched());
    const again: string[] = [];
    for (const kept of quiet) {
      const head = heads.get(kept.view.id);
      const isUnknown = head === undefined && isUnheard(kept);
      if (isUnknown && again.length >= RESENDS_MAX) continue;
      this.rest(kept, watched.has(kept.view.id), now);
      if (head !== undefined) this.compare(kept, head);
      else if (isUnknown && mayBeLost(kept.view, lag, now)) again.push(kept.view.intentId);
    }
    if (again.length === 0) return;
    await sendAgain(again).catch((error: unknown) => logger.warn('commands could not be sent again and will be', { intents: again.length, error: messageOf(error) }));
  }

  private rest(kept: Kept, isWatched: boolean, now: number): void {
    const { quietMs, pauseMsMax } = this.options.pace;
    kept.lookAtMs = now + kept.pauseMs;
    kept.pauseMs = Math.min(isWatched ? quietMs : pauseMsMax, 2 * kept.pauseMs);
  }

  private compare(kept: Kept, { facts, waitsFor }: WorkflowHead): void {
    kept.waitsFor = waitsFor ?? null;
    const isCounted = kept.facts > 0 || kept.sequence === 0;
    if (isCounted && facts <= kept.facts && kept.expected <= kept.sequence) return;
    this.fill(kept.view.id, kept.view.tenant, kept.expected > kept.sequence ? kept.expected : 0);
  }

  /** Somebody waits for what is not in memory; what the bus would tell of it may be told elsewhere, or to nobody. */
  private async loadWatched(): Promise<void> {
    const { table, views, watched, clock } = this.options;
    const absent: string[] = [];
    for (const id of watched()) if (table.get(id) === undefined && absent.push(id) === ROUND_MAX) break;
    if (absent.length > 0) for (const row of await views.read(absent)) if (row.view.endedAt === null) table.load(row, clock.now());
  }

  private async headsOf(workflows: readonly string[]): Promise<{ heads: ReadonlyMap<string, WorkflowHead>; lag: number }> {
    const { items, lag } = await this.options.neighbours.ask('orchestrator', 'workflowHeads', { workflows });
    return { heads: new Map(items.map(head => [head.workflow, head])), lag };
  }

  private nextSweep(delayMs: number): void {
    if (this.stopped) return;
    this.cancelSweep = this.options.clock.after(delayMs, () => {
      this.sweep().then(() => this.options.pace.sweepMs, () => this.options.pace.quietMs).then(pauseMs => this.nextSweep(pauseMs), () => {});
    });
  }

  /** What is stored as open and not in memory: after a start, and where there is more than memory holds. */
  private async sweep(): Promise<void> {
    const { table, views, clock, settle } = this.options;
    for (let after: string | null = null; !this.stopped;) {
      const page: readonly ViewRow[] = await views.open(after, SWEEP_PAGE);
      const rows = page.filter(({ view }) => table.get(view.id) === undefined);
      const { heads } = rows.length === 0 ? { heads: new Map<string, WorkflowHead>() } : await this.headsOf(rows.map(({ view }) => view.id));
      const certain: ViewRow[] = [];
      for (const row of rows) {
        const { view, facts, sequence } = row;
        const head = heads.get(view.id);
        const isBehind = head !== undefined && (head.facts > facts || (facts === 0 && sequence > 0));
        if (isBehind || (head === undefined && sequence === 0)) table.load(row, clock.now());
        if (isBehind) this.fill(view.id, view.tenant, 0);
        else if (view.endedAt !== null && !this.ordering.has(view.id)) certain.push(row);
      }
      if (certain.length > 0) await settle(certain);
      const last = page.at(-1);
      if (last === undefined || page.length < SWEEP_PAGE) return;
      after = last.view.id;
    }
  }
}

const isUnheard = ({ facts, sequence }: Kept): boolean => facts === 0 && sequence === 0;
const mayBeLost = ({ createdAt }: WorkflowView, lag: number, now: number): boolean => lag < LAG_FEW || now - Date.parse(createdAt) > LAG_PATIENCE_MS;
