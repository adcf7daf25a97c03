import { prepareAdmission, prepareCapability } from '@aifirst/admission';
import { ADAPTER_HOSTS, type AdapterHost, type CapabilityDescriptor } from '@aifirst/contracts';
import type { Neighbours } from '@aifirst/identity';
import { messageOf, type Clock } from '@aifirst/kernel';
import type { GatewayLogger } from '../http/edge';

const REFRESH_MS = 30_000;
const RETRY_MS = 500;

/** What there is to call, as the adapters said last. */
export class Capabilities {
  private byName = new Map<string, CapabilityDescriptor>();
  private readonly offered = new Map<AdapterHost, readonly CapabilityDescriptor[]>();
  private loaded = false;
  private stopped = false;
  private cancel: (() => void) | null = null;

  constructor(private readonly neighbours: Neighbours, private readonly clock: Clock, private readonly logger: GatewayLogger) {}

  /** Asks now, and from then on again and again; an adapter that does not answer yet is asked again soon. */
  async start(): Promise<void> {
    try {
      await prepareAdmission();
      await this.refresh();
    } catch (error) {
      this.logger.warn('the adapters do not say what they can do', { error: messageOf(error) });
    }
    if (!this.stopped) this.cancel = this.clock.after(this.loaded ? REFRESH_MS : RETRY_MS, () => { void this.start(); });
  }

  stop(): void { this.stopped = true; this.cancel?.(); }
  isLoaded(): boolean { return this.loaded; }

  find(name: string): CapabilityDescriptor | undefined { return this.byName.get(name); }
  list(): CapabilityDescriptor[] { return [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)); }

  /** Each host by itself: what one that does not answer offered last, it offers still. @throws what kept one from answering */
  private async refresh(): Promise<void> {
    const answers = await Promise.allSettled(ADAPTER_HOSTS.map(async host => { this.offered.set(host, (await this.neighbours.ask(host, 'capabilities', {})).items); }));
    const next = new Map<string, CapabilityDescriptor>();
    for (const descriptor of [...this.offered.values()].flat()) {
      const known = this.byName.get(descriptor.name);
      // Why: schemas are compiled once per object, so what has not changed stays the same object.
      const same = known !== undefined && JSON.stringify(known) === JSON.stringify(descriptor);
      if (!same) prepareCapability(descriptor);
      next.set(descriptor.name, same ? known : descriptor);
    }
    this.byName = next;
    this.loaded = ADAPTER_HOSTS.every(host => this.offered.has(host));
    const failed = answers.find(answer => answer.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
