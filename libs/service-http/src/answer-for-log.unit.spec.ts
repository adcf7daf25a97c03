import { asker, InProcessQuery } from '@aifirst/bus';
import { aMessage, MemoryFeed } from '@aifirst/bus/testing';
import { TOPICS, type LogQuestions, type Message } from '@aifirst/contracts';
import { answerForLog, type ReadableLog } from './answer-for-log';
import { remoteFeed } from './remote-feed';

const fact = (sequence: number, data = {}): Message => {
  const message = aMessage({ id: `f${sequence}`, topic: TOPICS.workflowEvents, producer: 'orchestrator/0', data });
  return { ...message, event: { ...message.event, sequence } };
};
const command = (id: string): Message => aMessage({ id, topic: TOPICS.decisionCommands, producer: 'orchestrator/0' });

class TestLog extends MemoryFeed {
  readonly producer = this.source;
}

function aLog() {
  const log = new TestLog('orchestrator/0');
  const query = new InProcessQuery();
  answerForLog(query, 'orchestrator', log);
  return { log, query, ask: asker<LogQuestions>(query, 'orchestrator'), feed: remoteFeed(query, 'orchestrator', 'orchestrator/0') };
}

describe('a log that is asked', () => {
  it('shows its facts and no commands', async () => {
    const { log, feed } = aLog();
    log.append([fact(1), command('c1')], [fact(2)]);
    expect(feed.head()).toBe(0);
    const rows = await feed.read(0, 10);
    expect(rows.map(({ position, messages }) => [position, messages.map(({ event }) => event.id)])).toEqual([[1, ['f1']], [2, ['f2']]]);
    expect(feed.head()).toBe(2);
  });

  it('shows of rows without facts the last, so that reading goes on behind them', async () => {
    const { log, feed } = aLog();
    log.append([fact(1)], ...Array.from({ length: 30 }, (_, i) => [command(`c${i}`)]), [fact(2)]);
    const seen: [number, number][] = [];
    for (let after = 0; ;) {
      const rows = await feed.read(after, 10);
      if (rows.length === 0) break;
      seen.push(...rows.map(({ position, messages }): [number, number] => [position, messages.length]));
      after = rows.at(-1)!.position;
    }
    expect(seen).toEqual([[1, 1], [10, 0], [20, 0], [30, 0], [32, 1]]);
  });

  it('gives so many rows as fit, but always one', async () => {
    const { log, feed } = aLog();
    const large = 'x'.repeat(1_500_000);
    log.append([fact(1, { large })], [fact(2, { large })], [fact(3, { large })], [fact(4, { larger: large.repeat(4) })], [fact(5)]);
    expect((await feed.read(0, 500)).map(({ position }) => position)).toEqual([1, 2]);
    expect((await feed.read(2, 500)).map(({ position }) => position)).toEqual([3]);
    expect((await feed.read(3, 500)).map(({ position }) => position)).toEqual([4]);
  });

  it('gives no more than 500 rows', async () => {
    const { log, ask } = aLog();
    log.append(...Array.from({ length: 600 }, (_, i) => [fact(i + 1)]));
    expect((await ask('readLog', { source: 'orchestrator/0', after: 0, limit: 100_000 })).rows).toHaveLength(500);
  });

  it('knows the number of its last fact, wherever that is, and hears of later ones without reading', async () => {
    const { log, feed } = aLog();
    expect(await feed.refresh()).toEqual({ source: 'orchestrator/0', head: 0, lastSequence: 0 });
    log.appendSilently([fact(1)], [fact(2), fact(3)], ...Array.from({ length: 2_500 }, (_, i) => [command(`c${i}`)]));
    const { log: other, feed: otherFeed } = aLog();
    other.appendSilently(...log.rows.map(({ messages }) => messages));
    expect(await otherFeed.refresh()).toMatchObject({ head: 2_502, lastSequence: 3 });
    const { reads } = other;
    other.append([fact(4)], [command('last')]);
    other.append([command('very last')]);
    expect(await otherFeed.refresh()).toMatchObject({ head: 2_505, lastSequence: 4 });
    expect(other.reads).toBe(reads);
    expect(otherFeed.head()).toBe(2_505);
  });

  it('looks again for its last fact when its database was away', async () => {
    const { log, feed } = aLog();
    log.appendSilently([fact(1)]);
    const { read } = log;
    log.read = async () => { throw new Error('away'); };
    await expect(feed.refresh()).rejects.toThrow('away');
    log.read = read;
    expect(await feed.refresh()).toMatchObject({ lastSequence: 1 });
  });

  it('refuses what is no log of the service, and what is no position', async () => {
    const { ask } = aLog();
    await expect(ask('logHead', { source: 'orchestrator/1' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(ask('readLog', { source: 'gateway/0', after: 0, limit: 1 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const wrong of [{ after: -1, limit: 1 }, { after: 0.5, limit: 1 }, { after: 0, limit: 0 }]) await expect(ask('readLog', { source: 'orchestrator/0', ...wrong })).rejects.toMatchObject({ code: 'INVALID_FIELD' });
  });

  it('can be one of several, opened anew', async () => {
    const logs = new Map<string, ReadableLog>();
    const query = new InProcessQuery();
    answerForLog(query, 'orchestrator', source => logs.get(source));
    const feed = remoteFeed(query, 'orchestrator', 'orchestrator/1');
    await expect(feed.refresh()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const first = new TestLog('orchestrator/1');
    logs.set('orchestrator/1', first);
    first.append([fact(1)]);
    expect(await feed.refresh()).toMatchObject({ lastSequence: 1 });
    const second = new TestLog('orchestrator/1');
    second.appendSilently([fact(1)], [fact(2)]);
    logs.set('orchestrator/1', second);
    expect(await feed.refresh()).toMatchObject({ lastSequence: 2 });
  });
});
