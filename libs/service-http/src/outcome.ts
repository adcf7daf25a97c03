import { OperationalError, Refusal, type Problem } from '@aifirst/kernel';
import type { Address } from './question-path';

/** This copy of a service does not do its work right now: another does, or will. Nothing was done. */
export class NotActive extends OperationalError {
  /** @param activeUrl where the copy that does can be asked, if that is known */
  constructor(service: Address, readonly activeUrl: string | null = null) {
    super('NOT_ACTIVE', `this copy of service \`${service}\` stands by`, { retryable: true });
  }
}

/** What an answer says, as JSON. */
export type Outcome =
  | { readonly answer: unknown }
  | { readonly refusal: { readonly problems: readonly Problem[]; readonly extra: Readonly<Record<string, unknown>> } }
  /** `id` stands in the owner's log. */
  | { readonly failure: { readonly code: string; readonly retryable: boolean; readonly id: string } }
  | { readonly notActive: { readonly code: 'NOT_ACTIVE'; readonly activeUrl: string | null } }
  /** The question was for another process, or for this one before it started anew: this is its name. */
  | { readonly instance: string };

export const STATUS = { answer: 200, refusal: 422, failure: 500, failureThatPasses: 503, unknownQuestion: 404, notActive: 503, instance: 421 } as const;

const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** What an error tells who asked: a refusal all of itself, a failure its code and whether to try again, anything else nothing. */
export function outcomeOf(error: unknown, id: string): { readonly status: number; readonly outcome: Outcome } {
  if (error instanceof NotActive) return { status: STATUS.notActive, outcome: { notActive: { code: 'NOT_ACTIVE', activeUrl: error.activeUrl } } };
  if (error instanceof Refusal) return { status: STATUS.refusal, outcome: { refusal: { problems: error.problems, extra: error.extra } } };
  if (!(error instanceof OperationalError)) return { status: STATUS.failure, outcome: { failure: { code: 'INTERNAL', retryable: false, id } } };
  const { code, retryable } = error;
  const status = code === 'UNKNOWN_QUESTION' ? STATUS.unknownQuestion : retryable ? STATUS.failureThatPasses : STATUS.failure;
  return { status, outcome: { failure: { code: CODE.test(code) ? code : 'INTERNAL', retryable, id } } };
}

/** @returns null for what is not of the form: the two processes are of releases that do not know each other */
export function readOutcome(body: Buffer): Outcome | null {
  let outcome: unknown;
  try { outcome = JSON.parse(body.toString('utf8')); } catch { return null; }
  if (typeof outcome !== 'object' || outcome === null) return null;
  return ['answer', 'refusal', 'failure', 'notActive', 'instance'].some(kind => Object.hasOwn(outcome, kind)) ? outcome as Outcome : null;
}

/** The value that was answered. @throws Refusal as the owner threw it; OperationalError with its code */
export function settle<A>(outcome: Exclude<Outcome, { notActive: unknown } | { instance: unknown }>, service: Address, question: string): A {
  if ('answer' in outcome) return outcome.answer as A;
  if ('refusal' in outcome) throw new Refusal(outcome.refusal.problems as readonly [Problem, ...Problem[]], outcome.refusal.extra);
  const { code, retryable, id } = outcome.failure;
  const why = code === 'UNKNOWN_QUESTION' ? 'has no answer to' : 'could not answer';
  throw new OperationalError(code, `service \`${service}\` ${why} \`${question}\` (\`${code}\`; its log has it under \`${id}\`)`, { retryable });
}
