import type { NamedObject } from './statement';

/** Names gathered without repeats. */
export class Names {
  private readonly byKey = new Map<string, NamedObject>();

  add(object: NamedObject): void { this.byKey.set(`${object.schema ?? ''}\0${object.name}`, object); }

  get size(): number { return this.byKey.size; }

  /** In an order that no locale changes: without schema first, then by schema and name. */
  sorted(): readonly NamedObject[] {
    return [...this.byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }
}
