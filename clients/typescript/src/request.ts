import { type Answer, type Connection, documentOf } from './connection';
import { AiFirstError, Conflict, Denied, type ErrorParts, Invalid, NotFound, problemsOf, Unavailable } from './errors';
import { isObject } from './json';
import { Broken, now, sleep } from './silence';

export const FIRST_PAUSE_MS = 200;
export const PAUSE_MS_MAX = 10_000;
const SOON = [429, 503];
/** Turned away at the door. */
const NOT_TAKEN = ['RATE_LIMITED', 'OVERLOADED'];
/** What a proxy answers in place of a server that is being restarted. */
const GATEWAYS = [502, 504];
export const isLater = (status: number): boolean => SOON.includes(status) || GATEWAYS.includes(status);

export interface Request {
  readonly body?: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** The idempotency key. */
  readonly key?: string | undefined;
  /** How much longer than usual the answer may take. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** In place of the connection's. */
  readonly timeoutMs?: number;
  readonly retryForMs?: number;
  /** Told before a request is sent again that may have been taken already. */
  readonly onRepeat?: () => void;
}

/** One request, until there is an answer other than "later", or `retryForMs` are over. @throws Unavailable; the reason of `signal` */
export async function request(connection: Connection, method: string, path: string, options: Request = {}): Promise<Answer> {
  const { body, key, patienceMs = 0, signal, onRepeat, timeoutMs = connection.timeoutMs, retryForMs = connection.retryForMs } = options;
  const headers = { ...(key === undefined ? {} : { 'idempotency-key': key }), ...options.headers };
  const sent = body === undefined ? undefined : encode(body);
  let giveUpAt = now() + retryForMs;
  let perhapsDone = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    const began = now();
    let wantedMs: number | undefined;
    let isUnknown = true;
    let error: Unavailable;
    try {
      const answer = await connection.send({ method, path, headers, body: sent, silenceMs: timeoutMs + patienceMs, signal });
      if (!isLater(answer.status)) return answer;
      isUnknown = GATEWAYS.includes(answer.status);
      wantedMs = retryAfterMs(answer.headers);
      perhapsDone ||= !NOT_TAKEN.includes(codeOf(answer));
      error = unavailable(answer, { retryAfterMs: wantedMs, idempotencyKey: key, perhapsDone });
    } catch (broken) {
      if (!(broken instanceof Broken)) throw broken;
      perhapsDone = true;
      error = new Unavailable('NO_ANSWER', `${method} ${path}: ${broken.message}`, { idempotencyKey: key, cause: broken });
    }
    // Why: what the server was asked to wait is no time in which it was away.
    giveUpAt += Math.min(patienceMs, now() - began);
    // Why at least what was asked for, and a little more: all that were turned away together do not come back together.
    const waitMs = wantedMs === undefined ? pauseMs * (0.5 + Math.random()) : wantedMs + pauseMs * Math.random() * 0.5;
    if (now() + waitMs > giveUpAt) throw error;
    await sleep(waitMs, signal);
    if (isUnknown) onRepeat?.();
  }
}

/** @throws TypeError for half of a surrogate pair */
export function encode(body: object): string {
  const text = JSON.stringify(body);
  // Why: `JSON.stringify` writes them as escapes, which the server takes for no text.
  if (/\\u[dD][89a-fA-F]/.test(text) && hasLoneSurrogate(body)) throw new TypeError('half of a surrogate pair is no text');
  return text;
}
const hasLoneSurrogate = (value: unknown): boolean =>
  typeof value === 'string' ? /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(value)
  : typeof value === 'object' && value !== null && (Array.isArray(value) ? value.some(hasLoneSurrogate) : Object.entries(value).flat().some(hasLoneSurrogate));

/** Seconds, or a date (RFC 9110); what can't be read is nothing. */
export function retryAfterMs(headers: Headers): number | undefined {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

const codeOf = (answer: Answer): string => { const { code } = documentOf(answer); return typeof code === 'string' ? code : answer.status === 429 ? 'RATE_LIMITED' : 'UNAVAILABLE'; };

export function unavailable(answer: Answer, more: { readonly retryAfterMs?: number | undefined; readonly idempotencyKey?: string | undefined; readonly perhapsDone?: boolean }): Unavailable {
  const document = documentOf(answer);
  return new Unavailable(codeOf(answer), typeof document['detail'] === 'string' ? document['detail'] : `answered ${answer.status}`, { ...more, status: answer.status, errors: problemsOf(document), document });
}

const ADVICE: Readonly<Record<number, string>> = {
  401: 'The token is missing, wrong, ended or revoked: give one that holds (AIFIRST_TOKEN).',
  403: 'Trying again does not help: use what is permitted, or ask whoever administers this agent.',
  404: "It is not there, or not this token's to see.",
  422: 'Nothing was done: mend what each `pointer` names and hand it in again.',
  501: "This server can't do that yet.",
};
const ADVICE_OF_CODE: Readonly<Record<string, string>> = {
  IDEMPOTENCY_CONFLICT: 'Another intent was handed in under this idempotencyKey: give this one a key of its own.',
  PLAN_STALE: 'Something that the plan rests on has changed, nothing was done: make a new plan and look at it.',
};
type Kind = new (code: string, detail: string, parts: ErrorParts) => AiFirstError;
const CLASSES: Readonly<Record<number, Kind>> = { 400: Invalid, 401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 412: Conflict, 413: Invalid, 415: Invalid, 422: Invalid };

export function refused(answer: Answer): AiFirstError {
  const { status } = answer;
  const found = documentOf(answer);
  const hasCode = typeof found['code'] === 'string';
  const document = hasCode ? found : {};
  const detail = status < 400 && status >= 300 ? `answered ${status}, a redirect: these are not followed, as the token would go along`
    : hasCode ? String(document['detail'] ?? '') : `answered ${status} with nothing that could be read: is this the address of the runtime?`;
  const code = hasCode ? String(document['code']) : `HTTP_${status}`;
  const { pointer } = document;
  return new (CLASSES[status] ?? AiFirstError)(code, detail, {
    ...(typeof pointer === 'string' ? { pointer } : {}), status, errors: problemsOf(document), advice: ADVICE_OF_CODE[code] ?? ADVICE[status] ?? '', document,
  });
}

/** Its body, if it is what was expected: an object with at least these fields. */
export function expect<T>(answer: Answer, statuses: readonly number[], fields: readonly (keyof T & string)[]): T {
  const { body, status } = answer;
  if (!statuses.includes(status)) throw refused(answer);
  if (!isObject(body) || fields.some(name => body[name] === undefined)) throw unreadable(status);
  return body as T;
}

export const unreadable = (status?: number): AiFirstError =>
  new AiFirstError('UNREADABLE', 'the answer is not of the shape that was expected: is this the address of the runtime, and not older than this package?', { status });

/** Of a path. An id is data: it can't lead elsewhere. */
export function part(id: string): string {
  if (typeof id !== 'string' || id === '' || id === '.' || id === '..') throw new TypeError('an id is a text, and not empty');
  return encodeURIComponent(id);
}
