import { CallHandler, Controller, ExecutionContext, Inject, Injectable, Module, NestInterceptor, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, type MicroserviceOptions } from '@nestjs/microservices';
import type { INestMicroservice, Type } from '@nestjs/common';
import { OperationalError } from '@aifirst/kernel';
import { Fenced } from '@aifirst/store';
import type { Observable } from 'rxjs';
import { EmbeddedMessageBus } from './embedded-message-bus';
import type { Batch } from './message-bus';
import { BusStrategy, Consumes } from './nest-bus-strategy';
import { MemoryDeadLetters, MemoryFeed, RecordingService, TEST_TOPIC, aMessage, idsOf, impatientClock, until } from './testing';

@Injectable()
class Ledger {
  readonly service = new RecordingService();
  readonly subscription = this.service.subscription({ group: 'test.ordered' });
}

@Injectable()
class Watching implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> { return next.handle(); }
}

@Controller()
class Consumers {
  readonly loose: string[] = [];
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @Consumes({ group: 'test.ordered', topics: [TEST_TOPIC], batchMax: 3 })
  ordered(batch: Batch): Promise<void> { return this.ledger.subscription.handle(batch); }

  @UseInterceptors(Watching)
  @Consumes({ group: 'test.loose', topics: [TEST_TOPIC], unordered: true })
  async looseOnes({ deliveries }: Batch): Promise<void> {
    if (idsOf(deliveries).includes('bad')) throw new OperationalError('CANNOT_READ', 'this makes no sense');
    this.loose.push(...idsOf(deliveries));
  }
}

@Module({ controllers: [Consumers], providers: [Ledger] })
class ConsumingModule {}

describe('BusStrategy', () => {
  const running: (() => Promise<void>)[] = [];
  afterEach(async () => { for (const stop of running.splice(0)) await stop(); });

  const listen = async (module: Type = ConsumingModule) => {
    const feed = new MemoryFeed('producer/0');
    const letters = new MemoryDeadLetters();
    const stopped: unknown[] = [];
    const bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => letters, onStopped: (_group, error) => stopped.push(error) });
    await bus.attach(feed);
    running.push(() => bus.stop());
    const strategy = new BusStrategy({
      bus,
      positions: { 'test.ordered': () => app.get(Ledger).service.positions, 'test.loose': async () => ({}) },
    });
    const app: INestMicroservice = await NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: false, abortOnError: false });
    running.push(() => app.close());
    await app.listen();
    return { app, strategy, feed, letters, stopped, bus };
  };

  it('hands batches to methods, which commit the positions', async () => {
    const { app, feed, strategy } = await listen();
    feed.append(...['a', 'b', 'c', 'd'].map(id => [aMessage({ id })]));
    const { service } = app.get(Ledger);
    await until('both groups have handled all', () => service.handled.length === 4 && app.get(Consumers).loose.length === 4);
    expect(service.ids()).toEqual(['a', 'b', 'c', 'd']);
    expect(service.batches.map(({ deliveries }) => deliveries.length)).toEqual([3, 1]);
    expect(service.positions).toEqual({ 'producer/0': 4 });
    expect([...strategy.consumers().keys()]).toEqual(['test.ordered', 'test.loose']);
  });

  it('lets the error of a method reach the bus as it is, also through an interceptor', async () => {
    const { app, feed, letters } = await listen();
    const { service } = app.get(Ledger);
    service.before = () => { if (service.calls === 1) throw new OperationalError('DATABASE_DOWN', 'down', { retryable: true }); };
    feed.append([aMessage({ id: 'a' })], [aMessage({ id: 'bad' })], [aMessage({ id: 'c' })]);
    await until('all flows', () => service.handled.length === 3 && app.get(Consumers).loose.length === 2);
    expect(service.calls).toBe(2);
    expect(await letters.list({ tenant: null, limit: 9 })).toMatchObject([{ group: 'test.loose', messageId: 'bad', code: 'CANNOT_READ', detail: 'this makes no sense' }]);
  });

  it('lets a fence reach the bus, which ends the consumer', async () => {
    const { app, feed, stopped } = await listen();
    app.get(Ledger).service.before = () => { throw new Fenced('test/0', 3); };
    feed.append([aMessage({ id: 'a' })]);
    await until('the consumer has ended', () => stopped.length === 1);
    expect(stopped[0]).toBeInstanceOf(Fenced);
  });

  it('waits in close for the batch under way, and leaves the bus running', async () => {
    const { app, feed, bus } = await listen();
    const { service } = app.get(Ledger);
    let release: () => void = () => undefined;
    service.before = () => new Promise(resolve => { release = resolve; });
    feed.append([aMessage({ id: 'a' })]);
    await until('a batch is under way', () => service.concurrent === 1);
    let closed = false;
    const closing = app.close().then(() => { closed = true; });
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(closed).toBe(false);
    release();
    await closing;
    feed.append([aMessage({ id: 'b' })]);
    const other = new RecordingService();
    await bus.subscribe(other.subscription({ group: 'test.other' }));
    await until('another consumer works on', () => other.handled.length === 2);
    expect(service.ids()).toEqual(['a']);
  });

  it('refuses what it could not do right', async () => {
    @Controller()
    class Plain { @EventPattern('anything') handle(): void { /* its errors would be lost */ } }
    @Controller()
    class Twice {
      @Consumes({ group: 'test.loose', topics: [TEST_TOPIC] }) async one(): Promise<void> { /* the same group */ }
      @Consumes({ group: 'test.loose', topics: ['aifirst.test.other.events.v1'] }) async other(): Promise<void> { /* the same group */ }
    }
    @Controller()
    class Nowhere { @Consumes({ group: 'test.nowhere', topics: [TEST_TOPIC] }) async handle(): Promise<void> { /* from where? */ } }
    const moduleOf = (controller: Type): Type => { @Module({ controllers: [controller] }) class Some {} return Some; };
    await expect(listen(moduleOf(Plain))).rejects.toThrow('is not made by @Consumes');
    await expect(listen(moduleOf(Twice))).rejects.toThrow('group `test.loose` is consumed by two methods');
    await expect(listen(moduleOf(Nowhere))).rejects.toThrow('no positions are given for group `test.nowhere`');
  });
});
