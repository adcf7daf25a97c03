import type { ServiceName, ServiceQuery } from '@aifirst/contracts';
import { OperationalError, invariant } from '@aifirst/kernel';

type Answer = (body: unknown) => unknown;

/** Questions between services of one process: a call. What is handed over is the very object; neither side may change it. */
export class InProcessQuery implements ServiceQuery {
  private readonly services = new Map<ServiceName, Map<string, Answer>>();

  /** @throws OperationalError SERVICE_UNAVAILABLE (retryable: the service answers nothing yet), UNKNOWN_QUESTION */
  async ask<A>(service: ServiceName, question: string, body: unknown): Promise<A> {
    const answers = this.services.get(service);
    if (answers === undefined) throw new OperationalError('SERVICE_UNAVAILABLE', `service \`${service}\` answers nothing yet`, { retryable: true });
    const answer = answers.get(question);
    if (answer === undefined) throw new OperationalError('UNKNOWN_QUESTION', `service \`${service}\` has no answer to \`${question}\``);
    return (await answer(body)) as A;
  }

  answer<Q, A>(service: ServiceName, question: string, handler: (body: Q) => Promise<A> | A): void {
    const answers = this.services.get(service) ?? new Map<string, Answer>();
    invariant(!answers.has(question), `question \`${question}\` of service \`${service}\` is answered twice`);
    answers.set(question, handler as Answer);
    this.services.set(service, answers);
  }
}

/** A map of `question: [asked, answered]`, see contracts/questions.ts. */
type Questions<Q> = { [K in keyof Q]: readonly [unknown, unknown] };

/** `const ask = asker<GatewayQuestions>(query, 'gateway'); await ask('connection', { tenant, name })`. */
export function asker<Q extends Questions<Q>>(query: ServiceQuery, service: ServiceName): <K extends keyof Q & string>(question: K, body: Q[K][0]) => Promise<Q[K][1]> {
  return (question, body) => query.ask(service, question, body);
}

/** The owner's side: `const answer = answerer<GatewayQuestions>(query, 'gateway'); answer('connection', ({ tenant, name }) => …)`. */
export function answerer<Q extends Questions<Q>>(query: ServiceQuery, service: ServiceName): <K extends keyof Q & string>(question: K, handler: (body: Q[K][0]) => Promise<Q[K][1]> | Q[K][1]) => void {
  return (question, handler) => { query.answer(service, question, handler); };
}
