import { INTENT_TOPICS, TOPICS, type CloudEvent } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';
import { GatewayUnderTest, MemoryRawTopics, aSignedIntent, aSigningKey, anIntent, detachedJws, type SignedIntentParts, type SigningKey } from '../testing';
import type { IntentOutcome } from './intent-topic-intake';
import type { RawRecord } from './raw-topic';

const { submitted, unreadable } = INTENT_TOPICS;

describe('intents by Kafka', () => {
  let gateway: GatewayUnderTest;
  let topics: MemoryRawTopics;
  let agent: { id: string; token: string };
  const outcomes: IntentOutcome[] = [];
  const [ed, p256] = [aSigningKey('EdDSA', 'ed'), aSigningKey('ES256', 'p256')];
  let serial = 0;
  const now = (): string => new Date().toISOString();
  const register = (id: string, { kid, jwk }: SigningKey) => gateway.call('POST', `/v1/agents/${id}/keys`, { kid, jwk });
  const publish = (over: Partial<SignedIntentParts> = {}, change: (record: ReturnType<typeof aSignedIntent>) => Partial<RawRecord> = record => record): RawRecord =>
    topics.append(submitted, { ...change(aSignedIntent({ key: ed, source: agent.id, time: now(), id: `id-${++serial}`, ...over })) });
  const facts = async (head: number): Promise<{ topic: string; key: string; event: CloudEvent }[]> => (await gateway.log.read(head, 10_000)).flatMap(row => row.messages);
  /** What is answered to what is published in between. */
  const answered = async (publishing: () => void | Promise<void>): Promise<CloudEvent[]> => {
    const head = gateway.log.head();
    await publishing();
    await topics.settled();
    return (await facts(head)).filter(({ topic }) => topic === TOPICS.intentEvents).map(({ event }) => event);
  };
  const told = (events: readonly CloudEvent[]): unknown[] => events.map(({ type, data }) => data['code'] ?? (data['replayed'] === true ? 'replayed' : type.split('.')[2]));

  beforeAll(async () => {
    topics = new MemoryRawTopics(Date.now);
    gateway = await GatewayUnderTest.start({ intentTopic: { topics, deployment: 'aifirst', create: { partitions: 2 }, onOutcome: outcome => { outcomes.push(outcome); } } });
    agent = await gateway.agent();
    for (const key of [ed, p256]) expect((await register(agent.id, key)).status).toBe(201);
  });
  afterAll(async () => { await gateway.close(); });

  it.each(['binary', 'structured'] as const)('are accepted in %s mode, signed with either algorithm, and become workflows', async mode => {
    for (const key of [ed, p256]) {
      const head = gateway.log.head();
      const [accepted, ...others] = await answered(() => { publish({ mode, key, id: `${mode} of ${key.kid}`, more: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' } }); });
      expect(others).toEqual([]);
      const { workflowId, intentId } = accepted!.data as Record<string, string>;
      expect(accepted).toMatchObject({
        type: 'aifirst.intent.accepted.v1', tenant: 'default', intentid: `${mode} of ${key.kid}`, intentsource: agent.id, traceparent: expect.stringMatching(/^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067)/) as string,
        data: { workflowId, intentId, agent: agent.id, id: `${mode} of ${key.kid}`, source: agent.id, kid: key.kid },
      });
      expect((await facts(head)).find(({ topic }) => topic === TOPICS.intentEvents)!.key).toBe(agent.id);
      const start = (await facts(head)).find(({ topic }) => topic === TOPICS.workflowCommands)!.event;
      expect(start).toMatchObject({ causationid: accepted!.id, data: { workflow: workflowId, intent: intentId, intentKnownAs: `${mode} of ${key.kid}`, agent: { kind: 'agent', id: agent.id, tenant: 'default' } } });
      expect((await gateway.call('GET', `/v1/workflows/${workflowId}`, undefined, agent.token)).status).toBe(200);
    }
  });

  it('keep effect, answer and position in one commit', async () => {
    const head = gateway.log.head();
    const { offset } = publish();
    publish({ intent: {} });
    await topics.settled();
    expect(gateway.log.positions()[`${submitted}/0`]).toBe(offset + 2);
    expect((await gateway.log.read(head, 10)).map(({ messages }) => messages.map(({ event }) => event.type))).toEqual([
      ['aifirst.intent.accepted.v1', 'aifirst.orchestration.start-workflow.v1'], ['aifirst.intent.refused.v1'],
    ]);
  });

  it('are answered with the same workflow when they come again, however often and in whatever mode', async () => {
    const time = now();
    const events = await answered(async () => {
      publish({ id: 'again', time });
      for (let i = 0; i < 20; i++) publish({ id: 'again', time, mode: i % 2 === 0 ? 'binary' : 'structured' });
      await topics.settled();
      publish({ id: 'again', time, key: p256 });
    });
    expect(told(events)).toEqual(['accepted', ...Array.from({ length: 21 }, () => 'replayed')]);
    expect(new Set(events.map(({ data }) => data['workflowId'])).size).toBe(1);
    expect(events.at(-1)).toMatchObject({ intentid: 'again', intentsource: agent.id, data: { replayed: true, id: 'again', source: agent.id, intentId: events[0]!.data['intentId'] } });
  });

  it('share their ids with REST, both ways', async () => {
    const first = await gateway.call('POST', '/v1/intents', anIntent(), agent.token, { 'idempotency-key': 'shared-1' });
    const [replayed] = await answered(() => { publish({ id: 'shared-1' }); });
    expect(replayed!.data).toMatchObject({ workflowId: first.body['workflowId'], replayed: true });
    const [accepted] = await answered(() => { publish({ id: 'shared-2' }); });
    const again = await gateway.call('POST', '/v1/intents', anIntent(), agent.token, { 'idempotency-key': 'shared-2' });
    expect(again).toMatchObject({ status: 202, body: { workflowId: accepted!.data['workflowId'] } });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it('of another intent under the same id are refused, within a batch and after', async () => {
    const events = await answered(async () => {
      publish({ id: 'other' });
      publish({ id: 'other', intent: anIntent({ goal: 'another' }) });
      await topics.settled();
      publish({ id: 'other', intent: anIntent({ goal: 'a third' }) });
    });
    expect(told(events)).toEqual(['accepted', 'IDEMPOTENCY_CONFLICT', 'IDEMPOTENCY_CONFLICT']);
  });

  it('are refused by admission as by REST, with all that is wrong', async () => {
    const [refused, ...others] = await answered(() => { publish({ id: 'wrong', intent: { goal: '', colour: 'secret-value', steps: [] } }); });
    expect(others).toEqual([]);
    expect(refused).toMatchObject({ type: 'aifirst.intent.refused.v1', subject: agent.id, intentid: 'wrong', intentsource: agent.id, data: { id: 'wrong', source: agent.id, count: 1 } });
    expect((refused!.data['errors'] as unknown[]).length).toBe(3);
    expect(JSON.stringify(refused)).not.toContain('secret-value');
    expect(told(await answered(() => { publish({ intent: undefined }, record => ({ ...record, ...resigned(Buffer.from('{"goal":"a","goal":"b"}')) })); }))).toEqual(['DUPLICATE_KEY']);
  });
  const resigned = (value: Buffer) => {
    const id = `id-${++serial}`;
    const time = now();
    const record = aSignedIntent({ key: ed, source: agent.id, time, id });
    return { headers: { ...record.headers, 'aifirst-signature': Buffer.from(jws(ed, id, time, value)) }, value };
  };
  const jws = (key: SigningKey, id: string, time: string, value: Buffer): string => detachedJws(key, { alg: key.alg, kid: key.kid, aud: 'aifirst', ce: { id, source: agent.id, type: 'aifirst.intent.submitted.v1', time } }, value);

  it('abused in every way are each refused with its code, recorded, and nothing is done', async () => {
    const other = await gateway.agent();
    const theirs = aSigningKey('EdDSA', 'theirs');
    await register(other.id, theirs);
    const revoked = aSigningKey('EdDSA', 'revoked');
    await register(agent.id, revoked);
    await gateway.call('DELETE', `/v1/agents/${agent.id}/keys/revoked`);
    const header = (name: string, text: string) => (record: ReturnType<typeof aSignedIntent>) => ({ ...record, headers: { ...record.headers, [name]: Buffer.from(text) } });
    const minutes = (count: number): string => new Date(Date.now() + count * 60_000).toISOString();
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: 'ed', aud: 'aifirst' })).toString('base64url');
    const cases: [string, () => unknown][] = [
      ['ATTRIBUTE_MISMATCH', () => publish({}, header('ce_id', 'replayed'))],
      ['ATTRIBUTE_MISMATCH', () => publish({}, header('ce_time', minutes(1)))],
      ['WRONG_TYPE', () => publish({}, header('ce_type', 'aifirst.intent.other.v1'))],
      ['BAD_SIGNATURE', () => publish({}, record => ({ ...record, value: Buffer.concat([record.value, Buffer.from(' ')]) }))],
      ['STALE', () => publish({ time: minutes(-6) })],
      ['FROM_THE_FUTURE', () => publish({ time: minutes(6) })],
      ['EXPIRED', () => publish({ more: { expirytime: minutes(-1) } })],
      ['REVOKED_KEY', () => publish({ key: revoked })],
      ['UNKNOWN_KEY', () => publish({ key: theirs })],
      ['BAD_SIGNATURE', () => publish({ key: { ...theirs, kid: 'ed' } })],
      ['WRONG_ALGORITHM', () => publish({}, header('aifirst-signature', `${none}..AA`))],
      ['UNSIGNED', () => publish({}, ({ value, headers: { 'aifirst-signature': _, ...headers } }) => ({ value, headers }))],
      ['WRONG_AUDIENCE', () => publish({ aud: 'another' })],
      ['UNSUPPORTED_MEDIA_TYPE', () => publish({}, header('content-type', 'text/plain'))],
      ['NO_APPEND_TIME', () => publish({}, record => ({ ...record, timestampType: 'CreateTime' }))],
    ];
    const events = await answered(() => { for (const [, act] of cases) act(); });
    expect(told(events)).toEqual(cases.map(([code]) => code));
    for (const event of events) expect(event).toMatchObject({ type: 'aifirst.intent.refused.v1', tenant: 'default', subject: agent.id, data: { source: agent.id } });
    // Its own good record under another agent's name.
    expect(told(await answered(() => { publish({}, header('ce_source', other.id)); }))).toEqual(['UNKNOWN_KEY']);
    await gateway.call('POST', `/v1/agents/${other.id}/suspend`);
    expect(told(await answered(() => { publish({ source: other.id, key: theirs }); }))).toEqual(['AGENT_SUSPENDED']);
  });

  it('of nobody that is known are recorded, and nobody is answered', async () => {
    const head = gateway.log.head();
    for (let i = 0; i < 3; i++) publish({ source: '0198c000-0000-7000-8000-000000000000' });
    await topics.settled();
    gateway.gateway.identity.refusals.flush();
    await new Promise(resolve => { setTimeout(resolve, 20); });
    const recorded = (await facts(head)).filter(({ event }) => event.type.includes('refused'));
    expect(recorded.map(({ topic, event: { type, data } }) => [topic, type, data['code'], data['count']])).toEqual([[TOPICS.identityEvents, 'aifirst.credential.refused.v1', 'UNKNOWN_AGENT', 1], [TOPICS.identityEvents, 'aifirst.credential.refused.v1', 'UNKNOWN_AGENT', 2]]);
  });

  it('that can not be read are told of on their own topic with place, digest and reason, never with what they hold', async () => {
    const before = topics.records(unreadable).length;
    const { offset } = topics.append(submitted, { value: Buffer.from('a secret payload'), headers: {} });
    const broken = topics.append(submitted, { value: Buffer.from('{"source":'), headers: { 'content-type': Buffer.from('application/cloudevents+json') } });
    expect(told(await answered(() => { publish(); }))).toEqual(['accepted']);
    const letters = topics.records(unreadable).slice(before);
    expect(letters.map(({ value }) => JSON.parse(value!.toString()) as unknown)).toEqual([
      { code: 'NO_SOURCE', reason: expect.any(String) as string, digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string, bytes: 16, topic: submitted, partition: 0, offset },
      { code: 'MALFORMED_JSON', reason: expect.any(String) as string, digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string, bytes: 10, topic: submitted, partition: 0, offset: broken.offset },
    ]);
    expect(letters[0]!.headers).toMatchObject({ ce_id: `${submitted}/0/${offset}`, 'aifirst-code': 'NO_SOURCE', 'aifirst-partition': '0', 'aifirst-offset': String(offset) });
    expect(JSON.stringify(letters)).not.toContain('secret');
  });

  it('wait where what can not be read can not be told of, and none is lost', async () => {
    topics.failure = new OperationalError('NOT_SENT', 'no broker', { retryable: true });
    const before = topics.records(unreadable).length;
    const head = gateway.log.head();
    topics.append(submitted, { value: null });
    publish({ id: 'behind' });
    await new Promise(resolve => { setTimeout(resolve, 30); });
    expect((await facts(head)).filter(({ event }) => event.intentid === 'behind')).toEqual([]);
    topics.failure = null;
    await topics.settled();
    expect(topics.records(unreadable).length).toBe(before + 1);
    expect((await facts(head)).filter(({ event }) => event.intentid === 'behind')).toHaveLength(1);
  });

  it('tell of every record, for metrics and traces', async () => {
    outcomes.length = 0;
    publish({ id: 'counted', more: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' } });
    await topics.settled();
    publish({ id: 'counted' });
    publish({ aud: 'another' });
    await topics.settled();
    expect(outcomes.map(({ outcome, code }) => [outcome, code])).toEqual([['accepted', null], ['refused', 'WRONG_AUDIENCE'], ['replayed', null]].sort());
    expect(outcomes[0]!.trace).toMatchObject({ own: expect.stringMatching(/^00-4bf92f3577b34da6a3ce929d0e0e4736-/) as string, parent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
  });

  it('leave behind when a key was used last, and which one signed', async () => {
    const keys = await gateway.call('GET', `/v1/agents/${agent.id}/keys`);
    expect(keys.body['items']).toMatchObject([{ kid: 'ed', lastUsedAt: expect.any(String) as string }, { kid: 'p256', lastUsedAt: expect.any(String) as string }]);
    expect(keys.body['revoked']).toMatchObject([{ kid: 'revoked', revokedAt: expect.any(String) as string, lastUsedAt: null }]);
  });
});
