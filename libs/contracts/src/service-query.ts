import type { ServiceName } from './topics';

/**
 * Questions to an owner that need an answer now. In process a call; between processes HTTP to `<SERVICE>_URLS`.
 * What is asked is JSON, and so is what comes back. A `Refusal` thrown by the owner reaches the asker as a `Refusal`.
 */
export interface ServiceQuery {
  ask<A>(service: ServiceName, question: string, body: unknown): Promise<A>;
  /** Registers the owner's answer. One answer per question. */
  answer<Q, A>(service: ServiceName, question: string, handler: (body: Q) => Promise<A> | A): void;
}
