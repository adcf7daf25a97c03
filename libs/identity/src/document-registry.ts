import { Refusal, type JsonObject } from '@aifirst/kernel';
import { VersionConflict, type StoredDocument } from '@aifirst/store';
import type { Draft, PrincipalRef } from '@aifirst/contracts';
import { TOPICS, eventType } from '@aifirst/contracts';
import type { Clock, Ids } from '@aifirst/kernel';
import type { LogWriter } from './log-writer';

export interface Entry<T> { readonly tenant: string; readonly id: string; readonly revision: number; readonly data: T }

/** A fact about a principal or a connection; `name` is past tense: `Created`, `Suspended`. */
export interface IdentityFact { readonly entity: 'tenant' | 'agent' | 'token' | 'key' | 'connection' | 'credential' | 'access'; readonly name: string; readonly data: JsonObject }

export interface Writing { readonly writer: LogWriter; readonly clock: Clock; readonly ids: Ids }

const PAGE = 500;

/**
 * Named things of one kind: documents in the gateway's log, all of them in memory, as one writer owns them. A change and
 * the fact that tells of it are stored together.
 */
export class DocumentRegistry<T extends object> {
  private readonly entries = new Map<string, Entry<T>>();

  constructor(private readonly kind: string, private readonly writing: Writing) {}

  async load(): Promise<void> {
    const { log } = this.writing.writer;
    let after: string | undefined;
    for (;;) {
      const page: readonly StoredDocument[] = await log.listDocuments(this.kind, null, after === undefined ? { limit: PAGE } : { limit: PAGE, after });
      for (const { tenant, id, revision, data } of page) this.entries.set(`${tenant}/${id}`, { tenant, id, revision, data: data as unknown as T });
      if (page.length < PAGE) return;
      const last = page[page.length - 1]!;
      after = `${last.tenant}/${last.id}`;
    }
  }

  get(tenant: string, id: string): Entry<T> | null { return this.entries.get(`${tenant}/${id}`) ?? null; }

  all(): IterableIterator<Entry<T>> { return this.entries.values(); }

  /** Of one tenant (null: of all), by id, ascending. */
  list(tenant: string | null): Entry<T>[] {
    const found = [...this.entries.values()].filter(entry => tenant === null || entry.tenant === tenant);
    return found.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }

  /**
   * @param expectedRevision what the caller saw; 0 = must be new; undefined = whatever is there
   * @throws Refusal PRECONDITION_FAILED
   */
  async put(tenant: string, id: string, data: T, facts: readonly IdentityFact[], by: PrincipalRef, expectedRevision?: number): Promise<Entry<T>> {
    await this.store(tenant, id, data as unknown as JsonObject, facts, by, expectedRevision);
    const stored = await this.writing.writer.log.getDocument(this.kind, tenant, id);
    if (stored === null) throw new Refusal({ code: 'PRECONDITION_FAILED', detail: 'it was deleted at the same time' });
    const entry = { tenant, id, revision: stored.revision, data };
    this.entries.set(`${tenant}/${id}`, entry);
    return entry;
  }

  async remove(tenant: string, id: string, facts: readonly IdentityFact[], by: PrincipalRef, expectedRevision?: number): Promise<void> {
    await this.store(tenant, id, null, facts, by, expectedRevision);
    this.entries.delete(`${tenant}/${id}`);
  }

  private async store(tenant: string, id: string, data: JsonObject | null, facts: readonly IdentityFact[], by: PrincipalRef, expectedRevision?: number): Promise<void> {
    const seen = this.get(tenant, id)?.revision ?? 0;
    if (expectedRevision !== undefined && expectedRevision !== seen) throw preconditionFailed(seen);
    const { writer, ids } = this.writing;
    try {
      await writer.commit({
        documents: [{ kind: this.kind, tenant, id, data, expectedRevision: seen }],
        appends: [{ tenant, stream: ids.uuid(), version: 1, messages: facts.map(fact => draftOf(this.writing, tenant, id, fact, by)) }],
      });
    } catch (error) {
      if (error instanceof VersionConflict) throw preconditionFailed(seen);
      throw error;
    }
  }
}

export function draftOf({ clock, ids }: Writing, tenant: string, subject: string, fact: IdentityFact, by: PrincipalRef | null): Draft {
  return {
    topic: TOPICS.identityEvents, key: subject, id: ids.uuid(), type: eventType(fact.entity, fact.name), time: new Date(clock.now()).toISOString(),
    subject, tenant, data: by === null ? fact.data : { ...fact.data, by: `${by.kind}:${by.id}` },
  };
}

const preconditionFailed = (revision: number): Refusal =>
  new Refusal({ code: 'PRECONDITION_FAILED', detail: revision === 0 ? 'there is no such thing yet' : `it is at revision ${revision} now` }, { revision });
