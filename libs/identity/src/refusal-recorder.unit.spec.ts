import type { CloudEvent } from '@aifirst/contracts';
import { uuidv7 } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import { MemoryStore } from '@aifirst/store/testing';
import { LogWriter } from './log-writer';
import { RefusalRecorder, type RefusedCall } from './refusal-recorder';

describe('refusals', () => {
  let log: Log;
  let recorder: RefusalRecorder;
  let minute: () => void;
  let writer: LogWriter;
  const call = (over: Partial<RefusedCall> = {}): RefusedCall => ({ kind: 'credential', tenant: 'system', source: '10.0.0.1', code: 'UNAUTHENTICATED', detail: 'GET /v1/agents', ...over });
  const events = async (): Promise<CloudEvent[]> => { await writer.idle(); return (await log.read(0, 10_000)).flatMap(row => row.messages.map(({ event }) => event)); };
  beforeEach(async () => {
    let n = 0;
    log = await new MemoryStore({ serviceName: 'gateway' }).open({ log: 'gateway', shard: 0, owner: 'test' });
    writer = new LogWriter(log);
    const clock = { now: () => 0, after: (_ms: number, callback: () => void) => { minute = callback; return () => {}; } };
    recorder = new RefusalRecorder({ writer, clock, ids: { uuid: () => uuidv7(++n, count => new Uint8Array(count).fill(n % 256)), chance: () => 0 } });
  });

  it('are told at once, and their repeats as a number a minute later', async () => {
    for (let i = 0; i < 100; i++) recorder.record(call());
    expect((await events()).map(({ data }) => data['count'])).toEqual([1]);
    minute();
    expect((await events()).map(({ data }) => data['count'])).toEqual([1, 99]);
    recorder.record(call());
    expect((await events()).map(({ data }) => data['count'])).toEqual([1, 99, 1]);
  });

  it('are told apart by source, code and what was called', async () => {
    for (const over of [{}, { source: '10.0.0.2' }, { code: 'FORBIDDEN' }, { detail: 'GET /v1/roles' }]) recorder.record(call(over));
    expect(await events()).toHaveLength(4);
  });

  it('of countless kinds share one count, so that nobody fills the log', async () => {
    for (let i = 0; i < 5_000; i++) recorder.record(call({ source: `10.0.${i >> 8}.${i & 255}` }));
    minute();
    const told = await events();
    expect(told).toHaveLength(1_001);
    expect(told.at(-1)).toMatchObject({ data: { source: 'various', count: 4_000 } });
  });

  it('go to the topic that agents read, where they are of intents', async () => {
    recorder.record(call({ kind: 'intent', tenant: 'default', source: 'agent', code: 'CYCLE', detail: 'x'.repeat(1_000) }));
    await writer.idle();
    const [row] = await log.read(0, 10);
    expect(row!.messages[0]).toMatchObject({ topic: 'aifirst.intent.events.v1', key: 'agent', event: { type: 'aifirst.intent.refused.v1', tenant: 'default', data: { code: 'CYCLE', detail: 'x'.repeat(300) } } });
  });
});
