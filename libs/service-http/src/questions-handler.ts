import { randomBytes } from 'node:crypto';
import { OperationalError, Refusal, messageOf, type Clock } from '@aifirst/kernel';
import type { AnswerDesk } from './answer-desk';
import { NotActive, outcomeOf, STATUS, type Outcome } from './outcome';
import { jsonAnswer, NOT_FOUND, problemAnswer, type HttpAnswer } from './problem';
import { BodyTooLarge } from './read-body';
import { readQuestionPath, type Address } from './question-path';
import { ANSWER_HEADER, digestOf, QUESTION_HEADER, readQuestionHeader, type QuestionSeal, type SealedQuestion } from './question-seal';
import { CLOCK_SKEW_MS_MAX, SeenNonces } from './seen-nonces';

/** One line of the log; fields never hold payloads or secrets. */
export interface ServiceLogger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface IncomingQuestion {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The bytes as they came. Called only for whoever has the service key. @throws BodyTooLarge */
  body(): Promise<Buffer>;
}

/** Strangers must not be able to fill the log. */
const WARN_EVERY_MS = 10_000;

/**
 * Answers questions that come by HTTP. Who asks shows the service key over a header that names the body's digest, so that
 * of strangers nothing is read; a question is answered once, by the process that it was meant for.
 */
export class QuestionsHandler {
  /** Of this process, since its start: what was said to a former one is not heard here. */
  readonly #instance = randomBytes(16).toString('base64url');
  readonly #nonces = new SeenNonces();
  readonly #underWay = new Set<Promise<unknown>>();
  #isDraining = false;
  #warnedAt = -Infinity;

  constructor(private readonly desk: AnswerDesk, private readonly seal: QuestionSeal, private readonly clock: Pick<Clock, 'now'>, private readonly logger: ServiceLogger) {}

  async handle(asked: IncomingQuestion): Promise<HttpAnswer> {
    const target = asked.method === 'POST' ? readQuestionPath(asked.path) : null;
    if (target === null) return NOT_FOUND;
    const question = readQuestionHeader(asked.headers[QUESTION_HEADER]);
    if (question === null || !this.seal.hasSealed(asked.path, question)) return this.#refuse(asked.path, 'the question is not sealed with the service key');
    const now = this.clock.now();
    if (!SeenNonces.isFresh(question.at, now)) return this.#refuse(asked.path, `the question's time is more than ${CLOCK_SKEW_MS_MAX} ms from the time here`);
    if (question.instance !== this.#instance) return this.#sealed(question, STATUS.instance, { instance: this.#instance });
    if (!this.#nonces.add(question.nonce, question.at, now)) return this.#refuse(asked.path, 'the question has been heard before');
    const answering = this.#answer(asked, target, question);
    this.#underWay.add(answering);
    return answering.finally(() => { this.#underWay.delete(answering); });
  }

  /** Sends whoever asks from now on elsewhere, and resolves when what is under way has its answer. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await Promise.allSettled([...this.#underWay]);
  }

  async #answer(asked: IncomingQuestion, { service, question }: { service: Address; question: string }, sealed: SealedQuestion): Promise<HttpAnswer> {
    try {
      if (this.#isDraining) throw new NotActive(service);
      const bytes = await asked.body();
      if (digestOf(bytes) !== sealed.digest) return this.#refuse(asked.path, 'the body is not the one that was sealed');
      const answer = await this.desk.answer(service, question, parsed(bytes));
      return this.#sealed(sealed, STATUS.answer, { answer: answer ?? null });
    } catch (error) {
      if (error instanceof BodyTooLarge) return problemAnswer(413, { code: 'TOO_LARGE', detail: error.message }, { connection: 'close' });
      this.#note(error, service, question, sealed.nonce);
      const { status, outcome } = outcomeOf(error, sealed.nonce);
      return this.#sealed(sealed, status, outcome);
    }
  }

  #sealed({ nonce }: SealedQuestion, status: number, outcome: Outcome): HttpAnswer {
    const answer = jsonAnswer(status, outcome, { 'cache-control': 'no-store' });
    return { ...answer, headers: { ...answer.headers, [ANSWER_HEADER]: this.seal.sealAnswer(nonce, status, answer.body) } };
  }

  #refuse(path: string, why: string): HttpAnswer {
    const now = performance.now();
    if (now - this.#warnedAt >= WARN_EVERY_MS) {
      this.#warnedAt = now;
      this.logger.warn('a question was refused', { path, why });
    }
    return problemAnswer(401, { code: 'UNAUTHENTICATED', detail: why });
  }

  #note(error: unknown, service: Address, question: string, id: string): void {
    if (error instanceof Refusal || error instanceof NotActive) return;
    if (error instanceof OperationalError) this.logger.warn('a question could not be answered', { service, question, id, code: error.code, error: messageOf(error) });
    else this.logger.error('a question failed', { service, question, id, error: error instanceof Error ? error.stack : String(error) });
  }
}

function parsed(bytes: Buffer): unknown {
  try { return JSON.parse(bytes.toString('utf8')); } catch { throw new OperationalError('MALFORMED_JSON', 'the question is not JSON'); }
}
