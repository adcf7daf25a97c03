/**
 * A failure of operation, as against an expected outcome (a value) or a bug (`InvariantViolation`).
 * Whoever throws knows whether trying again can help; the edge only reads `retryable`.
 * @param code stable, upper case with underscores, e.g. `POLICY_TIMEOUT`
 * @param message lower case, ids in backticks, never a payload or a secret
 */
export class OperationalError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  constructor(code: string, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** One thing that is wrong with what a caller sent. `pointer` is an RFC 6901 JSON Pointer into the body. */
export interface Problem { readonly code: string; readonly detail: string; readonly pointer?: string }

/** What a caller asked for can't be done as asked: the gateway renders it as an RFC 9457 problem. The first problem is the main one. */
export class Refusal extends OperationalError {
  readonly problems: readonly [Problem, ...Problem[]];
  /** Further members of the problem document, e.g. `{ status: 'running' }` for `WRONG_STATE`. */
  readonly extra: Readonly<Record<string, unknown>>;
  constructor(problems: Problem | readonly [Problem, ...Problem[]], extra: Readonly<Record<string, unknown>> = {}) {
    const all = (Array.isArray(problems) ? problems : [problems]) as readonly [Problem, ...Problem[]];
    super(all[0].code, all[0].detail);
    this.problems = all;
    this.extra = extra;
  }
}

/** A bug or corrupt history. Nobody handles it: the message is parked and somebody is told. */
export class InvariantViolation extends Error {
  constructor(message: string) { super(message); this.name = 'InvariantViolation'; }
}

export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
