import { ADAPTER_HOSTS, type AdapterHost, type AdapterQuestions, type CapabilityDescriptor, type ServiceQuery } from '@aifirst/contracts';
import { messageOf, OperationalError, type Clock } from '@aifirst/kernel';

const AGAIN_MS = 500;
const REFRESH_MS = 30_000;

/** What adapters offer, as their services said last: what one that does not answer offered before, it offers still. */
export class Offers {
  readonly #offered = new Map<AdapterHost, readonly CapabilityDescriptor[]>();
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(private readonly query: Pick<ServiceQuery, 'ask'>, private readonly clock: Clock) {}

  /** Resolves when every one has answered; from then on they are asked again and again. @throws OperationalError STOPPED */
  async start(isStopping: () => boolean, onWaiting: (why: string) => void): Promise<void> {
    for (let told = false; ; told = true) {
      if (isStopping() || this.#stopped) throw new OperationalError('STOPPED', 'the service is being stopped');
      try { await this.#refresh(ADAPTER_HOSTS.filter(host => !this.#offered.has(host))); break; } catch (error) { if (!told) onWaiting(messageOf(error)); }
      await new Promise<void>(resolve => { this.clock.after(AGAIN_MS, resolve); });
    }
    this.#later();
  }

  stop(): void { this.#stopped = true; this.#cancel(); }

  all(): readonly CapabilityDescriptor[] { return [...this.#offered.values()].flat(); }

  #later(): void {
    if (!this.#stopped) this.#cancel = this.clock.after(REFRESH_MS, () => { void this.#refresh(ADAPTER_HOSTS).catch(() => undefined).finally(() => { this.#later(); }); });
  }

  /** @throws what kept one from answering, after all have been asked */
  async #refresh(hosts: readonly AdapterHost[]): Promise<void> {
    const answers = await Promise.allSettled(hosts.map(async host => { this.#offered.set(host, (await this.query.ask<AdapterQuestions['capabilities'][1]>(host, 'capabilities', {})).items); }));
    const failed = answers.find(answer => answer.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
