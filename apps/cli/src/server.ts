import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@aifirst/kernel';
import { CannotDo, type Surroundings } from './exit';

const URL_DEFAULT = 'http://127.0.0.1:7400';
/** An export of hundreds of thousands of entries takes its time. */
const ANSWER_MS_MAX = 120_000;

/** The server that the environment names. */
export class Server {
  readonly url: string;
  readonly #token: string;

  /** @throws CannotDo without a token, or with an address that is none */
  constructor({ env }: Pick<Surroundings, 'env'>) {
    this.url = (given(env, 'AIFIRST_URL') ?? URL_DEFAULT).replace(/\/+$/, '');
    if (!/^https?:\/\//.test(this.url) || !URL.canParse(this.url)) throw new CannotDo(`AIFIRST_URL is \`${this.url}\`: it must begin with http:// or https://`);
    this.#token = given(env, 'AIFIRST_TOKEN') ?? tokenIn(join(given(env, 'DATA_DIR') ?? '.aifirst', 'admin.token'));
  }

  /** @returns null where there is nothing (404) @throws CannotDo when it does not answer as a server of ours */
  async get(path: string): Promise<Uint8Array | null> {
    let response: Response;
    let body: Uint8Array;
    try {
      response = await fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${this.#token}` }, redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS_MAX) });
      body = new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw new CannotDo(`can't reach ${this.url}: ${messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)}`);
    }
    if (response.ok) return body;
    if (response.status === 404) return null;
    throw new CannotDo(`${this.url} answered ${response.status}${problemOf(body)}`);
  }
}

const given = (env: Surroundings['env'], variable: string): string | undefined => {
  const value = env[variable]?.trim();
  return value === '' ? undefined : value;
};

function tokenIn(path: string): string {
  try { return readFileSync(path, 'utf8').trim(); } catch (error) { throw new CannotDo(`set AIFIRST_TOKEN: no token in \`${path}\` (${(error as NodeJS.ErrnoException).code ?? messageOf(error)})`); }
}

/** Of an RFC 9457 problem, if it is one. */
function problemOf(body: Uint8Array): string {
  try {
    const { code, detail } = JSON.parse(Buffer.from(body).toString()) as { code?: unknown; detail?: unknown };
    return [code, detail].filter(part => typeof part === 'string').map(part => `: ${part as string}`).join('');
  } catch { return ''; } // Why: whatever stands between us and the server may answer in another form.
}

/** `?a=1&b=2` of what is there. */
export const queryOf = (parameters: Readonly<Record<string, string | undefined>>): string => {
  const query = new URLSearchParams(Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined)).toString();
  return query === '' ? '' : `?${query}`;
};
