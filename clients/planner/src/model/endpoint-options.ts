import { PlannerError } from '../errors';

/** In which form the model is asked for JSON. `auto`: by schema, else as the arguments of a tool, else by words, whatever the endpoint takes first. */
export type OutputForm = 'auto' | 'schema' | 'tool' | 'text';

export interface EndpointOptions {
  /** Of the API, without `/chat/completions`: `http://127.0.0.1:11434/v1`. Its query, if any, is kept. */
  readonly baseUrl: string;
  readonly model: string;
  /** Sent as a bearer token to `baseUrl` alone. Absent: none is sent. */
  readonly apiKey?: string;
  /** Besides, for endpoints that ask for others (`api-key`, `OpenAI-Organization`). Their values are kept secret like the key. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly output?: OutputForm;
  /** Of one request, in milliseconds (120,000). */
  readonly timeoutMs?: number;
  /** How often a request is sent at most, the first time included (4): again after 429, 5xx and broken connections. */
  readonly attemptsMax?: number;
  /** Before the second time, in milliseconds (500); doubles from there. `Retry-After` comes first. */
  readonly retryDelayMs?: number;
  /** Of an answer of the endpoint (1 MiB). */
  readonly answerBytesMax?: number;
  /** That the model may answer with (8,192). */
  readonly answerTokensMax?: number;
  /** Sent if it is given: not every model takes one. */
  readonly temperature?: number;
  readonly fetch?: typeof fetch;
}

export interface Endpoint {
  readonly url: string;
  /** For messages: without credentials and query. */
  readonly shownUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What must not be shown, wherever it turns up. */
  readonly secrets: readonly string[];
}

const OPENAI = 'https://api.openai.com/v1';
const SECRET_CHARS_MIN = 4;
/** Headers that say who is asking in other ways than by a bearer token hold keys as well. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const HEADER_VALUE = /^[\x20-\x7e]*$/;
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_MODEL`. @throws PlannerError BAD_OPTION where they say too little */
export function endpointFromEnvironment(env: Readonly<Record<string, string | undefined>>, over: Partial<EndpointOptions> = {}): EndpointOptions {
  const set = (name: string): string | undefined => { const value = env[name]?.trim(); return value === '' ? undefined : value; };
  const apiKey = over.apiKey ?? set('OPENAI_API_KEY');
  const baseUrl = over.baseUrl ?? set('OPENAI_BASE_URL') ?? (apiKey === undefined ? undefined : OPENAI);
  const model = over.model ?? set('OPENAI_MODEL');
  if (baseUrl === undefined) throw new PlannerError('BAD_OPTION', 'which model to ask is not set: OPENAI_BASE_URL is the address of an OpenAI-compatible API (such as http://127.0.0.1:11434/v1), or OPENAI_API_KEY a key of OpenAI');
  if (model === undefined) throw new PlannerError('BAD_OPTION', 'OPENAI_MODEL is not set: it names the model, as the endpoint knows it');
  return { ...over, baseUrl, model, ...(apiKey === undefined ? {} : { apiKey }) };
}

/** @throws PlannerError BAD_OPTION, never with a secret in it */
export function endpointOf({ baseUrl, apiKey, headers = {} }: EndpointOptions): Endpoint {
  const url = parsedUrl(baseUrl);
  // Why checked here: what the platform says of a header that it can't send has the whole of it.
  if (apiKey !== undefined && !VISIBLE_ASCII.test(apiKey)) throw new PlannerError('BAD_OPTION', 'the API key is empty or holds characters that no header can: is there a line end or a space in it?');
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) throw new PlannerError('BAD_OPTION', 'a header of the model\'s endpoint has a name or a value that can\'t be sent');
  }
  const shownUrl = `${url.origin}${url.pathname}`;
  const secrets = [apiKey ?? '', ...Object.values(headers), ...[...url.searchParams.values()]].filter(secret => secret.length >= SECRET_CHARS_MIN);
  return {
    url: url.href, shownUrl, secrets,
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers, ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) },
  };
}

function parsedUrl(baseUrl: string): URL {
  let url: URL;
  try { url = new URL(baseUrl); } catch { throw new PlannerError('BAD_OPTION', 'the base URL of the model\'s endpoint is none: it is like http://127.0.0.1:11434/v1'); }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new PlannerError('BAD_OPTION', 'the base URL of the model\'s endpoint begins with http:// or https://');
  if (url.username !== '' || url.password !== '') throw new PlannerError('BAD_OPTION', 'the base URL of the model\'s endpoint holds credentials: give the key by itself');
  url.hash = '';
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/chat/completions`;
  return url;
}

/** Texts of the endpoint, for messages: some repeat the key they were called with. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const known = [...secrets].sort((a, b) => b.length - a.length).reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  return known.replace(/\bBearer\s+[^\s,;"']+/gi, 'Bearer ***').replace(/\b(?:sk|pk|key)-[\w*.-]{6,}/gi, '***');
}
