import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../json';

export interface AskedChat {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: JsonObject & { readonly messages: readonly { readonly role: string; readonly content: string }[] };
}
/** What the endpoint says next: an answer of the model, or anything by hand. */
export type Turn = string | object | ((asked: AskedChat, response: ServerResponse) => void | Promise<void> | string | object);

/** An OpenAI-compatible endpoint whose model says what a test has written down, in order; then it answers 500. */
export class ScriptedEndpoint {
  readonly asked: AskedChat[] = [];
  private readonly server: Server;
  private readonly turns: Turn[] = [];

  private constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => { chunks.push(chunk); });
      request.on('end', () => {
        const asked: AskedChat = { path: request.url ?? '', headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) as AskedChat['body'] };
        this.asked.push(asked);
        void this.answer(asked, response);
      });
    });
  }

  static async start(...turns: readonly Turn[]): Promise<ScriptedEndpoint> {
    const endpoint = new ScriptedEndpoint();
    endpoint.says(...turns);
    await new Promise<void>(resolve => { endpoint.server.listen(0, '127.0.0.1', resolve); });
    return endpoint;
  }

  get baseUrl(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`; }
  says(...turns: readonly Turn[]): void { this.turns.push(...turns); }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>(resolve => { this.server.close(() => { resolve(); }); });
  }

  private async answer(asked: AskedChat, response: ServerResponse): Promise<void> {
    const turn = this.turns.shift();
    if (turn === undefined) { reply(response, 500, { error: { message: 'the script is over' } }); return; }
    const said = typeof turn === 'function' ? await turn(asked, response) : turn;
    if (said !== undefined) reply(response, 200, completion(typeof said === 'string' ? said : JSON.stringify(said)));
  }
}

export function reply(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

export const completion = (content: string, more: { readonly finish?: string; readonly tokens?: number; readonly message?: object } = {}): object => ({
  id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'scripted',
  choices: [{ index: 0, finish_reason: more.finish ?? 'stop', message: more.message ?? { role: 'assistant', content } }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: more.tokens ?? 15 },
});
