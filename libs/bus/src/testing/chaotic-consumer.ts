import type { DeadLetters } from '../dead-letters';
import { GuardedHandler, Halted, type ConsumerEvents } from '../guarded-handler';
import type { Consumer, PausedConsumer, Subscription } from '../message-bus';
import type { GroupHistory, HistoryItem, KeyHistory } from './group-history';

interface Environment extends ConsumerEvents {
  readonly schedule: (callback: () => void, delayMs: number) => void;
  readonly chance: () => number;
  readonly deadLetters: (group: string) => DeadLetters;
}
const BATCH_MESSAGES_DEFAULT = 500;

/** Hands over what its keys' delays have let through, in an order of its own across keys. */
export class ChaoticConsumer implements Consumer {
  private readonly guarded: GuardedHandler;
  private readonly ready: KeyHistory[] = [];
  private phase: 'standingBy' | 'starting' | 'idle' | 'handling' | 'ended' = 'standingBy';
  private mustRestart = false;
  private stopping = false;
  private readonly ended: Promise<void>;
  private readonly end: () => void;

  constructor(
    private readonly subscription: Subscription,
    private readonly history: GroupHistory,
    private readonly environment: Environment,
    private readonly chaos: { readonly repeat: number; readonly delayMsMax: number },
    private readonly onEnded: (consumer: ChaoticConsumer) => void,
  ) {
    let end: () => void = () => undefined;
    this.ended = new Promise(resolve => { end = resolve; });
    this.end = end;
    this.guarded = new GuardedHandler(subscription, environment.deadLetters(subscription.group), { after: (delayMs, callback) => {
      let cancelled = false;
      environment.schedule(() => { if (!cancelled) callback(); }, delayMs);
      return () => { cancelled = true; };
    } }, environment);
  }

  activate(): void {
    if (this.phase === 'standingBy') void this.start();
  }

  /** The log was opened anew: goes on from the committed positions. */
  restart(): void {
    this.mustRestart = true;
    if (this.phase === 'idle') void this.start();
  }

  /** Something may have become due. */
  awaken(): void {
    if (this.phase !== 'idle' && this.phase !== 'handling') return;
    for (const key of this.history.keys.values()) {
      if (key.busy || key.next >= key.items.length) continue;
      key.busy = true;
      this.environment.schedule(() => { this.letThrough(key); }, Math.floor(this.environment.chance() * (this.chaos.delayMsMax + 1)));
    }
  }

  pausing<T>(work: (consumer: PausedConsumer) => Promise<T>): Promise<{ readonly result: T } | null> { return this.guarded.pausing(work); }

  lag(): number {
    let waiting = 0;
    for (const { items } of this.history.keys.values()) for (const item of items) if (!item.done) waiting++;
    return waiting;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.guarded.halt();
    if (this.phase === 'standingBy' || this.phase === 'idle') await this.finish();
    await this.ended;
  }

  die(): void {
    this.guarded.halt();
    this.ending();
  }

  private isEnded(): boolean { return this.phase === 'ended'; }

  private async start(): Promise<void> {
    this.phase = 'starting';
    this.mustRestart = false;
    await this.guardedly(async () => {
      const positions = await this.guarded.start();
      // Why: another may have taken over from one that died meanwhile.
      if (this.isEnded()) return;
      this.ready.length = 0;
      this.history.rewindTo(positions);
    });
  }

  private letThrough(key: KeyHistory): void {
    if (this.phase === 'ended' || !key.busy || this.ready.includes(key)) return;
    this.ready.push(key);
    if (this.phase === 'idle') void this.handle();
  }

  private async handle(): Promise<void> {
    this.phase = 'handling';
    const room = this.subscription.batchMax ?? BATCH_MESSAGES_DEFAULT;
    const keys: KeyHistory[] = [];
    const items: HistoryItem[] = [];
    while (this.ready.length > 0 && items.length < room) {
      const key = this.ready.splice(Math.floor(this.environment.chance() * this.ready.length), 1)[0]!;
      keys.push(key);
      for (; key.next < key.items.length && items.length < room; key.next++) {
        const item = key.items[key.next]!;
        if (!item.dropped) items.push(item);
      }
    }
    await this.guardedly(async () => {
      // Why: out of the rows' order no position holds before the whole is done.
      if (items.length > 0) await this.guarded.process({ deliveries: items.map(item => item.delivery), positions: this.history.positionsWith(items), positionsAfter: () => ({}) });
      if (this.isEnded()) return;
      this.history.done(items);
      for (const key of keys) {
        key.busy = false;
        if (this.chaos.repeat > 0 && key.next > 0 && this.environment.chance() < this.chaos.repeat) this.history.repeatFrom(key, this.environment.chance);
      }
    });
  }

  private async guardedly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Halted) && !this.isEnded()) this.environment.onStopped?.(this.subscription.group, error);
      this.stopping = true;
    }
    if (this.isEnded()) return;
    if (this.stopping) return this.finish();
    this.phase = 'idle';
    if (this.mustRestart) return this.start();
    this.awaken();
    if (this.ready.length > 0) return this.handle();
  }

  private async finish(): Promise<void> {
    await this.guarded.stop();
    this.ending();
  }

  private ending(): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.onEnded(this);
    this.end();
  }
}
