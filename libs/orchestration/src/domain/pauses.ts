import type { Step, Workflow } from './workflow';

/** Beyond the step's own time: after this long without a report its outcome counts as unknown. */
export const REPORT_GRACE_MS = 10_000;
/** Without an answer for so long an undo's outcome is asked for. */
export const UNDO_REPORT_MS_MAX = 60_000;
/** When an unknown outcome is probed again, counted from the probe before. The last miss leaves it to a person. */
export const PROBE_PAUSES_MS: readonly number[] = [500, 2_000];
/** Between probes after those, where nobody but the target can settle it. */
const ENDLESS_PROBE_MS = 15_000;
/** A parked workflow gives its locks up after this long. */
const PARKED_LOCKS_MS = 15 * 60_000;

const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 10_000;
/** Doubling from 200 ms to 10 s, ±50 %. `attempt` from 1. */
export const retryDelayMs = (attempt: number, chance: number): number =>
  Math.round(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (attempt - 1)) * (0.5 + chance));

/** So many decisions in a row may lead to no start, as control epochs move and leases end. */
const ASKS_FREE = 3;
/** Two decisions further apart do not count as in a row: longer than the longest pause between them. */
export const ASKS_APART_MS = 2 * RETRY_MS_MAX;
/** Not before then is policy asked again: where clocks differ by more than a lease, each answer is out of date when it comes. */
export const mayAskAt = ({ asks, decidedAt }: Step): number =>
  (asks <= ASKS_FREE || decidedAt === null ? -Infinity : decidedAt + Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (asks - ASKS_FREE - 1)));

/** When it is probed again; Infinity: the probe that is under way is the last one. */
export const probeAgainAt = ({ probe, probedAt }: { readonly probe: number; readonly probedAt: number | null }, isEndless = false): number => {
  // Why: 0 after a resume, which begins anew and at once.
  if (probe === 0) return -Infinity;
  const pause = PROBE_PAUSES_MS[probe - 1] ?? (isEndless ? ENDLESS_PROBE_MS : undefined);
  return pause === undefined || probedAt === null ? Infinity : probedAt + pause;
};

/** When a parked workflow loses its locks; Infinity: it holds none, or is not at rest. */
export function losesLocksAt(state: Workflow): number {
  if ((state.status !== 'paused' && state.status !== 'rollbackBlocked') || state.locks.length === 0 || state.parkedAt === null) return Infinity;
  return state.steps.some(({ status }) => status === 'running' || status === 'undoing') ? Infinity : state.parkedAt + PARKED_LOCKS_MS;
}

/** How soon a workflow is looked at again that is overdue and waits for something else than time. It is told of that; this is for what nobody tells. */
export const LOOK_AGAIN_MS = 1_000;

/** When a command without an answer is sent again. */
export interface ResendPace {
  /** The first time, ms after it was sent, and between the first few. */
  readonly firstMs: number;
  /** How often at that pace before each pause is twice the one before. */
  readonly steady: number;
  readonly maxMs: number;
}
/** Where nothing gets lost but by a crash: 5, 15, 35 and 75 s after it was sent, then every minute. */
export const CALM_PACE: ResendPace = { firstMs: 5_000, steady: 1, maxMs: 60_000 };
/**
 * Over a bus that loses: where 30 % of all messages are lost, one way and back, every second try is in vain, so that
 * pauses that double from the start make a chain of steps wait for minutes.
 */
export const LOSSY_PACE: ResendPace = { firstMs: 1_500, steady: 8, maxMs: 30_000 };

/** The first such time after `after`. */
export function resendAt(sentAt: number, after: number, { firstMs, steady, maxMs }: ResendPace = CALM_PACE): number {
  let at = sentAt + firstMs;
  let pause = firstMs;
  for (let count = 1; at <= after; count++) {
    if (pause === maxMs) return at + (Math.floor((after - at) / maxMs) + 1) * maxMs;
    if (count >= steady) pause = Math.min(maxMs, 2 * pause);
    at += pause;
  }
  return at;
}
