import type { ClientConfig } from 'pg';
import { BASE_MIGRATIONS, migrate } from '@aifirst/store';
import { EmbeddedMessageBus, InProcessQuery, asker } from '@aifirst/bus';
import { MemoryDeadLetters, MemoryFeed, impatientClock } from '@aifirst/bus/testing';
import type { AuditQuestions, Message } from '@aifirst/contracts';
import { AUDIT_MIGRATIONS } from '../audit-migrations';
import { AuditService, type AuditServiceOptions } from '../audit-service';

export const AUDIT_SCHEMA = 'aifirst_audit';
export const TEST_KEY = Buffer.alloc(32, 7);

export async function migrateAudit(admin: ClientConfig): Promise<ClientConfig> {
  return (await migrate({ admin, services: [{ schema: AUDIT_SCHEMA, role: AUDIT_SCHEMA, migrations: [...BASE_MIGRATIONS, ...AUDIT_MIGRATIONS] }] })).get(AUDIT_SCHEMA)!;
}

/** The audit service on producers' logs in memory, which tests append to: what a restart finds again. */
export class AuditStand {
  readonly feeds = new Map<string, MemoryFeed>();
  readonly gaps: string[] = [];
  readonly defects: string[] = [];
  readonly deadLetters = new MemoryDeadLetters();
  ended: unknown = null;
  service!: AuditService;
  ask!: ReturnType<typeof asker<AuditQuestions>>;
  readonly #attached = new Set<MemoryFeed>();
  #bus!: EmbeddedMessageBus;

  constructor(private readonly connection: ClientConfig, private readonly options: Partial<AuditServiceOptions> = {}) {}

  feed(producer: string): MemoryFeed {
    let feed = this.feeds.get(producer);
    if (feed === undefined) this.feeds.set(producer, feed = new MemoryFeed(producer));
    return feed;
  }

  async start(): Promise<this> {
    this.#bus = new EmbeddedMessageBus({ clock: impatientClock, deadLetters: () => this.deadLetters });
    const query = new InProcessQuery();
    this.#attached.clear();
    for (const feed of this.feeds.values()) await this.attach(feed);
    this.service = new AuditService({
      bus: this.#bus, query, feeds: () => this.feeds.values(), connection: this.connection, deployment: 'test', key: TEST_KEY, clock: impatientClock, thread: 'here',
      onGap: gap => { this.gaps.push(`${gap.producer} ${gap.from}-${gap.to - 1}`); },
      onDefect: detail => { this.defects.push(detail); },
      onEnded: error => { this.ended = error; },
      ...this.options,
    });
    this.ask = asker<AuditQuestions>(query, 'audit');
    await this.service.start();
    return this;
  }

  private async attach(feed: MemoryFeed): Promise<void> {
    if (this.#attached.has(feed)) return;
    this.#attached.add(feed);
    await this.#bus.attach(feed);
  }

  /** Each message a row of its producer's log. */
  async say(...messages: readonly Message[]): Promise<void> {
    for (const message of messages) {
      const feed = this.feed(message.event.producer);
      await this.attach(feed);
      feed.append([message]);
    }
  }

  /** Resolves when everything said is stored and signed. */
  async settled(): Promise<void> {
    const producers: Record<string, number> = {};
    for (const [producer, { rows }] of this.feeds) for (const { messages } of rows) for (const { event } of messages) producers[producer] = Math.max(event.sequence ?? 0, producers[producer] ?? 0);
    await this.service.waitFolded(producers);
    await this.service.settle();
  }

  async export(tenant = 'default', span: { from?: string; to?: string } = {}): Promise<Buffer> {
    return Buffer.from((await this.ask('export', { tenant, ...span })).document);
  }

  async stop(): Promise<void> {
    await this.#bus.stop();
    await this.service.stop();
  }
}
