import type { DeadLetter, DeadLetters } from '../dead-letters';
import type { Delivery } from '../message-bus';
import { notFound, wrongState } from '../dead-letter-desk';

interface Entry { letter: DeadLetter; readonly delivery: Delivery; settledAt: string | null }

/** Dead letters for tests and the simulator: gone with the process. */
export class MemoryDeadLetters implements DeadLetters {
  private readonly entries = new Map<string, Entry>();
  private readonly seen = new Set<string>();

  constructor(private readonly now: () => string = () => new Date().toISOString()) {}

  async park(group: string, letters: readonly { readonly delivery: Delivery; readonly code: string; readonly detail: string }[]): Promise<void> {
    for (const { delivery, code, detail } of letters) {
      const { source, position, message: { topic, key, event } } = delivery;
      const identity = JSON.stringify([group, source, position, event.id]);
      if (this.seen.has(identity)) continue;
      this.seen.add(identity);
      const id = `letter-${String(this.seen.size).padStart(8, '0')}`;
      const letter: DeadLetter = { id, group, tenant: event.tenant, source, position, topic, key, messageId: event.id, type: event.type, code, detail, parkedAt: this.now(), status: 'parked' };
      this.entries.set(id, { letter, delivery, settledAt: null });
    }
  }

  async parkedKeys(group: string): Promise<readonly string[]> {
    return [...new Set(this.parkedOf(group).map(({ letter }) => letter.key))];
  }

  async list({ tenant, group, status, limit, after }: Parameters<DeadLetters['list']>[0]): Promise<readonly DeadLetter[]> {
    return [...this.entries.values()].map(({ letter }) => letter)
      .filter(letter => (tenant === null || letter.tenant === tenant) && (group === undefined || letter.group === group) && (status === undefined || letter.status === status) && (after === undefined || letter.id > after))
      .slice(0, limit);
  }

  async get(id: string): Promise<{ readonly letter: DeadLetter; readonly delivery: Delivery } | null> {
    const entry = this.entries.get(id);
    return entry === undefined ? null : { letter: entry.letter, delivery: entry.delivery };
  }

  async ofKey(group: string, key: string): Promise<readonly { readonly letter: DeadLetter; readonly delivery: Delivery }[]> {
    return this.parkedOf(group).filter(({ letter }) => letter.key === key).map(({ letter, delivery }) => ({ letter, delivery }));
  }

  async settle(id: string, status: 'replayed' | 'discarded'): Promise<void> {
    const entry = this.entries.get(id);
    if (entry === undefined) throw notFound(id);
    if (entry.letter.status !== 'parked') throw wrongState(entry.letter);
    entry.letter = { ...entry.letter, status };
    entry.settledAt = this.now();
  }

  async forget(settledBefore: string): Promise<number> {
    const old = [...this.entries].filter(([, { settledAt }]) => settledAt !== null && settledAt < settledBefore);
    for (const [id] of old) this.entries.delete(id);
    return old.length;
  }

  private parkedOf(group: string): Entry[] {
    return [...this.entries.values()].filter(({ letter }) => letter.group === group && letter.status === 'parked');
  }
}
