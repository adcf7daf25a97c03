import { INTENT_TOPICS, TOPICS } from '@aifirst/contracts';
import { MemoryStore, type Fate } from '@aifirst/store/testing';
import fc from 'fast-check';
import { GatewayUnderTest, MemoryRawTopics, aSignedIntent, aSigningKey, anIntent } from '../testing';

const { submitted, unreadable } = INTENT_TOPICS;
const key = aSigningKey();

describe('intents by Kafka, whatever the store does', () => {
  it('become exactly one workflow each, and every record is answered', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.constantFrom<Fate>('stored', 'refused', 'unknownStored', 'unknownAbsent'), { maxLength: 8 }), fc.array(fc.constantFrom('good', 'again', 'refused', 'unreadable'), { minLength: 1, maxLength: 8 }), async (fates, kinds) => {
      const store = new MemoryStore({ serviceName: 'gateway' });
      const topics = new MemoryRawTopics(Date.now);
      const gateway = await GatewayUnderTest.start({ store, intentTopic: { topics, deployment: 'aifirst', create: { partitions: 1 } } });
      try {
        const agent = await gateway.agent();
        await gateway.call('POST', `/v1/agents/${agent.id}/keys`, { kid: key.kid, jwk: key.jwk });
        const left = [...fates];
        // Only of the intake's own commits: what else is stored meanwhile has its own tests.
        store.fate = (_, { positions }) => (positions === undefined ? 'stored' : left.shift() ?? 'stored');
        const head = gateway.log.head();
        kinds.forEach((kind, index) => {
          if (kind === 'unreadable') { topics.append(submitted, { value: Buffer.from(`${index}`) }); return; }
          topics.append(submitted, aSignedIntent({ key, source: agent.id, time: new Date().toISOString(), id: kind === 'again' ? 'again' : `${kind} ${index}`, intent: kind === 'refused' ? {} : anIntent() }));
        });
        await topics.settled();
        const events = (await gateway.log.read(head, 10_000)).flatMap(row => row.messages);
        const ids = kinds.flatMap((kind, index) => (kind === 'unreadable' ? [] : [kind === 'again' ? 'again' : `${kind} ${index}`]));
        const accepted = (id: string) => events.filter(({ topic, event }) => topic === TOPICS.intentEvents && event.intentid === id && event.type === 'aifirst.intent.accepted.v1');
        const good = [...new Set(ids.filter(id => !id.startsWith('refused')))];
        expect(events.filter(({ topic }) => topic === TOPICS.workflowCommands).map(({ event }) => event.data['intentKnownAs']).sort()).toEqual([...good].sort());
        for (const id of good) {
          expect(accepted(id).filter(({ event }) => event.data['replayed'] === undefined)).toHaveLength(1);
          expect(new Set(accepted(id).map(({ event }) => event.data['workflowId'])).size).toBe(1);
          expect(accepted(id).length).toBeGreaterThanOrEqual(ids.filter(one => one === id).length);
        }
        for (const id of ids) if (id.startsWith('refused')) expect(events.some(({ event }) => event.intentid === id && event.type === 'aifirst.intent.refused.v1')).toBe(true);
        const told = new Set(topics.records(unreadable).map(({ headers }) => String(headers['aifirst-offset'])));
        expect(told.size).toBe(kinds.filter(kind => kind === 'unreadable').length);
        expect(gateway.log.positions()[`${submitted}/0`]).toBe(kinds.length);
      } finally {
        await gateway.close();
      }
    }), { numRuns: 25 });
  });

  it('go on in another process where the first one ended, with what was stored', async () => {
    const store = new MemoryStore({ serviceName: 'gateway' });
    const topics = new MemoryRawTopics(Date.now);
    const start = (): Promise<GatewayUnderTest> => GatewayUnderTest.start({ store, intentTopic: { topics, deployment: 'aifirst', create: { partitions: 1 } } });
    const first = await start();
    const agent = await first.agent();
    await first.call('POST', `/v1/agents/${agent.id}/keys`, { kid: key.kid, jwk: key.jwk });
    const publish = (id: string): void => { topics.append(submitted, aSignedIntent({ key, source: agent.id, time: new Date().toISOString(), id })); };
    publish('before');
    await topics.settled();
    await first.close();
    publish('while down');
    publish('before');
    const second = await start();
    const head = second.log.head();
    await topics.settled();
    const events = (await second.log.read(head, 100)).flatMap(row => row.messages).filter(({ topic }) => topic === TOPICS.intentEvents).map(({ event }) => [event.intentid, event.data['replayed'] ?? false]);
    expect(events.sort()).toEqual([['before', true], ['while down', false]]);
    await second.close();
  });
});
