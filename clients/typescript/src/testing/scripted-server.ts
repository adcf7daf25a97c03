import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const ID = '0198c000-0000-7000-8000-000000000001';
export const INTENT_ID = '0198c000-0000-7000-8000-000000000002';
export const TASK_ID = '0198c000-0000-7000-8000-000000000003';
export const AT = '2026-01-02T03:04:05.678Z';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Why: tests look into whatever was sent.
export interface Asked { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: any; readonly line: string }
export interface Scripted {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a stream and then closed, in place of `body`. */
  readonly chunks?: readonly string[];
  /** The connection breaks: before any answer, or after the chunks. */
  readonly cut?: boolean;
  /** Never answers; until whoever asked goes away. */
  readonly silent?: boolean;
}
export type Answering = Scripted | ((asked: Asked) => Scripted | Promise<Scripted>);

/** A server on a port of its own that answers by a script. */
export class ScriptedServer {
  readonly asked: Asked[] = [];
  private readonly server = createServer((incoming, response) => {
    let text = '';
    incoming.setEncoding('utf8').on('data', (part: string) => { text += part; });
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      const asked = { method, path: url, headers, body: text === '' ? undefined : JSON.parse(text) as unknown, line: `${method} ${url}` };
      this.asked.push(asked);
      void Promise.resolve(this.answerTo(asked)).then(answer => { give(answer, response); });
    });
  });

  private constructor(private readonly answerTo: (asked: Asked) => Scripted | Promise<Scripted>) {}

  /** The last answer is given to all that ask later. */
  static answering(...answers: readonly Answering[]): Promise<ScriptedServer> {
    const left = [...answers];
    return ScriptedServer.by(asked => { const next = left.length > 1 ? left.shift()! : left[0]!; return typeof next === 'function' ? next(asked) : next; });
  }
  static async by(answerTo: (asked: Asked) => Scripted | Promise<Scripted>): Promise<ScriptedServer> {
    const made = new ScriptedServer(answerTo);
    await new Promise<void>(resolve => { made.server.listen(0, '127.0.0.1', resolve); });
    return made;
  }

  get url(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`; }
  get lines(): readonly string[] { return this.asked.map(({ line }) => line); }
  close(): Promise<void> { return new Promise(resolve => { this.server.close(() => { resolve(); }); this.server.closeAllConnections(); }); }
}

function give({ status = 200, body, headers = {}, chunks, cut = false, silent = false }: Scripted, response: ServerResponse): void {
  if (silent) return;
  if (chunks !== undefined) {
    response.writeHead(status, { 'content-type': 'text/event-stream; charset=utf-8', ...headers });
    response.write(chunks.join(''), () => { if (cut) response.destroy(); else response.end(); });
    return;
  }
  if (cut) { response.destroy(); return; }
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
}

export const problem = (status: number, code: string, detail = 'it is so', more: Readonly<Record<string, unknown>> = {}, headers: Readonly<Record<string, string>> = {}): Scripted => ({
  status, headers: { 'content-type': 'application/problem+json', ...headers },
  body: { type: 'urn:x', title: 'x', status, code, detail, errors: [{ code, detail, ...('pointer' in more ? { pointer: more['pointer'] } : {}) }], ...more },
});
export const submitted: Scripted = { status: 202, body: { intentId: INTENT_ID, workflowId: ID } };
export const step = (id = 'a', status = 'succeeded', more: Readonly<Record<string, unknown>> = {}) => ({
  id, capability: 'noop', status, statusReason: null, attempts: 1, risk: { level: 'low', score: 1 }, decision: null, resources: [], output: { value: 1 }, error: null, undo: null,
  undoableUntil: null, startedAt: AT, endedAt: AT, ...more,
});
export const workflow = (status = 'completed', more: Readonly<Record<string, unknown>> = {}, http = 200): Scripted => ({
  status: http,
  body: {
    id: ID, intentId: INTENT_ID, tenant: 'default', status, statusReason: null, goal: 'g', agent: 'agent', mode: 'saga', labels: {}, steps: [step()], residue: [], createdAt: AT,
    endedAt: ['completed', 'rolledBack', 'rejected', 'failed', 'cancelled'].includes(status) ? AT : null, ...more,
  },
});
export const event = (sequence: number, fact = 'step-started') =>
  ({ specversion: '1.0', id: `${ID}/${sequence}`, type: `aifirst.workflow.${fact}.v1`, source: 'orchestrator', time: AT, subject: ID, tenant: 'default', producer: 'orchestrator/0', sequence, data: {} });
export const sent = (sequence: number, fact = 'step-started'): string => `id: ${sequence}\nevent: aifirst.workflow.${fact}.v1\ndata: ${JSON.stringify(event(sequence, fact))}\n\n`;
