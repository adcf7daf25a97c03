import type { PrincipalRef } from '@aifirst/contracts';
import { OperationalError, Refusal, messageOf } from '@aifirst/kernel';
import { Fenced } from '@aifirst/store';
import type { DeadLetter, DeadLetters } from './dead-letters';
import type { Delivery, MessageBus, PausedConsumer } from './message-bus';

/** `tenant: null` = whoever asks may see all tenants'. Another tenant's letters do not exist for the asker. */
export interface DeskOrder { readonly tenant: string | null; readonly id: string; readonly by: PrincipalRef }

export interface Replayed {
  readonly by: PrincipalRef;
  /** The one that was asked for, as it is now. */
  readonly letter: DeadLetter;
  /** Handed over and handled, in order. */
  readonly replayed: readonly DeadLetter[];
  /** The one that failed again and stays parked with all after it. */
  readonly failed: { readonly letter: DeadLetter; readonly code: string; readonly detail: string } | null;
  /** How many of the key are still parked. 0: its messages flow again. */
  readonly left: number;
}
export interface Discarded { readonly by: PrincipalRef; readonly letter: DeadLetter; readonly left: number }

interface Parked { readonly letter: DeadLetter; readonly delivery: Delivery }

/** Where people decide on what a consumer could not handle. Whoever owns the letters records what it answers as a fact. */
export class DeadLetterDesk {
  /** @param isOurs whether messages of a key come to this process, where a group's consumers share them. Default: all */
  constructor(private readonly bus: MessageBus, private readonly deadLetters: DeadLetters, private readonly isOurs: (key: string) => boolean = () => true) {}

  /** In the order they were parked. @returns `next`: `after` of the next page, null at the end */
  async list(page: { readonly tenant: string | null; readonly limit: number; readonly after?: string; readonly group?: string; readonly status?: string }): Promise<{ items: readonly DeadLetter[]; next: string | null }> {
    const found = await this.deadLetters.list({ ...page, limit: page.limit + 1 });
    const items = found.slice(0, page.limit);
    return { items, next: found.length > items.length ? items.at(-1)?.id ?? null : null };
  }

  /**
   * Hands the parked messages of the letter's key to its group once more, unchanged and in order, up to the first that
   * fails again; of an unordered group the letter's own alone. A crash on the way repeats what was not settled yet.
   * @throws Refusal NOT_FOUND, WRONG_STATE { status }; NO_CONSUMER (retryable) where the group has none in this process
   */
  async replay(order: DeskOrder): Promise<Replayed> {
    const { group, key } = await this.visible(order);
    this.assertOurs(group, key);
    return this.bus.pausing(group, async consumer => {
      if (consumer === null) throw noConsumer(group);
      const asked = await this.parked(order);
      const queue = consumer.unordered ? [asked] : await this.deadLetters.ofKey(group, key);
      const replayed: DeadLetter[] = [];
      let failed: Replayed['failed'] = null;
      for (const parked of queue) {
        failed = await this.failureOf(parked, consumer);
        if (failed !== null) break;
        replayed.push({ ...parked.letter, status: 'replayed' });
      }
      const left = await this.releaseIfFree(group, key, consumer);
      return { by: order.by, letter: replayed.find(letter => letter.id === asked.letter.id) ?? asked.letter, replayed, failed, left };
    }, key);
  }

  /**
   * Gives one message up. What is parked behind it stays until it is replayed.
   * @throws Refusal NOT_FOUND, WRONG_STATE { status }; NO_CONSUMER (retryable) where its key's messages go to another process
   */
  async discard(order: DeskOrder): Promise<Discarded> {
    const { group, key } = await this.visible(order);
    this.assertOurs(group, key);
    return this.bus.pausing(group, async consumer => {
      const { letter } = await this.parked(order);
      await this.deadLetters.settle(letter.id, 'discarded');
      return { by: order.by, letter: { ...letter, status: 'discarded' as const }, left: await this.releaseIfFree(group, key, consumer) };
    }, key);
  }

  private assertOurs(group: string, key: string): void { if (!this.isOurs(key)) throw noConsumer(group); }

  private async failureOf({ letter, delivery }: Parked, consumer: PausedConsumer): Promise<Replayed['failed']> {
    try {
      await consumer.handle({ deliveries: [delivery], positions: {} });
    } catch (error) {
      if (error instanceof Fenced) throw error;
      return { letter, code: error instanceof OperationalError ? error.code : 'UNEXPECTED_ERROR', detail: messageOf(error) };
    }
    await this.deadLetters.settle(letter.id, 'replayed');
    return null;
  }

  private async releaseIfFree(group: string, key: string, consumer: PausedConsumer | null): Promise<number> {
    const left = (await this.deadLetters.ofKey(group, key)).length;
    if (left === 0) consumer?.release(key);
    return left;
  }

  private async visible({ tenant, id }: DeskOrder): Promise<DeadLetter> {
    const found = await this.deadLetters.get(id);
    if (found === null || (tenant !== null && found.letter.tenant !== tenant)) throw notFound(id);
    return found.letter;
  }

  private async parked({ id }: DeskOrder): Promise<Parked> {
    const found = await this.deadLetters.get(id);
    if (found === null) throw notFound(id);
    if (found.letter.status !== 'parked') throw wrongState(found.letter);
    return found;
  }
}

const noConsumer = (group: string): OperationalError => new OperationalError('NO_CONSUMER', `no consumer of group \`${group}\` for this key runs here`, { retryable: true });
export const notFound = (id: string): Refusal => new Refusal({ code: 'NOT_FOUND', detail: `there is no dead letter \`${id}\`` });
export const wrongState = ({ id, status }: Pick<DeadLetter, 'id' | 'status'>): Refusal =>
  new Refusal({ code: 'WRONG_STATE', detail: `dead letter \`${id}\` is ${status}` }, { status });
