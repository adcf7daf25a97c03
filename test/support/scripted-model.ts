import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Body } from './http';

/** A tool that the model calls. Arguments that are a text are sent as they stand, JSON or not. */
export interface ToolCall { readonly name: string; readonly arguments: object | string }
/** What the model answers: a text, or tools to be called. */
export type Reply = string | readonly ToolCall[];
/** What the model knows when it is its turn. */
export interface Asked {
  /** From 0. */
  readonly turn: number;
  readonly messages: readonly Body[];
  /** Names of the tools that it was offered. */
  readonly tools: readonly string[];
  /** What the tools have answered so far in this conversation, as texts. */
  readonly results: readonly string[];
}
export type Turn = Reply | ((asked: Asked) => Reply);
/** Of one model, or of several by name. */
export type Script = readonly Turn[] | Readonly<Record<string, readonly Turn[]>>;

/** What is said when the script is at its end. */
export const OUT_OF_WORDS = 'There is nothing more to do.';
const CHUNK_CHARS = 16;

export const call = (name: string, input: object | string): readonly ToolCall[] => [{ name, arguments: input }];

/**
 * An OpenAI-compatible endpoint on this machine (`POST /v1/chat/completions`, at once or as a stream) whose models say what a script
 * says, a turn for each request, whatever they are asked. Everything that it is asked is kept.
 */
export class ScriptedModel {
  /** Bodies of all requests, in order. */
  readonly requests: Body[] = [];
  /** What can't be as a real client's would be; empty is as it should be. */
  readonly faults: string[] = [];
  /** The key that it takes, no other. */
  readonly key = `sk-${randomBytes(12).toString('hex')}`;
  private readonly turns = new Map<string, number>();

  private constructor(private readonly server: Server, private script: Script) {}

  static async start(script: Script = []): Promise<ScriptedModel> {
    const server = createServer();
    const model = new ScriptedModel(server, script);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      model.serve(request, response).catch((error: unknown) => { model.faults.push(String(error)); response.destroy(); });
    });
    await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', resolve); });
    return model;
  }

  /** With `/v1`, as clients take it. */
  get url(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`; }
  /** As every example reads it. */
  get environment(): Readonly<Record<string, string>> { return { OPENAI_BASE_URL: this.url, OPENAI_API_KEY: this.key }; }

  /** Forgets what was asked and begins with another script. */
  follow(script: Script): void {
    this.script = script;
    this.turns.clear();
    this.requests.length = this.faults.length = 0;
  }

  /** What tools have answered in the conversation of the last request of this model, as texts. */
  results(model?: string): string[] {
    const last = this.requests.findLast(request => model === undefined || request.model === model);
    return last === undefined ? [] : resultsOf(last);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise(resolve => { this.server.close(resolve); });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, message: string): void => {
      this.faults.push(message);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message, type: 'invalid_request_error', code: null, param: null } }));
    };
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method !== 'POST' || request.url !== '/v1/chat/completions') { refuse(404, `there is no ${request.method} ${request.url}`); return; }
    if (request.headers.authorization !== `Bearer ${this.key}`) { refuse(401, 'the key is not the one that was given'); return; }
    const asked = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body;
    this.requests.push(asked);
    const dangling = danglingCalls(asked.messages);
    if (dangling.length > 0) { refuse(400, `calls without an answer: ${dangling.join(', ')}`); return; }
    const message = this.messageFor(asked);
    if (asked.stream === true) stream(response, asked, message);
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion(asked, message)));
  }

  private messageFor(asked: Body): Body {
    const number = this.requests.length;
    const turns = Array.isArray(this.script) ? this.script as readonly Turn[] : (this.script as Readonly<Record<string, readonly Turn[]>>)[asked.model] ?? [];
    const turn = this.turns.get(asked.model) ?? 0;
    this.turns.set(asked.model, turn + 1);
    const next = turns[turn] ?? OUT_OF_WORDS;
    const reply = typeof next === 'function' ? next({ turn, messages: asked.messages, tools: (asked.tools ?? []).map((tool: Body) => tool.function.name), results: resultsOf(asked) }) : next;
    if (typeof reply === 'string') return { role: 'assistant', content: reply };
    return { role: 'assistant', content: null, tool_calls: reply.map(({ name, arguments: input }, at) => ({ id: `call_${number}_${at}`, type: 'function', function: { name, arguments: typeof input === 'string' ? input : JSON.stringify(input) } })) };
  }
}

const textOf = (content: Body): string => (Array.isArray(content) ? content.map(part => part.text ?? '').join('') : String(content ?? ''));
const resultsOf = (asked: Body): string[] => asked.messages.filter(({ role }: Body) => role === 'tool').map(({ content }: Body) => textOf(content));

/** As real endpoints have it: what was called is answered before anything else is asked. */
function danglingCalls(messages: readonly Body[]): string[] {
  const answered = new Set(messages.filter(({ role }) => role === 'tool').map(({ tool_call_id: id }) => id));
  return messages.flatMap(({ tool_calls: calls }) => (calls ?? []).map(({ id }: Body) => id)).filter((id: string) => !answered.has(id));
}

const headOf = (asked: Body, object: string): Body => ({ id: 'chatcmpl-scripted', object, created: 1, model: asked.model });
const reasonOf = (message: Body): string => (message.tool_calls === undefined ? 'stop' : 'tool_calls');
const USAGE = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };

const completion = (asked: Body, message: Body): Body => ({ ...headOf(asked, 'chat.completion'), choices: [{ index: 0, message, finish_reason: reasonOf(message), logprobs: null }], usage: USAGE });

/** In pieces, so that whoever reads it has to put them together. */
function stream(response: ServerResponse, asked: Body, message: Body): void {
  const pieces = (text: string): string[] => text.match(new RegExp(`[^]{1,${CHUNK_CHARS}}`, 'g')) ?? [''];
  const deltas: Body[] = message.tool_calls === undefined ? pieces(message.content).map(content => ({ content }))
    : message.tool_calls.flatMap(({ function: { arguments: input, name }, ...head }: Body, index: number) => [
      { tool_calls: [{ index, ...head, function: { name, arguments: '' } }] }, ...pieces(input).map(part => ({ tool_calls: [{ index, function: { arguments: part } }] }))]);
  const say = (body: Body): void => { response.write(`data: ${JSON.stringify({ ...headOf(asked, 'chat.completion.chunk'), ...body })}\n\n`); };
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const delta of [{ role: 'assistant', content: message.content === null ? null : '' }, ...deltas]) say({ choices: [{ index: 0, delta, finish_reason: null }] });
  say({ choices: [{ index: 0, delta: {}, finish_reason: reasonOf(message) }] });
  if (asked.stream_options?.include_usage === true) say({ choices: [], usage: USAGE });
  response.end('data: [DONE]\n\n');
}
