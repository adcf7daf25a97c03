import type { Direction } from '@aifirst/contracts';
import { invariant } from '@aifirst/kernel';

/** Places in a plan, which has at most 1,000 steps. */
export const STEPS_MAX = 1_024;
/** Tries of one undo within a generation. */
export const ATTEMPTS_MAX = 4_095;
/** So that every version stays below 2^53. */
export const GENERATIONS_MAX = 2 ** 29 - 1;

/** Which call of a step is meant. `attempt` counts for undo only: a forward call has one key per generation, however often it is sent. */
export interface CallId {
  readonly workflow: string;
  readonly index: number;
  readonly generation: number;
  readonly direction: Direction;
  readonly attempt: number;
}
/** A `claim` row takes the key: it holds the before-image, or closes the key for good. An `outcome` row says what came of the act. */
export type RowKind = 'claim' | 'outcome';

/**
 * The step key as a row's version in the workflow's stream:
 * `(((generation * 1024 + index) * 4096 + attempt) * 2 + direction) * 2 + kind`, attempt and direction 0 for forward,
 * attempt from 1 and direction 1 for undo, kind 0 for claim, 1 for outcome.
 */
export function versionOf(call: CallId, kind: RowKind): number {
  const undo = call.direction === 'undo';
  invariant(call.index < STEPS_MAX && call.generation <= GENERATIONS_MAX && call.attempt <= ATTEMPTS_MAX, 'a step key is out of bounds');
  return (((call.generation * STEPS_MAX + call.index) * (ATTEMPTS_MAX + 1) + (undo ? call.attempt : 0)) * 2 + (undo ? 1 : 0)) * 2 + (kind === 'claim' ? 0 : 1);
}

/** The inverse of `versionOf`; a forward call's attempt comes back as 1. */
export function callOf(workflow: string, version: number): { readonly call: CallId; readonly kind: RowKind } {
  const kind = version % 2 === 0 ? 'claim' : 'outcome';
  const direction = Math.floor(version / 2) % 2 === 0 ? 'forward' : 'undo';
  const rest = Math.floor(version / 4);
  const attempt = rest % (ATTEMPTS_MAX + 1);
  const place = Math.floor(rest / (ATTEMPTS_MAX + 1));
  return {
    kind,
    call: { workflow, direction, index: place % STEPS_MAX, generation: Math.floor(place / STEPS_MAX), attempt: direction === 'undo' ? attempt : 1 },
  };
}

/** When a workflow was made, by its id (UUID v7): ms since 1970; 0 where the id does not tell. */
export const madeAt = (workflow: string): number => (workflow[14] === '7' ? Number.parseInt(workflow.slice(0, 8) + workflow.slice(9, 13), 16) : 0);

/** One step in one generation, both directions: what is worked on by one task at a time. */
export const slotOf = (call: Pick<CallId, 'workflow' | 'index' | 'generation'>): string => `${call.workflow}/${call.generation}/${call.index}`;
