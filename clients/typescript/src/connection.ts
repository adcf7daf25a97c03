import { isObject } from './json';
import { Broken, timed } from './silence';

export const VERSION = '0.1.0';
const URL_DEFAULT = 'http://127.0.0.1:7400';
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ConnectionOptions {
  /** Of the server; `AIFIRST_URL` or http://127.0.0.1:7400 unless given. */
  readonly url?: string | undefined;
  /** Of the agent; `AIFIRST_TOKEN` unless given. */
  readonly token?: string | undefined;
  /** What sends, for a proxy of one's own; the global `fetch` unless given. It must not follow redirects where `redirect` says so. */
  readonly fetch?: Fetch | undefined;
  /** How long an answer may be silent (30,000). */
  readonly timeoutMs?: number | undefined;
  /** For how long a call is tried again while the server is away or asks to come back later (60,000). */
  readonly retryForMs?: number | undefined;
}

export interface Outgoing {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly silenceMs: number;
  readonly signal: AbortSignal | undefined;
}
export interface Answer { readonly status: number; readonly headers: Headers; /** Parsed, or undefined if it is no JSON. */ readonly body: unknown; readonly text: string }
export interface Stream extends Answer { /** The next bytes, or null at the end. @throws Broken */ next(): Promise<Uint8Array | null>; close(): void }

const environment = (name: string): string | undefined => (typeof process === 'undefined' ? undefined : process.env[name] || undefined);
const TIME_MS_DEFAULT = { timeoutMs: 30_000, retryForMs: 60_000 };

/** Where and as whom. The token gets into one header and nowhere else: no error, log or inspection shows it. */
export class Connection {
  readonly url: string;
  readonly timeoutMs: number;
  readonly retryForMs: number;
  readonly #token: string;
  readonly #fetch: Fetch;

  constructor({ url = environment('AIFIRST_URL') ?? URL_DEFAULT, token = environment('AIFIRST_TOKEN'), fetch, timeoutMs = TIME_MS_DEFAULT.timeoutMs, retryForMs = TIME_MS_DEFAULT.retryForMs }: ConnectionOptions) {
    this.url = addressOf(url);
    if (token === undefined || token === '') throw new TypeError('a token is needed: `token`, or AIFIRST_TOKEN in the environment');
    // Why no word of what it is: it would stand in a log.
    if (!/^[!-~]+$/.test(token)) throw new TypeError('the token holds a space, a line break or what is not ASCII: read without the end of its line?');
    this.timeoutMs = timeOf('timeoutMs', timeoutMs, 1);
    this.retryForMs = timeOf('retryForMs', retryForMs, 0);
    this.#token = token;
    // Why looked up at each call: a test or an instrumentation may have put another in its place.
    this.#fetch = fetch ?? ((to, init) => globalThis.fetch(to, init));
  }

  /** @throws Broken; the reason of `signal` */
  async send(outgoing: Outgoing): Promise<Answer> {
    const stream = await this.open(outgoing, () => false);
    return stream;
  }

  /** @param isStream of an answer whose body is left to be read; any other is read at once */
  async open({ method, path, headers, body, silenceMs, signal }: Outgoing, isStream: (status: number, headers: Headers) => boolean): Promise<Stream> {
    const silence = timed(silenceMs, signal);
    try {
      const response = await silence.within(this.#fetch(`${this.url}${path}`, {
        method, redirect: 'manual', signal: silence.signal,
        headers: { accept: 'application/json', 'user-agent': `aifirst-typescript/${VERSION}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers, authorization: `Bearer ${this.#token}` },
        ...(body === undefined ? {} : { body }),
      }));
      const { status } = response;
      if (isStream(status, response.headers)) return { status, headers: response.headers, body: undefined, text: '', ...silence.reader(response.body) };
      const text = await silence.within(response.text());
      silence.end();
      return { status, headers: response.headers, body: parsed(text), text, next: () => Promise.resolve(null), close: () => undefined };
    } catch (error) {
      silence.end();
      throw error instanceof Broken || signal?.aborted === true ? error : new Broken(error instanceof Error ? error.name : 'the connection broke', { cause: error });
    }
  }
}

function addressOf(url: string): string {
  let parts: URL;
  try { parts = new URL(url); } catch { throw new TypeError('url is an address such as http://127.0.0.1:7400'); }
  if (!['http:', 'https:'].includes(parts.protocol) || parts.search !== '' || parts.hash !== '') throw new TypeError('url is an address such as http://127.0.0.1:7400');
  if (parts.username !== '' || parts.password !== '') throw new TypeError('url holds no user or password: give the token as `token`');
  return url.replace(/\/+$/, '');
}

export function timeOf(name: string, value: number, minimum: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < minimum) throw new RangeError(`${name} is a number of milliseconds from ${minimum} on`);
  return value;
}

function parsed(text: string): unknown { try { return JSON.parse(text) as unknown; } catch { return undefined; } }
export const documentOf = ({ body }: Answer): Readonly<Record<string, unknown>> => (isObject(body) ? body : {});
