import type { Positions } from '@aifirst/store';
import type { WorkflowStatus, WorkflowView } from '@aifirst/contracts';
import type { FoundTouch, Touch, TouchFilter } from './touches';

/**
 * A view and the last fact that is folded into it: its `sequence` in its producer's log, and which of the workflow's facts
 * it is. 0: none yet; `facts` 0 beside a `sequence`: not known, as of a view that an earlier release stored.
 * `touches`: what its steps have touched since it was stored last; those stored before stay.
 */
export interface ViewRow { readonly view: WorkflowView; readonly sequence: number; readonly facts: number; readonly touches?: readonly Touch[] }

export interface ViewFilter {
  readonly tenant: string;
  readonly agent?: string;
  readonly status?: WorkflowStatus;
  /** All of them must be there with these values. */
  readonly labels?: Readonly<Record<string, string>>;
  /** RFC 3339; from inclusive, to exclusive. */
  readonly createdFrom?: string;
  readonly createdTo?: string;
  /** Only what is older than this place. */
  readonly after?: ViewPlace;
  readonly limit: number;
}
export interface ViewPlace { readonly createdAt: string; readonly id: string }

/**
 * Where the views of workflows are kept between starts. They can be made anew from the facts; so what is asked of the
 * store is that views and positions are stored together.
 */
export interface WorkflowViews {
  /** How far the stored views have come in each source; empty at first. */
  positions(): Promise<Positions>;
  /**
   * Stores views, and positions with the last of them, never before. Idempotent: a row whose sequence is below the stored
   * one's changes nothing. Only one call at a time.
   */
  save(rows: readonly ViewRow[], positions: Positions): Promise<void>;
  /** Those of these workflows that are stored, of all tenants, in no order. */
  read(ids: readonly string[]): Promise<readonly ViewRow[]>;
  /** Those that have not ended, or whose end is doubted, of all tenants, by id. @param after the last id of the page before */
  open(after: string | null, limit: number): Promise<readonly ViewRow[]>;
  /** Ended or not, they count as open until they are stored anew: an order has been given that may move them again. */
  doubt(ids: readonly string[]): Promise<void>;
  /** One of a tenant's. */
  find(tenant: string, id: string): Promise<WorkflowView | null>;
  /** Steps of a tenant's other workflows that have touched the same, in no order; their views say what came of them. */
  touching(filter: TouchFilter): Promise<readonly FoundTouch[]>;
  /** Newest first: by `createdAt`, then `id`, descending. */
  list(filter: ViewFilter): Promise<readonly WorkflowView[]>;
  /** Removes some of those that ended before the given time (RFC 3339) and says how many; 0: there is none left. */
  forget(endedBefore: string): Promise<number>;
  close(): Promise<void>;
}
