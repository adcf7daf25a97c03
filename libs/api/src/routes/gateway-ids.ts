import type { Ids } from '@aifirst/kernel';

/** `Ids` as a provider: Nest injects classes. */
export class GatewayIds implements Ids {
  constructor(private readonly ids: Ids) {}
  uuid(): string { return this.ids.uuid(); }
  chance(): number { return this.ids.chance(); }
}
