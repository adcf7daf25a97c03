import type { Log, StoredRow } from '@aifirst/store';
import { versionOf, type CallId } from './journal-key';

/** Questions to the log that pile up while one is being answered are asked together. */
class Piled<Q, A> {
  private queue: { readonly asked: Q; resolve(answer: A): void; reject(error: unknown): void }[] = [];
  private busy = false;

  constructor(private readonly answerAll: (asked: readonly Q[]) => Promise<A>) {}

  ask(asked: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.queue.push({ asked, resolve, reject });
      if (!this.busy) { this.busy = true; setImmediate(() => void this.work()); }
    });
  }

  private async work(): Promise<void> {
    while (this.queue.length > 0) {
      const questions = this.queue;
      this.queue = [];
      try {
        const answer = await this.answerAll(questions.map(question => question.asked));
        for (const question of questions) question.resolve(answer);
      } catch (error) {
        for (const question of questions) question.reject(error);
      }
    }
    this.busy = false;
  }
}

const bySlot = (rows: readonly StoredRow[]): ReadonlyMap<string, readonly StoredRow[]> => {
  const found = new Map<string, StoredRow[]>();
  for (const row of rows) {
    const of = found.get(row.stream);
    if (of === undefined) found.set(row.stream, [row]);
    else of.push(row);
  }
  return found;
};
const NONE: readonly StoredRow[] = [];

export class Lookups {
  private readonly versions: Piled<readonly CallId[], ReadonlyMap<string, readonly StoredRow[]>>;
  private readonly streams: Piled<string, ReadonlyMap<string, readonly StoredRow[]>>;

  constructor(log: Log) {
    this.versions = new Piled(async asked => {
      const pairs = asked.flat().flatMap(call => [
        { stream: call.workflow, version: versionOf(call, 'claim') },
        { stream: call.workflow, version: versionOf(call, 'outcome') },
      ]);
      return bySlot(await log.readVersions(pairs));
    });
    this.streams = new Piled(async asked => bySlot(await log.readStreams([...new Set(asked)])));
  }

  /** Claim and outcome rows of these calls of one workflow (and others of the workflow that were asked for at the same time). */
  async calls(calls: readonly [CallId, ...CallId[]]): Promise<readonly StoredRow[]> {
    return (await this.versions.ask(calls)).get(calls[0].workflow) ?? NONE;
  }

  /** All rows of a workflow. */
  async workflow(workflow: string): Promise<readonly StoredRow[]> {
    return (await this.streams.ask(workflow)).get(workflow) ?? NONE;
  }
}
