/** One thing that is wrong with what the model proposed. `pointer` leads into the intent that was made of it. */
export interface PlanProblem { readonly code: string; readonly detail: string; readonly pointer?: string }

/**
 * `BAD_OPTION`: the planner was set up wrongly. `NO_CAPABILITIES`, `CATALOGUE_TOO_LARGE`: there is nothing to plan with, or
 * too much to tell the model. `MODEL_UNREACHABLE`, `MODEL_TIMEOUT`, `MODEL_REFUSED`, `MODEL_UNREADABLE`: no answer, none in
 * time, a status that is none of success, one that is no answer of a chat endpoint. `IMPOSSIBLE`: the model says so.
 * `NOT_MENDED`: what it proposed was refused to the last. `TOKENS_SPENT`: it has used as many as it may.
 */
export type PlannerCode =
  | 'BAD_OPTION' | 'NO_CAPABILITIES' | 'CATALOGUE_TOO_LARGE' | 'MODEL_UNREACHABLE' | 'MODEL_TIMEOUT' | 'MODEL_REFUSED' | 'MODEL_UNREADABLE'
  | 'IMPOSSIBLE' | 'NOT_MENDED' | 'TOKENS_SPENT';

/** No proposal came of it: nothing was done. The message is one that a person can act on, and holds no secret. */
export class PlannerError extends Error {
  readonly code: PlannerCode;
  /** What was wrong with the last proposal. */
  readonly problems: readonly PlanProblem[];
  /** How often the model had been asked for a proposal. */
  readonly rounds: number;
  /** Of HTTP, where the model's endpoint refused. */
  readonly status: number | null;

  constructor(code: PlannerCode, detail: string, more: { readonly problems?: readonly PlanProblem[]; readonly rounds?: number; readonly status?: number; readonly cause?: unknown } = {}) {
    super(`${code}: ${detail}`, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'PlannerError';
    this.code = code;
    this.problems = more.problems ?? [];
    this.rounds = more.rounds ?? 0;
    this.status = more.status ?? null;
  }
}
