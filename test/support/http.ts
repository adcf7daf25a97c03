import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

// Why any: tests look at answers field by field, and say themselves what they expect there.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = any;

export interface Answer { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Body; readonly bytes: Buffer }
export interface Options { readonly body?: unknown; /** Sent as it is. */ readonly raw?: Buffer | string; readonly headers?: Readonly<Record<string, string>>; readonly token?: string | null }
export interface Where { readonly url: string }
type Watch = (method: string, path: string, answer: Answer) => void;

/** An HTTP client that shares no code with the product. Every answer is shown to `watch`, which may object. */
export class Http {
  private agent = new Agent({ keepAlive: true, maxSockets: 256 });
  watch: Watch = () => undefined;

  constructor(private readonly where: Where) {}

  /** Forgets connections: after a kill they lead nowhere. */
  renew(): void { this.agent.destroy(); this.agent = new Agent({ keepAlive: true, maxSockets: 256 }); }
  close(): void { this.agent.destroy(); }

  async call(method: string, path: string, options: Options = {}): Promise<Answer> {
    const response = await this.open(method, path, options);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const isJson = /[/+]json\b/.test(response.headers['content-type'] ?? '');
    const answer: Answer = { status: response.statusCode!, headers: response.headers, bytes, body: isJson ? JSON.parse(bytes.toString('utf8')) : bytes.toString('utf8') };
    this.watch(method, path, answer);
    return answer;
  }

  /** Resolves when the head of the answer is there; the rest is the caller's to read. */
  open(method: string, path: string, { body, raw, headers = {}, token = null }: Options): Promise<IncomingMessage> {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const { hostname, port } = new URL(this.where.url);
    return new Promise((resolve, reject) => {
      const sent = request({
        // Why: a path is sent as it stands, `..` and all.
        hostname, port, method, path, agent: this.agent,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }), ...headers,
        },
      }, resolve);
      sent.on('error', error => { reject(new Error(`${method} ${path}: ${error.message}`, { cause: error })); });
      sent.end(payload);
    });
  }
}

/** Calls with one credential. */
export class Client {
  constructor(protected readonly http: Http, readonly token: string | null) {}

  call(method: string, path: string, options: Options = {}): Promise<Answer> { return this.http.call(method, path, { token: this.token, ...options }); }
  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> { return this.call('GET', path, { headers }); }
  post(path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> { return this.call('POST', path, { body, headers }); }
  put(path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> { return this.call('PUT', path, { body, headers }); }
  delete(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> { return this.call('DELETE', path, { headers }); }
  open(path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> { return this.http.open('GET', path, { token: this.token, headers }); }

  /** The body of an answer that must have this status. */
  async must(status: number, method: string, path: string, options: Options = {}): Promise<Body> {
    const answer = await this.call(method, path, options);
    if (answer.status !== status) throw new Error(`${method} ${path} answered ${answer.status} in place of ${status}: ${answer.bytes.toString('utf8').slice(0, 2_000)}`);
    return answer.body;
  }

  /** All items of a list, page by page. */
  async all(path: string): Promise<Body[]> {
    const items: Body[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const joined: string = `${path}${path.includes('?') ? '&' : '?'}limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
      const page: Body = await this.must(200, 'GET', joined);
      items.push(...page.items);
      cursor = page.next;
    }
    return items;
  }
}
