import { TOPICS, eventType } from '@aifirst/contracts';
import type { LogWriter } from '@aifirst/identity';
import type { Clock, Ids, JsonObject } from '@aifirst/kernel';
import type { DocumentPut, StoredDocument, Unit } from '@aifirst/store';
import { LiveTask } from './live-task';
import { idOf, type TaskRecord } from './task-record';

/** Of those that may still change: all of them are in memory. */
export const TASKS = 'task';
/** Of those that have ended, as has the transaction that they belong to. */
export const PAST_TASKS = 'taskPast';

const PAGE = 500;
const FORGOTTEN_AT_ONCE = 20;
/** More tasks than one step can have had: it is started again a few times only, each with a few attempts. */
const OF_STEP_MAX = 1_000;

/** What is told of a task: never what it is about, nor what came of it. */
export interface TaskFact { readonly name: 'Offered' | 'Claimed' | 'Lost' | 'Completed' | 'Failed' | 'Withdrawn' | 'Undoing' | 'Undone'; readonly data: JsonObject }
export interface Change { readonly record: TaskRecord; readonly facts: readonly TaskFact[] }

export interface FoundTask { readonly tenant: string; readonly record: TaskRecord; readonly isPast: boolean }

/** Tasks as documents of the gateway's log: a change and the facts that tell of it are stored together. */
export class TaskStore {
  constructor(private readonly parts: { readonly writer: LogWriter; readonly clock: Clock; readonly ids: Ids }) {}

  async loadAll(): Promise<readonly FoundTask[]> {
    const found: FoundTask[] = [];
    for (let after: string | undefined; ;) {
      const page = await this.parts.writer.log.listDocuments(TASKS, null, after === undefined ? { limit: PAGE } : { limit: PAGE, after });
      found.push(...page.map(foundIn(false)));
      if (page.length < PAGE) return found;
      const last = page[page.length - 1]!;
      after = `${last.tenant}/${last.id}`;
    }
  }

  async find(tenant: string, id: string): Promise<FoundTask | null> {
    const { log } = this.parts.writer;
    const live = await log.getDocument(TASKS, tenant, id);
    if (live !== null) return foundIn(false)(live);
    const past = await log.getDocument(PAST_TASKS, tenant, id);
    return past === null ? null : foundIn(true)(past);
  }

  /** The last task of a step, among those that are past. */
  async lastPast(tenant: string, workflow: string, step: string): Promise<FoundTask | null> {
    const prefix = `${workflow}.${step}.`;
    let last: FoundTask | null = null;
    for (let after = prefix, read = 0; read < OF_STEP_MAX; read += PAGE) {
      const page = await this.parts.writer.log.listDocuments(PAST_TASKS, tenant, { limit: PAGE, after });
      for (const document of page) {
        if (!document.id.startsWith(prefix)) return last;
        const found = foundIn(true)(document);
        if (last === null || found.record.number > last.record.number) last = found;
      }
      if (page.length < PAGE) return last;
      after = page[page.length - 1]!.id;
    }
    return last;
  }

  async pastPage(tenant: string, limit: number, after: string | undefined): Promise<readonly TaskRecord[]> {
    const page = await this.parts.writer.log.listDocuments(PAST_TASKS, tenant, after === undefined ? { limit } : { limit, after });
    return page.map(document => foundIn(true)(document).record);
  }

  /** What stores a change, to be committed by whoever has more to store with it. */
  unitOf({ tenant, id, isPast }: Pick<LiveTask, 'tenant' | 'id' | 'isPast'>, { record, facts }: Change, becomesPast = false): Unit & { readonly documents: readonly DocumentPut[] } {
    const data = record as unknown as JsonObject;
    const put = (kind: string, value: JsonObject | null): DocumentPut => ({ kind, tenant, id, data: value });
    return {
      documents: becomesPast ? [put(TASKS, null), put(PAST_TASKS, data)] : [put(TASKS, data), ...(isPast ? [put(PAST_TASKS, null)] : [])],
      appends: facts.length === 0 ? [] : [{
        tenant, stream: this.parts.ids.uuid(), version: 1,
        messages: facts.map(({ name, data: more }) => ({
          topic: TOPICS.intentEvents, key: record.workflow, id: this.parts.ids.uuid(), type: eventType('task', name), time: new Date(this.parts.clock.now()).toISOString(), subject: record.workflow, tenant,
          data: { task: idOf(record), workflow: record.workflow, step: record.step, agent: record.from.id, ...more },
        })),
      }],
    };
  }

  async commit(unit: Unit): Promise<void> { await this.parts.writer.commit(unit); }

  /** Nothing grows for ever. */
  async forget(tenants: readonly string[], before: string): Promise<void> {
    const { writer } = this.parts;
    for (const tenant of tenants) {
      for (let more = true; more;) {
        // Why the first: their ids begin with those of workflows, which are in the order of time.
        const oldest = await writer.log.listDocuments(PAST_TASKS, tenant, { limit: FORGOTTEN_AT_ONCE });
        const old = oldest.filter(document => (foundIn(true)(document).record.endedAt ?? before) < before);
        if (old.length > 0) await writer.commit({ documents: old.map(({ id }) => ({ kind: PAST_TASKS, tenant, id, data: null })) });
        more = old.length === FORGOTTEN_AT_ONCE;
      }
    }
  }
}

const foundIn = (isPast: boolean) => ({ tenant, data }: StoredDocument): FoundTask => ({ tenant, record: data as unknown as TaskRecord, isPast });
