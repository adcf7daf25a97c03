import { OTHER } from './catalogue';

/**
 * Keeps a label's values few: the first `max` different ones have a series each, all that come later share `other`. First come, first
 * served, since a counter's series must not change its meaning while it runs; a restart begins anew.
 */
export class BoundedLabel {
  readonly #known = new Set<string>();
  constructor(private readonly max: number) {}

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (value === '' || this.#known.size >= this.max) return OTHER;
    this.#known.add(value);
    return value;
  }
}
