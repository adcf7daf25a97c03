import { randomUUID } from 'node:crypto';
import { EmbeddedMessageBus, InProcessQuery } from '@aifirst/bus';
import { MemoryDeadLetters } from '@aifirst/bus/testing';
import type { PlanDecided, PolicyQuestions } from '@aifirst/contracts';
import { TOPICS } from '@aifirst/contracts';
import { startTestPostgres } from '@aifirst/embedded-postgres/testing';
import type { TestPostgres } from '@aifirst/embedded-postgres/testing';
import type { Clock } from '@aifirst/kernel';
import { BASE_MIGRATIONS, feedOf, migrate, PostgresStore } from '@aifirst/store';
import type { Log } from '@aifirst/store';
import type { ClientConfig } from 'pg';
import { ADMIN, anAgent, aQuestion, aRole, aRunningService, aStep, messageOf } from '../testing';
import { PolicyModule } from './policy-module';

let postgres: TestPostgres;
let connections: ReadonlyMap<string, ClientConfig>;
beforeAll(async () => {
  postgres = await startTestPostgres();
  const services = ['policy', 'orchestrator'].map(name => ({ schema: `aifirst_${name}`, role: `aifirst_${name}`, migrations: BASE_MIGRATIONS }));
  connections = await migrate({ admin: postgres.connection, services });
});
afterAll(async () => { await postgres?.stop(); });

const clock: Clock = { now: () => Date.now(), after: (delayMs, callback) => { const timer = setTimeout(callback, delayMs); return () => { clearTimeout(timer); }; } };
const storeOf = (serviceName: string) => new PostgresStore({ connection: connections.get(`aifirst_${serviceName}`)!, schema: `aifirst_${serviceName}`, serviceName });

/** Policy as the runtime composes it, and somebody who asks on the bus. */
async function composed() {
  const stores = { policy: storeOf('policy'), orchestrator: storeOf('orchestrator') };
  const log = await stores.policy.open({ log: 'policy', shard: 0, owner: 'test', takeOver: true });
  const asking = await stores.orchestrator.open({ log: 'orchestrator', shard: 0, owner: 'test', takeOver: true });
  const bus = new EmbeddedMessageBus({ clock, deadLetters: () => new MemoryDeadLetters() });
  await bus.attach(feedOf(log));
  await bus.attach(feedOf(asking));
  const query = new InProcessQuery();
  const { service, clock: stopped } = await aRunningService(log);
  const module = new PolicyModule(service, log, bus, query);
  await module.start();
  const answers: PlanDecided[] = [];
  const heard = await bus.subscribe({
    group: 'test.answers', topics: [TOPICS.decisionEvents], from: () => ({ 'policy/0': log.head() }),
    handle: async batch => { answers.push(...batch.deliveries.map(({ message }) => message.event.data as unknown as PlanDecided)); },
  });
  return {
    log, asking, answers, clock: stopped,
    ask: <Q extends keyof PolicyQuestions>(question: Q, body: PolicyQuestions[Q][0]) => query.ask<PolicyQuestions[Q][1]>('policy', question, body),
    stop: async () => {
      await heard.stop();
      await module.stop();
      await bus.stop();
      for (const opened of [log, asking]) await opened.close();
      for (const store of Object.values(stores)) await store.close();
    },
  };
}
async function pose(asking: Log, ...workflows: readonly string[]): Promise<void> {
  await asking.commit({
    appends: workflows.map(workflow => {
      const { topic, key, event } = messageOf(aQuestion([aStep('fs.write'), aStep('mail.send', { step: 'b' })], { workflow }));
      return { tenant: 'acme', stream: randomUUID(), version: 1, messages: [{ topic, key, id: event.id, type: event.type, time: event.time, subject: event.subject, tenant: event.tenant, data: event.data }] };
    }),
  });
}
async function until(condition: () => boolean): Promise<void> {
  for (const endMs = Date.now() + 15_000; !condition();) {
    if (Date.now() > endMs) throw new Error('not in time');
    await new Promise(resolve => { setTimeout(resolve, 5); });
  }
}
const uuids = (count: number) => Array.from({ length: count }, () => randomUUID());

it('answers on the bus what was asked there, once, under what holds, also after a restart', async () => {
  const first = await composed();
  await first.ask('putRole', { tenant: 'acme', name: 'clerk', value: aRole(['fs.*']), by: ADMIN });
  await first.ask('putPolicy', { tenant: 'acme', name: 'guard', value: { cedar: 'forbid (principal, action == AiFirst::Action::"fs.delete", resource);' }, by: ADMIN });
  await first.ask('activatePolicy', { tenant: 'acme', name: 'guard', version: 1, by: ADMIN });
  await first.ask('applyPrincipal', anAgent('robo'));
  const workflows = uuids(300);
  await pose(first.asking, ...workflows);
  await until(() => first.answers.length >= workflows.length);
  expect(first.answers.map(({ workflow }) => workflow)).toEqual(workflows);
  expect(first.answers.every(({ decisions }) => decisions[0]!.outcome === 'allow' && decisions[1]!.outcome === 'deny')).toBe(true);
  await pose(first.asking, ...workflows.slice(0, 50), ...uuids(1));
  await until(() => first.answers.length > workflows.length);
  expect(first.answers).toHaveLength(workflows.length + 1);
  expect(first.log.positions()['orchestrator/0']).toBe(first.asking.head());
  await first.ask('putKillSwitch', { tenant: 'acme', name: 'stop', value: { scope: { kind: 'all' }, reason: 'fire', rollback: false, includeUndo: false }, by: ADMIN });
  const before = await first.ask('controlState', { tenant: null });
  await first.stop();

  const second = await composed();
  expect((await second.ask('controlState', { tenant: null })).tenants).toEqual(before.tenants);
  expect(await second.ask('listPolicies', { tenant: 'acme', limit: 9 })).toMatchObject({ items: [{ name: 'guard', value: { version: 1, active: 1 } }] });
  await pose(second.asking, ...uuids(1));
  await until(() => second.answers.length > 0);
  expect(second.answers[0]!.decisions.map(({ code }) => code)).toEqual(['KILL_SWITCH', 'KILL_SWITCH']);
  const facts = (await second.log.read(0, 10_000)).flatMap(({ messages }) => messages.map(({ event }) => event));
  expect(facts.map(({ sequence }) => sequence)).toEqual(facts.map((_, index) => index + 1));
  await second.stop();
});
