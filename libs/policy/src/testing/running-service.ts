import { randomUUID } from 'node:crypto';
import type { CloudEvent, DecidePlan, Message, PlanDecided } from '@aifirst/contracts';
import { eventType, TOPICS } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import { sealLease } from '@aifirst/vault';
import { PolicyService } from '../application/policy-service';
import type { PolicyServiceOptions } from '../application/policy-service';
import { answersOf } from '../infrastructure/policy-module';
import { WasmCedarEngine } from '../infrastructure/wasm-cedar-engine';
import { CAPABILITIES, digestForTests } from './builders';
import { NOW, SERVICE_KEY } from './tenant';

/** A policy service on a log, with its clock in the test's hand. */
export async function aRunningService(log: Log, changes: Partial<PolicyServiceOptions> = {}) {
  const clock = { ms: NOW, now() { return clock.ms; } };
  const service = new PolicyService({
    log, engine: new WasmCedarEngine(), capabilities: () => CAPABILITIES, clock, ids: { uuid: () => randomUUID() }, digest: digestForTests,
    seal: fields => sealLease(SERVICE_KEY, fields), ...changes,
  });
  await service.start();
  const messages: Message[] = [];
  log.onCommitted(rows => { for (const row of rows) messages.push(...row.messages); });
  const decided = (): (CloudEvent & { readonly data: JsonObject })[] => messages.filter(({ topic }) => topic === TOPICS.decisionEvents).map(({ event }) => event);
  return {
    service, clock, messages, ask: answersOf(service), decided,
    /** Names and subjects of what was said on the control topic. */
    facts: () => messages.filter(({ topic }) => topic === TOPICS.controlEvents).map(({ event }) => `${event.type.split('.')[2]!} ${event.subject}`),
    answers: () => decided().map(({ data }) => data as unknown as PlanDecided),
    /** Hands questions over as the bus does. */
    async bring(position: number, ...questions: DecidePlan[]): Promise<void> {
      await service.handle({
        positions: { 'orchestrator/0': position },
        deliveries: questions.map(question => ({ source: 'orchestrator/0', position, message: messageOf(question) })),
      });
    },
  };
}

export const messageOf = (question: DecidePlan): Message => ({
  topic: TOPICS.decisionCommands, key: question.workflow,
  event: {
    specversion: '1.0', id: `asked-${question.workflow}-${question.question}`, type: eventType('policy', 'DecidePlan'), source: '/aifirst/orchestrator', time: new Date(NOW).toISOString(),
    subject: question.workflow, tenant: question.principal.tenant, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', producer: 'orchestrator/0', data: question as unknown as JsonObject,
  },
});
