/**
 * Remembers at least the last `atLeast` keys that were set, at most twice as many. Two maps that take turns: a single one
 * that drops its oldest key each time gets slow, as its order has to be walked past all that was dropped.
 */
export class RecentMap<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();

  constructor(private readonly atLeast: number) {}

  get(key: string): V | undefined { return this.young.get(key) ?? this.old.get(key); }

  set(key: string, value: V): void {
    this.young.set(key, value);
    if (this.young.size < this.atLeast) return;
    this.old = this.young;
    this.young = new Map();
  }

  /** Returns it and forgets it. */
  take(key: string): V | undefined {
    const value = this.get(key);
    this.young.delete(key);
    this.old.delete(key);
    return value;
  }
}
