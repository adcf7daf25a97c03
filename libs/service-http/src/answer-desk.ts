import { OperationalError, invariant } from '@aifirst/kernel';
import { NotActive } from './outcome';
import type { Address } from './question-path';

type Answer = (body: unknown) => unknown;

/** What this process answers, and for which services it stands by. */
export class AnswerDesk {
  readonly #services = new Map<Address, Map<string, Answer>>();
  /** Services whose work another copy does, with where that one can be asked. */
  readonly #standingBy = new Map<Address, () => string | null>();

  register(service: Address, question: string, answer: Answer): void {
    const answers = this.#services.get(service) ?? new Map<string, Answer>();
    invariant(!answers.has(question), `question \`${question}\` of service \`${service}\` is answered twice`);
    answers.set(question, answer);
    this.#services.set(service, answers);
  }

  /** Nobody is answered here for it any more. */
  withdraw(service: Address): void { this.#services.delete(service); }

  /** @param activeUrl where the active copy can be asked, as far as it is known; null: this copy is the active one */
  standBy(service: Address, activeUrl: (() => string | null) | null): void {
    if (activeUrl === null) this.#standingBy.delete(service);
    else this.#standingBy.set(service, activeUrl);
  }

  standsBy(service: Address): boolean { return this.#standingBy.has(service); }
  answers(service: Address, question: string): boolean { return this.#services.get(service)?.has(question) === true; }

  /** @throws NotActive; OperationalError SERVICE_UNAVAILABLE (retryable: the service answers nothing yet), UNKNOWN_QUESTION; what the owner throws */
  async answer(service: Address, question: string, body: unknown): Promise<unknown> {
    const activeUrl = this.#standingBy.get(service);
    if (activeUrl !== undefined) throw new NotActive(service, activeUrl());
    const answers = this.#services.get(service);
    if (answers === undefined) throw new OperationalError('SERVICE_UNAVAILABLE', `service \`${service}\` answers nothing yet`, { retryable: true });
    const answer = answers.get(question);
    if (answer === undefined) throw new OperationalError('UNKNOWN_QUESTION', `service \`${service}\` has no answer to \`${question}\``);
    return answer(body);
  }
}
