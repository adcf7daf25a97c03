import type { Batch, Consumer, MessageBus, Subscription } from '@aifirst/bus';
import { uuidv7, type Clock, type Ids } from '@aifirst/kernel';
import { Fenced, type Log } from '@aifirst/store';
import type { Random } from './random';
import type { World } from './world';

export type SimService = 'gateway' | 'orchestrator' | 'policy' | 'adapter-os';

/** Why a new one each time: whoever waits for a shared one is kept as long as that. */
const never = (): Promise<never> => new Promise<never>(() => undefined);

/**
 * One life of a service's process. Whatever its code touches goes through here: once it is dead nothing comes back to it
 * and nothing of it gets out; while it sleeps (SIGSTOP, a long pause of the collector) everything waits until it wakes.
 */
export class SimProcess {
  alive = true;
  /** In true time. */
  asleepUntil = -Infinity;
  readonly clock: Clock;
  readonly ids: Ids;
  private readonly consumers: Consumer[] = [];
  private readonly ends = new Set<() => void>();

  /** @param skewMs how far its clock is from the true time */
  constructor(readonly service: SimService, readonly life: number, private readonly world: World, readonly random: Random, readonly skewMs: number, private readonly bus: MessageBus & { kill(consumer: Consumer): void }) {
    this.clock = {
      now: () => { this.acts(); return world.now + skewMs; },
      after: (delayMs, callback) => world.after(delayMs, callback, this),
    };
    this.ids = { uuid: () => uuidv7(world.now, count => random.bytes(count)), chance: () => random.chance() };
  }

  get name(): string { return `${this.service}#${this.life}`; }
  get isAsleep(): boolean { return this.asleepUntil > this.world.now; }

  /** @returns what takes it back */
  onEnd(end: () => void): () => void { this.ends.add(end); return () => { this.ends.delete(end); }; }

  /** SIGKILL. */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const consumer of this.consumers) this.bus.kill(consumer);
    for (const end of [...this.ends]) end();
    this.ends.clear();
  }

  /** The group is given to somebody else while this one goes on with what it has. */
  loseConsumers(): void { for (const consumer of this.consumers.splice(0)) this.bus.kill(consumer); }

  /** Comes back when the process may see what came of it, never when it is dead. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    await this.awake();
    try {
      return await work();
    } finally {
      await this.awake();
    }
  }

  async awake(): Promise<void> {
    while (this.alive && this.isAsleep) await new Promise<void>(resolve => { this.world.after(this.asleepUntil - this.world.now, resolve); });
    if (!this.alive) return never();
    this.acts();
  }

  /** The log as this process has it. */
  own(log: Log): Log {
    return {
      get producer() { return log.producer; },
      get epoch() { return log.epoch; },
      commit: unit => this.guard(() => log.commit(unit)),
      positions: () => log.positions(),
      lowWater: () => log.lowWater(),
      head: () => { this.acts(); return log.head(); },
      read: (after, limit) => this.guard(() => log.read(after, limit)),
      readStreams: streams => this.guard(() => log.readStreams(streams)),
      readVersions: pairs => this.guard(() => log.readVersions(pairs)),
      readKeys: keys => this.guard(() => log.readKeys(keys)),
      trim: (upTo, rowsMax, keep) => this.guard(() => log.trim(upTo, rowsMax, keep)),
      releaseKeys: (keys, upTo) => this.guard(() => log.releaseKeys(keys, upTo)),
      onCommitted: listener => log.onCommitted(listener),
      getDocument: (kind, tenant, id) => this.guard(() => log.getDocument(kind, tenant, id)),
      listDocuments: (kind, tenant, page) => this.guard(() => log.listDocuments(kind, tenant, page)),
      close: () => log.close(),
    };
  }

  /** The bus as this process has it. @param onOver its log is gone: the process has to start anew */
  ownBus(onOver: (error: unknown) => void, seen: (batch: Batch) => void = () => undefined): MessageBus {
    const subscribe = async (subscription: Subscription): Promise<Consumer> => {
      const consumer = await this.bus.subscribe({
        ...subscription,
        from: () => this.guard(async () => subscription.from()),
        handle: batch => this.guard(async () => {
          seen(batch);
          try {
            await subscription.handle(batch);
          } catch (error) {
            if (error instanceof Fenced) onOver(error);
            throw error;
          }
        }),
      });
      if (this.alive) this.consumers.push(consumer); else this.bus.kill(consumer);
      return consumer;
    };
    return { attach: feed => this.bus.attach(feed), subscribe, pausing: (group, work) => this.bus.pausing(group, work), stop: async () => undefined };
  }

  private acts(): void { this.world.current = this; }
}
