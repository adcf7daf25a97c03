import { Fenced, type Positions } from '@aifirst/store';
import { InvariantViolation, OperationalError, messageOf, type Clock } from '@aifirst/kernel';
import type { DeadLetters } from './dead-letters';
import type { Batch, Delivery, PausedConsumer, Subscription } from './message-bus';
import { Turn } from './turn';

/** Short enough not to be noticed when a database fails over, long enough not to load it while it is down. */
export const RETRY_DELAY_MS_MIN = 50;
export const RETRY_DELAY_MS_MAX = 5_000;

/** What an operator wants to know of consumers. None may throw. */
export interface ConsumerEvents {
  /** The consumer has ended by itself: it was fenced, or can't find out where to go on from. */
  onStopped?(group: string, error: unknown): void;
  onRetrying?(group: string, error: unknown, delayMs: number): void;
  onParked?(group: string, letters: readonly ParkedLetter[]): void;
}
export interface ParkedLetter { readonly delivery: Delivery; readonly code: string; readonly detail: string }

/** A batch whose parts can be handed over one after another. */
export interface Slice extends Batch {
  /** Which positions hold when the first `count` deliveries are done, but none after them. */
  positionsAfter(count: number): Positions;
}

/** The consumer is being stopped: what is not done yet stays with its positions. */
export class Halted extends Error {}

/** Why: where the consumer's own log is gone no message is to blame, and what is parked would be in nobody's interest. */
const LOG_IS_GONE: readonly string[] = ['LOG_CLOSED', 'CRASHED'];
const endsConsumer = (error: unknown): boolean =>
  error instanceof Halted || error instanceof Fenced || (error instanceof OperationalError && LOG_IS_GONE.includes(error.code));

/**
 * What every bus does around a subscription's handler: one call at a time, retryable errors repeated, any other error
 * narrowed down to its message, which is parked with its successors. Of a bus's own is only where slices come from.
 */
export class GuardedHandler {
  /** Mirrors `DeadLetters.parkedKeys`, with the first letter of each once it was needed. */
  private readonly parkedKeys = new Map<string, Delivery | null>();
  private readonly turn = new Turn();
  private readonly halting = new AbortController();
  private readonly paused: PausedConsumer;

  constructor(
    private readonly subscription: Subscription,
    private readonly deadLetters: DeadLetters,
    private readonly clock: Pick<Clock, 'after'>,
    private readonly events: ConsumerEvents,
    /** Other processes handle for the group too: keys that are parked may have been freed there. */
    private readonly isShared = false,
  ) {
    this.paused = {
      unordered: subscription.unordered === true,
      handle: batch => subscription.handle(batch),
      release: key => { this.parkedKeys.delete(key); },
    };
  }

  /** Asks for what was parked before, and for the positions to go on from. */
  async start(): Promise<Positions> {
    const [keys, positions] = await this.repeated(async () => [
      this.subscription.unordered === true ? [] : await this.deadLetters.parkedKeys(this.subscription.group),
      await this.subscription.from(),
    ] as const);
    for (const key of keys) if (!this.parkedKeys.has(key)) this.parkedKeys.set(key, null);
    return positions;
  }

  /** Resolves when every delivery is handled or parked. @throws Halted, what ends the consumer */
  async process(slice: Slice): Promise<void> {
    await this.processPart(slice, 0, slice.deliveries.length);
  }

  /** Between two calls of the handler. @returns null, without having done anything, once it is stopped */
  pausing<T>(work: (consumer: PausedConsumer) => Promise<T>): Promise<{ readonly result: T } | null> {
    return this.turn.run(async () => (this.halting.signal.aborted ? null : { result: await work(this.paused) }));
  }

  /** Begins no further call. */
  halt(): void { this.halting.abort(); }

  /** Resolves when no call is under way any more. */
  async stop(): Promise<void> {
    this.halt();
    await this.turn.run(async () => undefined);
  }

  /** Resolves after the delay, at once when stopped. */
  pause(delayMs: number): Promise<void> { return pause(this.clock, delayMs, this.halting.signal); }

  private async processPart(slice: Slice, from: number, to: number): Promise<void> {
    const isLast = to === slice.deliveries.length;
    const flowing = await this.parkSuccessors(from === 0 && isLast ? slice.deliveries : slice.deliveries.slice(from, to));
    // Why: positions are cumulative, so the next part carries those of a part that holds nothing to handle.
    if (flowing.length === 0 && !isLast) return;
    const positions = isLast ? slice.positions : slice.positionsAfter(to);
    try {
      await this.handled({ deliveries: flowing, positions });
    } catch (error) {
      if (endsConsumer(error)) throw error;
      const [only] = flowing;
      if (flowing.length === 1 && only !== undefined) {
        await this.park([{ delivery: only, ...reasonOf(error) }]);
        if (isLast) await this.handled({ deliveries: [], positions });
        return;
      }
      const middle = (from + to) >> 1;
      await this.processPart(slice, from, middle);
      await this.processPart(slice, middle, to);
    }
  }

  /** Why: an error of an empty batch can't be any message's fault, so there is nothing to do but to try again. */
  private handled(batch: Batch): Promise<void> {
    return this.repeated(() => this.subscription.handle(batch), batch.deliveries.length === 0);
  }

  private async parkSuccessors(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    if (this.parkedKeys.size === 0) return deliveries;
    const flowing: Delivery[] = [];
    const behind: ParkedLetter[] = [];
    for (const delivery of deliveries) {
      const { key } = delivery.message;
      const first = this.parkedKeys.has(key) ? await this.firstParked(key) : undefined;
      if (first === undefined || isBefore(delivery, first)) flowing.push(delivery);
      else behind.push({ delivery, code: 'BEHIND_PARKED', detail: `an earlier message of key \`${key}\` is parked` });
    }
    if (behind.length === 0) return flowing;
    const parked = new Set((await this.park(behind, true)).map(({ delivery }) => delivery));
    return parked.size === behind.length ? flowing : deliveries.filter(delivery => !parked.has(delivery));
  }

  private async firstParked(key: string): Promise<Delivery | undefined> {
    const known = this.parkedKeys.get(key);
    if (known !== null && !this.isShared) return known;
    await this.repeated(() => this.lookUp(key), true);
    return this.parkedKeys.get(key) ?? undefined;
  }

  private async lookUp(key: string): Promise<void> {
    const [first] = await this.deadLetters.ofKey(this.subscription.group, key);
    if (first === undefined) this.parkedKeys.delete(key);
    else this.parkedKeys.set(key, first.delivery);
  }

  /**
   * Tried until it succeeds: the position must not move past what is parked nowhere.
   * @param successors only while something of their key is parked. Why asked again: a replay may have freed the key since, and
   * nobody would come for what is parked after it. Whoever frees it later finds these parked: they are the replay's then.
   * @returns those that were parked
   */
  private async park(letters: readonly ParkedLetter[], successors = false): Promise<readonly ParkedLetter[]> {
    const { group, unordered } = this.subscription;
    const parked = await this.repeated(async () => {
      const mine = successors ? letters.filter(({ delivery }) => this.parkedKeys.has(delivery.message.key)) : letters;
      if (mine.length === 0) return mine;
      await this.deadLetters.park(group, mine);
      if (unordered === true) return mine;
      for (const key of new Set(mine.map(letter => letter.delivery.message.key))) {
        // Why: a letter that comes again after it was settled is not parked a second time; nothing may wait behind it.
        if (!this.parkedKeys.has(key)) await this.lookUp(key);
      }
      return mine;
    }, true);
    if (parked.length > 0) this.events.onParked?.(group, parked);
    return parked;
  }

  /** @param always also repeat what does not call itself retryable */
  private async repeated<T>(work: () => Promise<T>, always = false): Promise<T> {
    for (let delayMs = RETRY_DELAY_MS_MIN; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      try {
        return await this.turn.run(async () => {
          if (this.halting.signal.aborted) throw new Halted();
          return work();
        });
      } catch (error) {
        const again = always || (error instanceof OperationalError && error.retryable);
        if (!again || endsConsumer(error)) throw error;
        this.events.onRetrying?.(this.subscription.group, error, delayMs);
        await this.pause(delayMs);
      }
    }
  }
}

/** Resolves after the delay, or at once when aborted. */
function pause(clock: Pick<Clock, 'after'>, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise(resolve => {
    const ended = (): void => { cancel(); signal.removeEventListener('abort', ended); resolve(); };
    const cancel = clock.after(delayMs, ended);
    signal.addEventListener('abort', ended);
  });
}

/** Why: what a crash brings back from before the parked message was handled already; behind it would be out of order. */
const isBefore = (delivery: Delivery, first: Delivery): boolean =>
  delivery.source === first.source
  && (delivery.position < first.position || (delivery.position === first.position && (delivery.index ?? 0) < (first.index ?? 0)));

function reasonOf(error: unknown): { code: string; detail: string } {
  if (error instanceof OperationalError) return { code: error.code, detail: error.message };
  return { code: error instanceof InvariantViolation ? 'INVARIANT_VIOLATED' : 'UNEXPECTED_ERROR', detail: messageOf(error) };
}
