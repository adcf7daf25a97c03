import { INTENT_TOPICS } from '@aifirst/contracts';
import { MemoryRawTopics } from '../testing';
import { prepareIntentTopics, unfitness } from './topic-settings';

const DAY_MS = 86_400_000;
const needed = { freshnessMs: 300_000, idempotencyMs: 30 * DAY_MS };
const GOOD = { 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'uncompressed', 'cleanup.policy': 'delete', 'retention.ms': String(7 * DAY_MS), 'segment.ms': String(7 * DAY_MS) };

describe('the topic of intents', () => {
  it('fits as it is made, and as Kafka\'s defaults with what must be set', () => {
    expect(unfitness(GOOD, needed)).toBeNull();
    expect(unfitness({ ...GOOD, 'compression.type': 'gzip' }, needed)).toBeNull();
  });
  it.each([
    ['message.timestamp.type', 'CreateTime', /LogAppendTime/], ['message.timestamp.type', undefined, /unknown/], ['compression.type', 'producer', /gzip/], ['compression.type', 'zstd', /gzip/], ['cleanup.policy', 'compact', /compaction/],
    ['cleanup.policy', 'compact,delete', /compaction/], ['retention.ms', '-1', /for ever/], ['retention.ms', undefined, /for ever/], ['retention.ms', String(24 * DAY_MS), /up to 31 days .* for 30 \(IDEMPOTENCY_DAYS\)/], ['segment.ms', String(23 * DAY_MS), /IDEMPOTENCY_DAYS/],
  ])('does not with %s=%s, and one line says why', (name, value, why) => {
    const found = unfitness({ ...GOOD, [name]: value } as Record<string, string>, needed);
    expect(found).toMatch(why);
    expect(found).not.toContain('\n');
  });
  it('remembers ids just as long as a message may come again', () => {
    const settings = { ...GOOD, 'retention.ms': String(30 * DAY_MS - 7 * DAY_MS - 300_000) };
    expect(unfitness(settings, needed)).toBeNull();
    expect(unfitness({ ...settings, 'retention.ms': String(Number(settings['retention.ms']) + 1) }, needed)).not.toBeNull();
  });

  it('is made where it is missing and may be, with its dead letters; what is there stays', async () => {
    const topics = new MemoryRawTopics(() => 0);
    await expect(prepareIntentTopics(topics, needed, undefined)).rejects.toMatchObject({ code: 'INTENT_TOPIC_MISSING' });
    expect(await prepareIntentTopics(topics, needed, { partitions: 3 })).toMatchObject({ partitions: 3 });
    expect([...topics.topics.keys()].sort()).toEqual([INTENT_TOPICS.submitted, INTENT_TOPICS.unreadable]);
    expect(await prepareIntentTopics(topics, needed, { partitions: 9 })).toMatchObject({ partitions: 3 });
    expect(await prepareIntentTopics(topics, needed, undefined)).toMatchObject({ partitions: 3 });
  });
  it('is not started with where it does not fit', async () => {
    const topics = new MemoryRawTopics(() => 0);
    await topics.create(INTENT_TOPICS.submitted, { partitions: 1, settings: { ...GOOD, 'message.timestamp.type': 'CreateTime' } });
    await expect(prepareIntentTopics(topics, needed, { partitions: 1 })).rejects.toMatchObject({ code: 'INTENT_TOPIC_UNFIT', retryable: false });
    await expect(prepareIntentTopics(new MemoryRawTopics(() => 0), { ...needed, idempotencyMs: DAY_MS }, { partitions: 1 })).rejects.toMatchObject({ code: 'INTENT_TOPIC_UNFIT', message: expect.stringContaining('IDEMPOTENCY_DAYS') as string });
  });
});
