import type { ServiceName, ServiceQuery } from '@aifirst/contracts';
import { OperationalError, invariant, type Clock } from '@aifirst/kernel';
import { AnswerDesk } from './answer-desk';
import { Exchange, NoAnswer, type Posted, type Received } from './exchange';
import { readOutcome, settle, type Outcome } from './outcome';
import { QUESTION_BYTES_MAX, questionPath, serviceOf, type Address } from './question-path';
import { ANSWER_HEADER, digestOf, newNonce, QUESTION_HEADER, QuestionSeal, UNKNOWN_INSTANCE } from './question-seal';
import { isRepeatable } from './repeatable';
import { QuestionsHandler, type ServiceLogger } from './questions-handler';

const TIMEOUT_MS = 5_000;
/** Questions that take their time: a whole log, a target that has to be reached, an answer that waits for another agent. */
const TIMEOUTS_MS: Readonly<Record<string, number>> = { export: 30_000, probeConnection: 30_000, preview: 15_000, readLog: 15_000, task: 45_000, findTask: 45_000, withdrawTask: 45_000, undoTask: 45_000 };
/** Answers without a seal after which nothing was done. Any other may come from something between that had passed the question on. */
const NOT_HEARD: readonly number[] = [401, 404, 421];
/** For a connection that was gone, and a process that was started anew. */
const ROUNDS_MAX = 3;

export interface HttpServiceQueryOptions {
  /** `<SERVICE>_URLS`: where the copies of each service are asked, `http://host:port`. One of them is active. */
  readonly urls: Readonly<Partial<Record<ServiceName, readonly string[]>>>;
  /** What this process runs: asked in process alone, but while it stands by. */
  readonly self?: readonly ServiceName[];
  /** The bytes of SERVICE_KEY_FILE, at least 32; the same in every process. */
  readonly serviceKey: Uint8Array;
  /** The wall clock, which may differ by a minute between two processes: one that only goes forward drifts away from the others'. */
  readonly clock: Pick<Clock, 'now'>;
  /** An answer must be there by then, however many copies were asked. Default 5,000. */
  readonly timeoutMs?: number;
  /** By question, in place of `timeoutMs`. Defaults: `export` and `probeConnection` 30,000, `preview` and `readLog` 15,000. */
  readonly timeoutsMs?: Readonly<Record<string, number>>;
}

type Settled = Exclude<Outcome, { notActive: unknown } | { instance: unknown }>;
/** `null`: nothing was done there. */
interface Attempt { readonly settled: Settled | null; readonly why: string; readonly activeUrl: string | null }

/**
 * Questions between processes, by HTTP. What this process answers itself is a call. Of a service's copies the one that
 * answered last is asked first; where nothing was done (no connection, standing by) the next is asked. A question that may
 * have been heard is asked again only if that changes nothing more, else whoever asked decides.
 */
export class HttpServiceQuery implements ServiceQuery {
  readonly #desk = new AnswerDesk();
  readonly #seal: QuestionSeal;
  readonly #exchange = new Exchange();
  /** By service, in the order in which they are asked. */
  readonly #urls = new Map<Address, readonly string[]>();
  /** The active copy, where it is none of these. */
  readonly #elsewhere = new Map<Address, string>();
  /** By url the name of the process that listens there. */
  readonly #instances = new Map<string, string>();

  constructor(private readonly options: HttpServiceQueryOptions) {
    this.#seal = new QuestionSeal(options.serviceKey);
    for (const [service, urls] of Object.entries(options.urls)) this.#urls.set(service as ServiceName, urls!.map(baseOf));
  }

  /**
   * @throws what the owner throws: `Refusal` as it is, others as OperationalError with their code (INTERNAL for a bug);
   * OperationalError SERVICE_UNAVAILABLE (retryable: nobody answers), SERVICE_TIMEOUT (retryable; it may have been heard),
   * UNKNOWN_QUESTION, QUESTION_TOO_LARGE
   */
  async ask<A>(service: Address, question: string, body: unknown): Promise<A> {
    const isOurs = this.#desk.answers(service, question) || this.options.self?.includes(serviceOf(service)) === true;
    if (isOurs && !(this.#desk.standsBy(service) && this.#urls.has(serviceOf(service)))) return (await this.#desk.answer(service, question, body)) as A;
    return settle<A>(await this.#askOthers(service, question, Buffer.from(JSON.stringify(body ?? null))), service, question);
  }

  answer<Q, A>(service: Address, question: string, handler: (body: Q) => Promise<A> | A): void {
    this.#desk.register(service, question, handler as (body: unknown) => unknown);
  }

  /**
   * While this copy stands by for the service, questions to it are answered with NOT_ACTIVE and its own go to the others.
   * @param activeUrl where the active copy can be asked, null as far as it is not known
   */
  standBy(service: Address, activeUrl: () => string | null = () => null): void { this.#desk.standBy(service, activeUrl); }
  /** This copy does the service's work from now on. */
  activate(service: Address): void { this.#desk.standBy(service, null); }

  /** Its work is another copy's from now on, and so are the answers. */
  withdraw(service: Address): void { this.#desk.withdraw(service); }

  /** Asks one copy and no other. @throws as `ask` */
  async askAt<A>(url: string, service: Address, question: string, body: unknown): Promise<A> {
    const endsAt = performance.now() + (this.options.timeoutMs ?? TIMEOUT_MS);
    try {
      const { settled, why } = await this.#askOne(baseOf(url), questionPath(service, question), Buffer.from(JSON.stringify(body ?? null)), endsAt, isRepeatable(question));
      if (settled !== null) return settle<A>(settled, service, question);
      throw new OperationalError('SERVICE_UNAVAILABLE', `service \`${service}\` does not answer (\`${url}\`: ${why})`, { retryable: true });
    } catch (error) {
      throw error instanceof NoAnswer ? unheard(error, service, question, url) : error;
    }
  }

  /** What answers other processes' questions; one per server. */
  handler(logger: ServiceLogger): QuestionsHandler { return new QuestionsHandler(this.#desk, this.#seal, this.options.clock, logger); }

  /** Lets go of all connections. */
  close(): void { this.#exchange.close(); }

  async #askOthers(service: Address, question: string, body: Buffer): Promise<Settled> {
    if (body.length > QUESTION_BYTES_MAX) throw new OperationalError('QUESTION_TOO_LARGE', `question \`${question}\` to service \`${service}\` has more than ${QUESTION_BYTES_MAX} bytes`);
    const timeoutMs = this.options.timeoutsMs?.[question] ?? TIMEOUTS_MS[question] ?? this.options.timeoutMs ?? TIMEOUT_MS;
    const endsAt = performance.now() + timeoutMs;
    const open = [...this.#inOrder(service)];
    const asked = new Set<string>();
    const failures: string[] = [];
    for (let url = open.shift(); url !== undefined; url = open.shift()) {
      if (asked.has(url)) continue;
      asked.add(url);
      try {
        const { settled, why, activeUrl } = await this.#askOne(url, questionPath(service, question), body, endsAt, isRepeatable(question));
        if (settled !== null) { this.#prefer(service, url); return settled; }
        this.#putLast(service, url);
        failures.push(`\`${url}\`: ${why}`);
        if (activeUrl !== null) open.unshift(activeUrl);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        this.#putLast(service, url);
        if (error.timedOut || (error.reached !== 'no' && !isRepeatable(question))) throw unheard(error, service, question, url);
        failures.push(`\`${url}\`: ${error.message}`);
      }
    }
    const why = failures.length === 0 ? 'it is not known where to ask it' : failures.join(', ');
    throw new OperationalError('SERVICE_UNAVAILABLE', `service \`${service}\` does not answer (${why})`, { retryable: true });
  }

  /** @throws NoAnswer; OperationalError */
  async #askOne(url: string, path: string, body: Buffer, endsAt: number, mayRepeat: boolean): Promise<Attempt> {
    const digest = digestOf(body);
    let isFresh = false;
    // Why several: the first time a process says its name, which the question must then call it by.
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const nonce = newNonce();
      const question = { at: this.options.clock.now(), nonce, instance: this.#instances.get(url) ?? UNKNOWN_INSTANCE, digest };
      const posted = { url: `${url}${path}`, headers: { [QUESTION_HEADER]: this.#seal.sealQuestion(path, question) }, body };
      let received: Received;
      try {
        received = await this.#post(posted, endsAt, isFresh);
      } catch (error) {
        if (isFresh || !(error instanceof NoAnswer) || error.reached !== 'stale') throw error;
        isFresh = true;
        if (mayRepeat) continue;
        received = await this.#postAgain(posted, endsAt);
      }
      const { status, headers, body: bytes } = received;
      if (!this.#seal.hasSealedAnswer(textOf(headers[ANSWER_HEADER]), nonce, status, bytes)) {
        if (!NOT_HEARD.includes(status)) throw new NoAnswer('perhaps', false, `an answer (${status}) without a seal`);
        return { settled: null, activeUrl: null, why: status === 401 ? `refused (401): are SERVICE_KEY_FILE and the clocks the same there?` : `status ${status}` };
      }
      const outcome = readOutcome(bytes);
      if (outcome === null) throw new OperationalError('SERVICE_INCOMPATIBLE', `\`${url}\` answers in a form that is not known here`, { retryable: true });
      if ('notActive' in outcome) return { settled: null, activeUrl: urlOf(outcome.notActive.activeUrl), why: 'stands by' };
      if (!('instance' in outcome)) return { settled: outcome, activeUrl: null, why: '' };
      this.#instances.set(url, outcome.instance);
    }
    return { settled: null, activeUrl: null, why: 'several processes listen there' };
  }

  async #post(posted: Omit<Posted, 'timeoutMs' | 'isFresh'>, endsAt: number, isFresh: boolean): Promise<Received> {
    const timeoutMs = Math.ceil(endsAt - performance.now());
    if (timeoutMs <= 0) throw new NoAnswer('no', true, 'no time was left');
    return this.#exchange.post({ ...posted, timeoutMs, isFresh });
  }

  /** The very same: a process that has heard it knows it again and refuses, and so does one that was started since. */
  async #postAgain(posted: Omit<Posted, 'timeoutMs' | 'isFresh'>, endsAt: number): Promise<Received> {
    const again = await this.#post(posted, endsAt, true).catch((error: unknown) => { throw error instanceof NoAnswer ? new NoAnswer('perhaps', error.timedOut, error.message) : error; });
    if (again.status === 401 || again.status === 421) throw new NoAnswer('perhaps', false, 'the connection was lost');
    return again;
  }

  #urlsOf(service: Address): readonly string[] { return this.#urls.get(service) ?? this.#urls.get(serviceOf(service)) ?? []; }

  #inOrder(service: Address): readonly string[] {
    const elsewhere = this.#elsewhere.get(service);
    const urls = this.#urlsOf(service);
    return elsewhere === undefined ? urls : [elsewhere, ...urls];
  }

  #prefer(service: Address, url: string): void {
    const urls = this.#urlsOf(service);
    if (!urls.includes(url)) { this.#elsewhere.set(service, url); return; }
    this.#elsewhere.delete(service);
    if (urls[0] !== url) this.#urls.set(service, [url, ...urls.filter(other => other !== url)]);
  }

  #putLast(service: Address, url: string): void {
    if (this.#elsewhere.get(service) === url) this.#elsewhere.delete(service);
    const urls = this.#urlsOf(service);
    if (urls.includes(url)) this.#urls.set(service, [...urls.filter(other => other !== url), url]);
  }
}

function unheard({ reached, timedOut, message }: NoAnswer, service: Address, question: string, url: string): OperationalError {
  const heard = reached === 'no' ? '' : ', which it may have heard';
  return new OperationalError(timedOut ? 'SERVICE_TIMEOUT' : 'SERVICE_UNAVAILABLE', `service \`${service}\` (\`${url}\`) did not answer \`${question}\`${heard}: ${message}`, { retryable: true });
}

const textOf = (header: string | string[] | undefined): string | undefined => (typeof header === 'string' ? header : undefined);

function urlOf(text: unknown): string | null {
  try { return typeof text === 'string' ? baseOf(text) : null; } catch { return null; }
}

function baseOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  invariant(url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '' && url.hash === '', 'a service is asked at `http://host:port`');
  return url.href.replace(/\/$/, '');
}
