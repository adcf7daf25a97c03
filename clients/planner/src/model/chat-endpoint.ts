import { setTimeout as wait } from 'node:timers/promises';
import { PlannerError } from '../errors';
import { isObject, type JsonObject } from '../json';
import { clean } from '../show/clean';
import { answerIn, messageOfRefusal } from './chat-answer';
import { endpointOf, withoutSecrets, type Endpoint, type EndpointOptions, type OutputForm } from './endpoint-options';
import type { Model, ModelAnswer, Question } from './model';

const TIMEOUT_MS = 120_000;
const ATTEMPTS_MAX = 4;
const RETRY_DELAY_MS = 500;
const RETRY_DELAY_MS_MAX = 30_000;
/** An endpoint that wants to be left alone for longer than a person would wait is given up. */
const RETRY_AFTER_MS_MAX = 60_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const ANSWER_TOKENS_MAX = 8_192;
const REFUSAL_CHARS_SHOWN = 300;
/** A form that an endpoint does not know is refused with one of these. */
const NOT_TAKEN = new Set([400, 404, 415, 422, 501]);
const TOOL = 'propose';

type Form = Exclude<OutputForm, 'auto'>;
type LimitName = 'max_tokens' | 'max_completion_tokens';
interface Reply { readonly status: number; readonly body: string; readonly retryAfterMs: number | null }

/** `POST <base>/chat/completions` of anything OpenAI-compatible, by plain `fetch`. */
export class ChatEndpoint implements Model {
  readonly name: string;
  readonly answerTokensMax: number;
  // Why `#`: what inspects or serialises this object finds no key in it.
  readonly #endpoint: Endpoint;
  readonly #options: EndpointOptions;
  /** In the order in which they are tried; the first is the one that was taken last. */
  #forms: readonly Form[];
  #limitName: LimitName = 'max_tokens';

  /** @throws PlannerError BAD_OPTION */
  constructor(options: EndpointOptions) {
    if (options.model.trim() === '') throw new PlannerError('BAD_OPTION', 'the model has no name');
    for (const name of ['timeoutMs', 'attemptsMax', 'answerBytesMax', 'answerTokensMax'] as const) {
      const value = options[name];
      if (value !== undefined && (!Number.isSafeInteger(value) || value < 1)) throw new PlannerError('BAD_OPTION', `\`${name}\` is a whole number from 1`);
    }
    this.#endpoint = endpointOf(options);
    this.#options = options;
    this.name = options.model;
    this.answerTokensMax = options.answerTokensMax ?? ANSWER_TOKENS_MAX;
    const { output = 'auto' } = options;
    this.#forms = output === 'auto' ? ['schema', 'tool', 'text'] : [output];
  }

  async ask(question: Question): Promise<ModelAnswer> {
    const forms = this.#forms;
    for (const [index, form] of forms.entries()) {
      const reply = await this.#inForm(question, form);
      if (reply.status === 200) {
        const answer = answerIn(reply.body);
        if (answer === null) throw new PlannerError('MODEL_UNREADABLE', `${this.#endpoint.shownUrl} answered 200 with what is no answer of a chat endpoint: ${this.#shown(reply.body)}`);
        this.#forms = [form, ...forms.slice(index + 1)];
        return answer;
      }
      if (!NOT_TAKEN.has(reply.status) || index === forms.length - 1) throw this.#refusal(reply);
    }
    throw new PlannerError('MODEL_UNREADABLE', 'there is no form to ask in');
  }

  async #inForm(question: Question, form: Form): Promise<Reply> {
    const reply = await this.#persistent(this.#body(question, form), question.signal);
    // Why: newer models take the limit by another name only, and say so.
    if (reply.status !== 400 || this.#limitName === 'max_completion_tokens' || !reply.body.includes('max_completion_tokens')) return reply;
    this.#limitName = 'max_completion_tokens';
    return this.#persistent(this.#body(question, form), question.signal);
  }

  #body({ messages, schema }: Question, form: Form): string {
    const { model, temperature } = this.#options;
    const asked: JsonObject = form === 'schema' ? { response_format: { type: 'json_schema', json_schema: { name: TOOL, strict: false, schema } } }
      : form === 'tool' ? {
        tools: [{ type: 'function', function: { name: TOOL, description: 'Proposes the steps that reach the goal.', parameters: schema } }],
        tool_choice: { type: 'function', function: { name: TOOL } },
      } : {};
    return JSON.stringify({ model, messages, [this.#limitName]: this.answerTokensMax, stream: false, ...(temperature === undefined ? {} : { temperature }), ...asked });
  }

  /** Until it is answered with neither 429 nor 5xx, or as often as may be. */
  async #persistent(body: string, signal: AbortSignal | undefined): Promise<Reply> {
    const { attemptsMax = ATTEMPTS_MAX, retryDelayMs = RETRY_DELAY_MS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      const outcome = await this.#once(body, signal);
      const isLast = attempt >= attemptsMax;
      if (!('unreachable' in outcome)) {
        const isBusy = outcome.status === 429 || outcome.status === 408 || (outcome.status >= 500 && outcome.status !== 501);
        if (!isBusy) return outcome;
        if (isLast || (outcome.retryAfterMs ?? 0) > RETRY_AFTER_MS_MAX) throw this.#refusal(outcome, attempt);
      } else if (isLast) throw new PlannerError('MODEL_UNREACHABLE', `${this.#endpoint.shownUrl} can't be reached${attempt === 1 ? '' : `, tried ${attempt} times`}: ${outcome.unreachable}`);
      const grown = Math.min(RETRY_DELAY_MS_MAX, retryDelayMs * 2 ** (attempt - 1)) * (0.5 + Math.random());
      const asked = 'unreachable' in outcome ? null : outcome.retryAfterMs;
      await wait(asked ?? grown, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => { signal?.throwIfAborted(); throw error; });
    }
  }

  async #once(body: string, signal: AbortSignal | undefined): Promise<Reply | { readonly unreachable: string }> {
    const { timeoutMs = TIMEOUT_MS, answerBytesMax = ANSWER_BYTES_MAX, fetch: send = fetch } = this.#options;
    const timeOut = AbortSignal.timeout(timeoutMs);
    try {
      const response = await send(this.#endpoint.url, {
        method: 'POST', body, headers: this.#endpoint.headers, redirect: 'manual', // Why: a redirect would take key and goal elsewhere.
        signal: signal === undefined ? timeOut : AbortSignal.any([signal, timeOut]),
      });
      return { status: response.status, body: await this.#read(response, answerBytesMax), retryAfterMs: retryAfterMsOf(response.headers.get('retry-after')) };
    } catch (error) {
      if (error instanceof PlannerError) throw error;
      signal?.throwIfAborted();
      if (timeOut.aborted) throw new PlannerError('MODEL_TIMEOUT', `${this.#endpoint.shownUrl} has not answered within ${timeoutMs} ms`);
      return { unreachable: this.#shown(reasonOf(error)) };
    }
  }

  async #read(response: Response, bytesMax: number): Promise<string> {
    if (response.body === null) return '';
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    // Why the loop ends the stream by itself when it is left: nobody reads the rest.
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) throw new PlannerError('MODEL_UNREADABLE', `${this.#endpoint.shownUrl} answered with more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #refusal({ status, body, retryAfterMs }: Reply, attempts = 1): PlannerError {
    const said = messageOfRefusal(body);
    const where = `${this.#endpoint.shownUrl} answered ${status}${attempts > 1 ? `, tried ${attempts} times` : ''}`;
    const advice = status >= 300 && status < 400 ? 'redirects are not followed: set the base URL to where it leads'
      : status === 401 || status === 403 ? 'is the key right, and may it use this model?'
        : status === 404 ? 'is the base URL right, and is there this model?'
          : retryAfterMs !== null ? `it asks to be left alone for ${Math.ceil(retryAfterMs / 1_000)} s` : '';
    return new PlannerError('MODEL_REFUSED', `${where}${said === '' ? '' : `: ${this.#shown(said)}`}${advice === '' ? '' : ` (${advice})`}`, { status });
  }

  #shown(text: string): string { return clean(withoutSecrets(text, this.#endpoint.secrets).trim(), REFUSAL_CHARS_SHOWN); }
}

function retryAfterMsOf(header: string | null): number | null {
  if (header === null) return null;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

/** Of a failed `fetch` the cause says more than the error. */
function reasonOf(error: unknown): string {
  const cause: unknown = isObject(error) && error['cause'] !== undefined ? error['cause'] : error;
  if (!isObject(cause)) return 'the connection failed';
  const { message, code } = cause;
  return typeof message === 'string' && message !== '' ? message : typeof code === 'string' ? code : 'the connection failed';
}
