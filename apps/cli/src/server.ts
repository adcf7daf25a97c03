import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject, messageOf, type JsonObject } from '@aifirst/kernel';
import { CannotDo, Unreachable, type Surroundings } from './exit';
import { Refused, problemIn } from './refused';
import { serverEvents, type ServerEvent } from './server-events';

const URL_DEFAULT = 'http://127.0.0.1:7400';
/** An export of hundreds of thousands of entries takes its time. */
const ANSWER_MS_MAX = 120_000;
/** The most that a list answers at once. */
const PAGE_MAX = 200;
const ATTEMPTS_MAX = 5;
const RETRY_MS = 250;
const RETRY_AFTER_S_MAX = 10;
/** The server says something every 15 s, if only that it is still here. */
const SILENCE_MS_MAX = 45_000;

/** Which server, and who we are there: options before the environment, the environment before the defaults. */
export interface ServerOptions { readonly server?: string; readonly token?: string; readonly tokenFile?: string; readonly tenant?: string }

export interface Answer { readonly status: number; readonly headers: Headers; readonly body: JsonObject }
export interface CallOptions {
  /** JSON, or bytes that are sent as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Asking twice is as good as asking once: tried again where the answer was lost, or the server asks for it. `GET` always is. */
  readonly repeatable?: boolean;
  readonly signal?: AbortSignal;
}
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The server that options or environment name. */
export class Server {
  readonly url: string;
  readonly #token: string;
  readonly #tenant: string | undefined;

  /** @throws CannotDo without a token, or with an address that is none */
  constructor({ env }: Pick<Surroundings, 'env'>, { server, token, tokenFile, tenant }: ServerOptions = {}) {
    const from = server === undefined ? 'AIFIRST_URL' : '--server';
    this.url = (server ?? given(env, 'AIFIRST_URL') ?? URL_DEFAULT).replace(/\/+$/, '');
    if (!/^https?:\/\//.test(this.url) || !URL.canParse(this.url)) throw new CannotDo(`${from} is \`${this.url}\`: it must begin with http:// or https://`);
    const { username, password, search, hash } = new URL(this.url);
    if (username + password + search + hash !== '') throw new CannotDo(`${from} holds more than an address: a token goes into AIFIRST_TOKEN`);
    this.#token = tokenOf(env, token, tokenFile);
    this.#tenant = tenant;
  }

  /** Bytes of a path as it stands. @returns null where there is nothing (404) @throws CannotDo when it does not answer as a server of ours */
  async get(path: string): Promise<Uint8Array | null> {
    let answer: { readonly response: Response; readonly bytes: Uint8Array };
    try {
      answer = await this.#send('GET', path, {});
    } catch (error) {
      // Why: `audit verify` says 1 of a log alone; whatever else is in its way is 2.
      throw error instanceof Unreachable ? new CannotDo(error.message) : error;
    }
    const { response, bytes } = answer;
    if (response.ok) return bytes;
    if (response.status === 404) return null;
    const { code, detail } = problemIn(bytes) ?? {};
    throw new CannotDo([`${this.url} answered ${response.status}`, code, detail].filter(part => part !== undefined).join(': '));
  }

  /** @throws Refused, Unreachable */
  async call(method: 'GET' | 'POST', path: string, options: CallOptions = {}, query: Query = {}): Promise<Answer> {
    const to = `${path}${queryOf({ ...query, tenant: this.#tenant })}`;
    const attempts = method === 'GET' || options.repeatable === true ? ATTEMPTS_MAX : 1;
    for (let attempt = 1; ; attempt++) {
      let waitMs = RETRY_MS * 2 ** (attempt - 1);
      try {
        const { response, bytes } = await this.#send(method, to, options);
        if (response.ok) return { status: response.status, headers: response.headers, body: this.#objectIn(bytes, response) };
        const refused = Refused.of(this.url, response, bytes);
        if (!refused.mayPass || attempt >= attempts || (refused.retryAfterS ?? 0) > RETRY_AFTER_S_MAX) throw refused;
        waitMs = Math.max(waitMs, (refused.retryAfterS ?? 0) * 1000);
      } catch (error) {
        // Why: nobody there at the first try is told at once; a server that was there is given the time to start again.
        if (!(error instanceof Lost) || attempt >= attempts || (attempt === 1 && error instanceof NobodyThere)) throw error;
      }
      await pause(waitMs, options.signal);
    }
  }

  /** All items of a list, page by page. @param limit at most so many */
  async *list(path: string, query: Query, limit = Infinity): AsyncGenerator<JsonObject> {
    const seen = new Set<string>();
    for (let cursor: string | undefined, left = limit; left > 0;) {
      const { body: { items, next } } = await this.call('GET', path, {}, { ...query, limit: String(Math.min(left, PAGE_MAX)), cursor });
      if (!Array.isArray(items)) throw new Unreachable(`${this.url}${path} does not answer with a list: is it an AI-First Runtime?`);
      const page = items.filter(isObject).slice(0, left);
      yield* page;
      left -= page.length;
      if (typeof next !== 'string') return;
      if (seen.has(next)) throw new Unreachable(`${this.url}${path} goes round in circles`);
      seen.add(next);
      cursor = next;
    }
  }

  /** Live facts of a workflow from after `last`. @returns null: it has ended and there is nothing after @throws Refused, Unreachable */
  async events(workflow: string, last: string | null, signal: AbortSignal): Promise<AsyncGenerator<ServerEvent> | null> {
    const stop = new AbortController();
    const end = () => { stop.abort(); };
    signal.addEventListener('abort', end);
    let silence = setTimeout(end, SILENCE_MS_MAX);
    const heard = () => { clearTimeout(silence); silence = setTimeout(end, SILENCE_MS_MAX); };
    const over = () => { clearTimeout(silence); signal.removeEventListener('abort', end); };
    if (signal.aborted) end();
    try {
      const response = await this.#fetch('GET', `${workflowPath(workflow)}/events${queryOf({ tenant: this.#tenant })}`, { accept: 'text/event-stream', ...(last === null ? {} : { 'last-event-id': last }) }, undefined, stop.signal);
      if (response.status === 204) { over(); return null; }
      if (!response.ok || response.body === null) throw Refused.of(this.url, response, new Uint8Array(await response.arrayBuffer()));
      if (response.headers.get('content-type')?.includes('text/event-stream') !== true) throw new Unreachable(`${this.url} does not answer with events: is something between us that changes answers?`);
      return closing(serverEvents(response.body, heard), () => { over(); end(); });
    } catch (error) {
      over();
      throw error;
    }
  }

  #objectIn(bytes: Uint8Array, { status }: Response): JsonObject {
    if (status === 204 || bytes.length === 0) return {};
    try {
      const body: unknown = JSON.parse(Buffer.from(bytes).toString());
      if (isObject(body)) return body;
    } catch { /* said below */ }
    throw new Unreachable(`${this.url} does not answer as an AI-First Runtime does: is the address right?`);
  }

  async #send(method: string, path: string, { body, headers = {}, signal }: CallOptions): Promise<{ readonly response: Response; readonly bytes: Uint8Array }> {
    const payload = body === undefined ? undefined : body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
    const timeout = AbortSignal.timeout(ANSWER_MS_MAX);
    const response = await this.#fetch(method, path, { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, payload, signal === undefined ? timeout : AbortSignal.any([timeout, signal]));
    try {
      return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
    } catch (error) {
      throw new Lost(`${this.url} broke off its answer: ${causeOf(error)}`);
    }
  }

  async #fetch(method: string, path: string, headers: Readonly<Record<string, string>>, body: Uint8Array | undefined, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(`${this.url}${path}`, { method, headers: { ...headers, authorization: `Bearer ${this.#token}` }, redirect: 'error', signal, ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }) });
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
      const message = `can't reach ${this.url}: ${causeOf(error)}`;
      if (code === 'ECONNREFUSED' || code === 'ENOTFOUND') throw new NobodyThere(message);
      // Why: connections have codes; what has none (a redirect, a time-out, a port that is not allowed) comes again.
      throw typeof code === 'string' ? new Lost(message) : new Unreachable(message);
    }
  }
}

/** Something got in between: another try may get through. */
export class Lost extends Unreachable {}
class NobodyThere extends Lost {}

/** Of `fetch`, which says what went wrong in the cause only; that of several addresses has no words of its own. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const { code } = cause as { code?: unknown };
  const message = messageOf(cause);
  return message === '' && typeof code === 'string' ? code : message;
}

const given = (env: Surroundings['env'], variable: string): string | undefined => {
  const value = env[variable]?.trim();
  return value === '' ? undefined : value;
};

function tokenOf(env: Surroundings['env'], token: string | undefined, tokenFile: string | undefined): string {
  const found = token ?? (tokenFile !== undefined ? tokenIn(tokenFile, '--token-file: ') : undefined) ?? given(env, 'AIFIRST_TOKEN');
  const file = given(env, 'AIFIRST_TOKEN_FILE');
  const value = found ?? (file !== undefined ? tokenIn(file, 'AIFIRST_TOKEN_FILE: ') : tokenIn(join(given(env, 'DATA_DIR') ?? '.aifirst', 'admin.token'), 'set AIFIRST_TOKEN: '));
  // Why: it goes into a header, which takes nothing else.
  if (!/^[\x21-\x7e]+$/.test(value)) throw new CannotDo('the token is none: it holds spaces or other characters that no token has');
  return value;
}

function tokenIn(path: string, before: string): string {
  try { return readFileSync(path, 'utf8').trim(); } catch (error) { throw new CannotDo(`${before}no token in \`${path}\` (${(error as NodeJS.ErrnoException).code ?? messageOf(error)})`); }
}

/** `?a=1&b=2&b=3` of what is there. */
export function queryOf(parameters: Query): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) for (const one of value === undefined ? [] : typeof value === 'string' ? [value] : value) query.append(name, one);
  return query.size === 0 ? '' : `?${query.toString()}`;
}

/** A part of a path. @throws CannotDo for what would lead elsewhere */
export function segment(name: string): string {
  if (/^\.{0,2}$/.test(name)) throw new CannotDo(`\`${name}\` names nothing`);
  return encodeURIComponent(name);
}
export const workflowPath = (id: string): string => `/v1/workflows/${segment(id)}`;

/** Resolves early when somebody wants to stop. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => { clearTimeout(timer); signal?.removeEventListener('abort', done); resolve(); };
    const timer = setTimeout(done, ms);
    if (signal?.aborted === true) done();
    else signal?.addEventListener('abort', done);
  });
}

async function* closing<T>(items: AsyncGenerator<T>, close: () => void): AsyncGenerator<T> {
  try { yield* items; } finally { close(); }
}
