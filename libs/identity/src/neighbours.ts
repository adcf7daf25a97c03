import type { AdapterHost, AdapterQuestions, AuditQuestions, OrchestratorQuestions, PolicyQuestions, ServiceQuery } from '@aifirst/contracts';

interface Owners extends Readonly<Record<AdapterHost, AdapterQuestions>> {
  readonly orchestrator: OrchestratorQuestions;
  readonly policy: PolicyQuestions;
  readonly audit: AuditQuestions;
}
type Asked<T> = T extends readonly [infer Q, unknown] ? Q : never;
type Answered<T> = T extends readonly [unknown, infer A] ? A : never;

/** Questions to other services, with their types. */
export interface Neighbours {
  ask<S extends keyof Owners, Q extends keyof Owners[S] & string>(service: S, question: Q, body: Asked<Owners[S][Q]>): Promise<Answered<Owners[S][Q]>>;
}

export const neighboursBy = (query: ServiceQuery): Neighbours => ({ ask: (service, question, body) => query.ask(service, question, body) });
