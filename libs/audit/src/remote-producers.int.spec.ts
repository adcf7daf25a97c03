import type { ClientConfig } from 'pg';
import { InProcessQuery } from '@aifirst/bus';
import { MemoryFeed } from '@aifirst/bus/testing';
import { TOPICS, type Message, type ServiceQuery } from '@aifirst/contracts';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';
import { OperationalError } from '@aifirst/kernel';
import { answerForLog, HttpServiceQuery, remoteFeed, ServiceServer } from '@aifirst/service-http';
import { AuditStand, migrateAudit } from './testing/audit-stand';
import { aFact } from './testing/facts';
import { verifyExport } from './verify';

let postgres: TestPostgres;
let connection: ClientConfig;
let databases = 0;

beforeAll(async () => { postgres = await startTestPostgres(); });
afterAll(async () => { await postgres.stop(); });
beforeEach(async () => { connection = await migrateAudit(await postgres.createDatabase(`remote${++databases}`)); });

/** The gateway's log in another process, and a bus with a source for each topic. */
class Producer {
  readonly log = new MemoryFeed('gateway/0');
  readonly topics = new Map([TOPICS.identityEvents, TOPICS.intentEvents].map(topic => [topic as string, new MemoryFeed(`${topic}/0`)]));
  readonly query = new InProcessQuery();
  isAway = false;
  questions = 0;
  readonly feed;

  constructor() {
    answerForLog(this.query, 'gateway', { producer: 'gateway/0', head: () => this.log.head(), read: (after, limit) => this.log.read(after, limit), onCommitted: listener => this.log.onCommitted(listener) });
    const asking: ServiceQuery = {
      ask: async (service, question, body) => {
        this.questions++;
        if (this.isAway) throw new OperationalError('SERVICE_UNAVAILABLE', 'service `gateway` does not answer', { retryable: true });
        return this.query.ask(service, question, body);
      },
      answer: () => { throw new Error('asks only'); },
    };
    this.feed = remoteFeed(asking, 'gateway', 'gateway/0');
  }

  /** Each a row of the log; some stand on rows that hold commands too. */
  record(...facts: readonly Message[]): void {
    for (const fact of facts) this.log.append([{ ...fact, topic: 'aifirst.orchestration.workflow.commands.v1', event: { ...fact.event, id: `command-${fact.event.id}` } }, fact], [{ ...fact, topic: 'aifirst.orchestration.workflow.commands.v1' }]);
  }

  /** What the bus brings of it. */
  deliver(...facts: readonly Message[]): void { for (const fact of facts) this.topics.get(fact.topic)!.append([fact]); }
}

async function aStand(producer: Producer, options: ConstructorParameters<typeof AuditStand>[1] = {}): Promise<AuditStand> {
  const stand = new AuditStand(connection, { feeds: () => [producer.feed], ...options });
  for (const feed of producer.topics.values()) stand.feeds.set(feed.source, feed);
  return stand.start();
}

const facts = (count: number, from = 1): Message[] =>
  Array.from({ length: count }, (_, i) => aFact({ sequence: from + i, topic: (from + i) % 2 === 0 ? TOPICS.identityEvents : TOPICS.intentEvents }));
const on = (topic: string) => (fact: Message): boolean => fact.topic === topic;

async function expectFolded(stand: AuditStand, count: number): Promise<void> {
  await stand.service.waitFolded({ 'gateway/0': count });
  await stand.service.settle();
  const { items } = await stand.ask('entries', { tenant: 'default', limit: count + 1 });
  expect(items.map(({ event }) => event.sequence)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  expect(verifyExport(await stand.export())).toMatchObject({ ok: true, summary: { entries: count } });
  expect([stand.service.gaps(), stand.service.lag()]).toEqual([[], 0]);
}

describe('facts of a producer in another process', () => {
  it('that come over two topics out of their order are folded in order, and none is asked for', async () => {
    const producer = new Producer();
    // No look is ever due: a gap that time closes needs none.
    const stand = await aStand(producer, { clock: { after: () => () => undefined } });
    const all = facts(100);
    producer.record(...all);
    producer.deliver(...all.filter(on(TOPICS.identityEvents)));
    producer.deliver(...all.filter(on(TOPICS.intentEvents)));
    await expectFolded(stand, 100);
    expect([stand.gaps, producer.questions]).toEqual([[], 0]);
    await stand.stop();
  });

  it('that were lost in the middle are asked for', async () => {
    const producer = new Producer();
    const stand = await aStand(producer);
    const all = facts(60);
    producer.record(...all);
    producer.deliver(...all.filter(({ event }) => event.sequence! % 3 !== 0 || event.sequence === 60));
    await expectFolded(stand, 60);
    await stand.stop();
  });

  it('that were lost at the end are asked for, although nothing later shows it', async () => {
    const producer = new Producer();
    const stand = await aStand(producer);
    const all = facts(40);
    producer.record(...all);
    producer.deliver(...all.slice(0, 25));
    await expectFolded(stand, 40);
    producer.record(...facts(3, 41));
    await expectFolded(stand, 43);
    await stand.stop();
  });

  it('are all asked for when the bus brought none of them', async () => {
    const producer = new Producer();
    producer.record(...facts(1_200));
    const stand = await aStand(producer);
    await stand.service.waitFolded({ 'gateway/0': 1_200 });
    await stand.stop();
  });

  it('wait while the producer is away, and are folded when it is back', async () => {
    const producer = new Producer();
    producer.isAway = true;
    const errors: unknown[] = [];
    const stand = await aStand(producer, { onRetrying: error => { errors.push(error); } });
    const all = facts(30);
    producer.record(...all);
    producer.deliver(...all.slice(0, 10), ...all.slice(15, 20));
    await stand.service.waitFolded({ 'gateway/0': 10 });
    while (stand.service.gaps().length === 0 || producer.questions < 20 || errors.length < 2) await new Promise(resolve => setTimeout(resolve, 2));
    expect(stand.service.foldedUpTo()).toMatchObject({ producers: { 'gateway/0': 10 } });
    // Once for how far its log goes, once for what is in it: not at every look.
    expect(errors).toHaveLength(2);
    producer.isAway = false;
    await expectFolded(stand, 30);
    await stand.stop();
  });

  it('are known to be missing where they are nowhere', async () => {
    const producer = new Producer();
    const stand = await aStand(producer);
    const all = facts(10);
    producer.record(...all.filter(({ event }) => event.sequence !== 6));
    producer.deliver(...all.filter(({ event }) => event.sequence !== 6));
    await stand.service.waitFolded({ 'gateway/0': 5 });
    while (stand.gaps.length < 2) await new Promise(resolve => setTimeout(resolve, 2));
    expect(stand.service.gaps()).toEqual([{ producer: 'gateway/0', from: 6, to: 7 }]);
    expect(stand.service.lag()).toBeGreaterThan(0);
    await stand.stop();
  });
});

describe('the audit service in a process of its own', () => {
  it('reads what it missed, and tells how far it has come, over HTTP', async () => {
    const shared = { serviceKey: Buffer.alloc(32, 3), clock: { now: () => Date.now() } };
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const server = (service: 'gateway' | 'audit', query: HttpServiceQuery) => new ServiceServer({ service, version: '1', query, metrics: async () => '', readiness: [], logger: quiet });
    const log = new MemoryFeed('gateway/0');
    log.append(...facts(700).map(fact => [fact]));
    const gatewayAnswers = new HttpServiceQuery({ urls: {}, self: ['gateway'], ...shared });
    answerForLog(gatewayAnswers, 'gateway', { producer: 'gateway/0', head: () => log.head(), read: (after, limit) => log.read(after, limit), onCommitted: listener => log.onCommitted(listener) });
    const gatewayServer = server('gateway', gatewayAnswers);
    const gatewayUrl = `http://127.0.0.1:${await gatewayServer.listen(0, '127.0.0.1')}`;

    const auditQuery = new HttpServiceQuery({ urls: { gateway: [gatewayUrl] }, self: ['audit'], ...shared });
    const feed = remoteFeed(auditQuery, 'gateway', 'gateway/0');
    const stand = await new AuditStand(connection, { query: auditQuery, feeds: () => [feed] }).start();
    const auditServer = server('audit', auditQuery);
    const gateway = new HttpServiceQuery({ urls: { audit: [`http://127.0.0.1:${await auditServer.listen(0, '127.0.0.1')}`] }, self: ['gateway'], ...shared });
    await stand.service.waitFolded({ 'gateway/0': 700 });
    expect(await gateway.ask('audit', 'foldedUpTo', {})).toEqual({ producers: { 'gateway/0': 700 }, lag: 0 });
    await stand.service.settle();
    const { document } = await gateway.ask<{ document: string }>('audit', 'export', { tenant: 'default' });
    expect(verifyExport(Buffer.from(document))).toMatchObject({ ok: true, summary: { entries: 700 } });

    await stand.stop();
    for (const each of [auditServer, gatewayServer]) await each.close();
    for (const each of [gateway, auditQuery, gatewayAnswers]) each.close();
  });
});
