import { Catch, UseFilters, applyDecorators, type ExceptionFilter } from '@nestjs/common';
import { EventPattern, Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { invariant } from '@aifirst/kernel';
import type { Positions } from '@aifirst/store';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import type { Batch, Consumer, MessageBus, Subscription } from './message-bus';

const TRANSPORT = Symbol('aifirst.bus');

export type ConsumesOptions = Pick<Subscription, 'group' | 'topics' | 'unordered' | 'batchMax'>;

/** Why: Nest replaces what it does not know by "Internal server error"; the bus decides by the error itself. */
@Catch()
class HandOnErrors implements ExceptionFilter {
  catch(error: unknown): Observable<never> { return throwError(() => error); }
}

/**
 * Makes a controller's method the handler of a subscription: it receives a `Batch`, and its promise decides as
 * `Subscription.handle` says. One method per group. An `@EventPattern` underneath.
 */
export function Consumes(options: ConsumesOptions): MethodDecorator {
  return applyDecorators(
    EventPattern({ group: options.group }, TRANSPORT, { subscription: options }),
    UseFilters(HandOnErrors),
  ) as MethodDecorator;
}

export interface BusStrategyOptions {
  readonly bus: MessageBus;
  /** By group: the positions committed last. Asked at every (re)start of its consumer. */
  readonly positions: Readonly<Record<string, () => Positions | Promise<Positions>>>;
}

/** Nest's transport over a `MessageBus`: subscribes every `@Consumes` method when the app listens, stops them when it closes. */
export class BusStrategy extends Server implements CustomTransportStrategy {
  override transportId = TRANSPORT;
  private readonly running = new Map<string, Consumer>();

  constructor(private readonly options: BusStrategyOptions) { super(); }

  override addHandler(pattern: unknown, callback: MessageHandler, isEventHandler = false, extras: Record<string, unknown> = {}): void {
    const subscription = extras['subscription'] as ConsumesOptions | undefined;
    invariant(subscription !== undefined, `the handler of \`${JSON.stringify(pattern)}\` is not made by @Consumes: its errors would be lost`);
    const { group } = subscription;
    invariant(this.getHandlerByPattern(this.normalizePattern({ group })) === null, `group \`${group}\` is consumed by two methods`);
    invariant(this.options.positions[group] !== undefined, `no positions are given for group \`${group}\``);
    super.addHandler(pattern, callback, isEventHandler, extras);
  }

  override listen(callback: (error?: unknown) => void): void {
    this.subscribeAll().then(() => { callback(); }, callback);
  }

  /** The consumers by group, for their lag. */
  consumers(): ReadonlyMap<string, Consumer> { return this.running; }

  override async close(): Promise<void> {
    const consumers = [...this.running.values()];
    this.running.clear();
    await Promise.all(consumers.map(consumer => consumer.stop()));
  }

  override unwrap<T>(): T { return this.options.bus as T; }

  /** The bus tells of its consumers by the callbacks it was made with. */
  override on(event: string): never {
    invariant(false, `the bus has no event \`${event}\` to listen to`);
  }

  private async subscribeAll(): Promise<void> {
    for (const handler of this.messageHandlers.values()) {
      const subscription = (handler.extras as { subscription: ConsumesOptions }).subscription;
      const consumer = await this.options.bus.subscribe({
        ...subscription,
        from: () => this.options.positions[subscription.group]!(),
        handle: batch => handled(handler, batch),
      });
      this.running.set(subscription.group, consumer);
    }
  }
}

/** Nest answers with a value, or with an Observable where it has an error or an interceptor has put one. */
async function handled(handler: MessageHandler, batch: Batch): Promise<void> {
  const result: unknown = await handler(batch);
  if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
}
