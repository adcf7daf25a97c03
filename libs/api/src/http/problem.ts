import { OperationalError, Refusal, type Problem } from '@aifirst/kernel';
import { isLogGone } from '@aifirst/store';

/** RFC 9457 with our members. `status` is HTTP's; what a refusal says of a workflow's status stands in `workflowStatus`. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly pointer?: string;
  readonly errors: readonly Problem[];
  readonly [extra: string]: unknown;
}

const STATUS: Readonly<Record<string, number>> = {
  MALFORMED_JSON: 400, DUPLICATE_KEY: 400, TOO_DEEP: 400, INVALID_UNICODE: 400, FORBIDDEN_KEY: 400, BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403, TENANT_MISMATCH: 403, AGENT_SUSPENDED: 403,
  NOT_FOUND: 404, METHOD_NOT_ALLOWED: 405,
  IDEMPOTENCY_CONFLICT: 409, WRONG_STATE: 409, PLAN_STALE: 409, IN_USE: 409, ERASED: 409,
  PRECONDITION_FAILED: 412, TOO_LARGE: 413, UNSUPPORTED_MEDIA_TYPE: 415,
  INVALID_FIELD: 422, UNKNOWN_FIELD: 422, UNKNOWN_CAPABILITY: 422, UNKNOWN_CONNECTION: 422, UNKNOWN_STEP: 422, DUPLICATE_STEP: 422, CYCLE: 422,
  INVALID_REFERENCE: 422, INVALID_INPUT: 422, INVALID_PATH: 422, INVALID_SQL: 422, POLICY_INVALID: 422, PROBE_FAILED: 422, SECRET_IN_CONFIG: 422,
  RATE_LIMITED: 429, HEADERS_TOO_LARGE: 431, INTERNAL: 500, NOT_IMPLEMENTED: 501, UNAVAILABLE: 503, OVERLOADED: 503,
};
/** What a caller may have sent wrongly is the best guess for a code that a later release adds. */
const STATUS_OF_OTHERS = 422;
const RETRY_AFTER_S = 1;

export const statusOf = (code: string): number => STATUS[code] ?? STATUS_OF_OTHERS;
export const codesOf = (status: number): string[] => Object.keys(STATUS).filter(code => STATUS[code] === status);

export interface Refused { readonly document: ProblemDocument; readonly headers: Readonly<Record<string, string>> }

/**
 * What a caller is told of an error. A `Refusal` says what is wrong, a failure that passes says when to try again, and of
 * anything else only `id` is told, under which the log has it.
 */
export function refusedBy(error: unknown, id: () => string): Refused & { readonly unexpected: boolean } {
  if (error instanceof Refusal) return { ...rendered(error.problems, error.extra), unexpected: false };
  // Why the log's end too: another copy of the gateway writes it, or will in a moment, and can be asked.
  if (error instanceof OperationalError && (error.retryable || isLogGone(error))) {
    return { ...rendered([{ code: 'UNAVAILABLE', detail: 'a part of the service does not answer right now: try again' }], { cause: error.code }), unexpected: false };
  }
  return { ...rendered([{ code: 'INTERNAL', detail: 'something went wrong here; the log has it under this `id`' }], { id: id() }), unexpected: true };
}

function rendered(problems: readonly [Problem, ...Problem[]], extra: Readonly<Record<string, unknown>>): Refused {
  const [{ code, detail, pointer }] = problems;
  const status = statusOf(code);
  const { retryAfterS, allow, status: workflowStatus, ...rest } = extra;
  const document: ProblemDocument = {
    type: `urn:aifirst:problem:${code.toLowerCase().replaceAll('_', '-')}`, title: titleOf(code), status, code, detail,
    ...(pointer === undefined ? {} : { pointer }), errors: problems, ...rest, ...(workflowStatus === undefined ? {} : { workflowStatus }),
  };
  return { document, headers: {
    ...(status === 401 ? { 'www-authenticate': 'Bearer realm="aifirst"' } : {}),
    ...(status === 429 || status === 503 ? { 'retry-after': String(retryAfterS ?? RETRY_AFTER_S) } : {}),
    ...(typeof allow === 'string' ? { allow } : {}),
  } };
}

const titleOf = (code: string): string => {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words[0]!.toUpperCase() + words.slice(1);
};

export const refuse = (code: string, detail: string, extra: Readonly<Record<string, unknown>> = {}): Refusal => new Refusal({ code, detail }, extra);
export const refuseField = (pointer: string, detail: string, code = 'INVALID_FIELD'): Refusal => new Refusal({ code, pointer, detail });
export const refuseParameter = (parameter: string, detail: string, code = 'INVALID_FIELD'): Refusal => new Refusal({ code, detail: `query parameter \`${parameter}\` ${detail}` }, { parameter });
export const notFound = (what: string): Refusal => refuse('NOT_FOUND', `there is no ${what}`);
export const notImplemented = (detail: string, pointer?: string): Refusal => new Refusal(pointer === undefined ? { code: 'NOT_IMPLEMENTED', detail } : { code: 'NOT_IMPLEMENTED', detail, pointer });
