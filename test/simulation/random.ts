/** A seeded stream of chance (splitmix32). Streams of one seed and different labels have nothing to do with one another. */
export class Random {
  #state: number;

  constructor(seed: number, label: string) {
    let state = (seed ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < label.length; i++) state = Math.imul(state ^ label.charCodeAt(i), 0x01000193) >>> 0;
    this.#state = state;
    for (let i = 0; i < 4; i++) this.chance();
  }

  /** In [0, 1). */
  chance(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let t = this.#state ^ (this.#state >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return ((t ^ (t >>> 15)) >>> 0) / 2 ** 32;
  }

  happens(share: number): boolean { return share > 0 && this.chance() < share; }
  /** From `low` to `high`, both included. */
  between(low: number, high: number): number { return low + Math.floor(this.chance() * (high - low + 1)); }
  pick<T>(items: readonly T[]): T { return items[Math.floor(this.chance() * items.length)]!; }

  /** One of the names, each as likely as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const names = Object.keys(weights) as K[];
    let left = this.chance() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) { left -= weights[name]; if (left < 0) return name; }
    return names.at(-1)!;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.chance() * 256;
    return bytes;
  }
}
