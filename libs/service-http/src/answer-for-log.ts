import { answerer } from '@aifirst/bus';
import { isFactTopic, type LogFacts, type LogQuestions, type ServiceName, type ServiceQuery } from '@aifirst/contracts';
import { Refusal } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';

const ROWS_MAX = 500;
/** Of the facts in one answer; one row can be more. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

export type ReadableLog = Pick<Log, 'producer' | 'head' | 'read' | 'onCommitted'>;

/**
 * Answers `LogQuestions` of a service's log.
 * @param log the log, or what finds it by its source: where a service has several, or opens one anew
 */
export function answerForLog(query: ServiceQuery, service: ServiceName, log: ReadableLog | ((source: string) => ReadableLog | undefined)): void {
  const lastFacts = new WeakMap<ReadableLog, LastFact>();
  const logOf = (source: string): ReadableLog => {
    const found = typeof log === 'function' ? log(source) : log.producer === source ? log : undefined;
    if (found === undefined) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no log \`${String(source).slice(0, 64)}\` here` });
    return found;
  };
  const answer = answerer<LogQuestions>(query, service);
  answer('logHead', async ({ source }) => {
    const found = logOf(source);
    const lastFact = lastFacts.get(found) ?? new LastFact(found);
    lastFacts.set(found, lastFact);
    const lastSequence = await lastFact.sequence();
    return { source, head: found.head(), lastSequence };
  });
  answer('readLog', async ({ source, after, limit }) => {
    const found = logOf(source);
    if (!Number.isSafeInteger(after) || after < 0) throw new Refusal({ code: 'INVALID_FIELD', pointer: '/after', detail: 'is a position of the log' });
    if (!Number.isSafeInteger(limit) || limit < 1) throw new Refusal({ code: 'INVALID_FIELD', pointer: '/limit', detail: `is from 1 to ${ROWS_MAX}` });
    return { head: found.head(), rows: await factsAfter(found, after, Math.min(limit, ROWS_MAX)) };
  });
}

async function factsAfter(log: ReadableLog, after: number, limit: number): Promise<LogFacts[]> {
  const rows: LogFacts[] = [];
  let bytes = 0;
  let passed: LogFacts | null = null;
  for (const { position, messages } of await log.read(after, limit)) {
    const facts = messages.filter(({ topic }) => isFactTopic(topic));
    if (facts.length === 0) { passed = { position, messages: [] }; continue; }
    bytes += JSON.stringify(facts).length;
    if (rows.length > 0 && bytes > ANSWER_BYTES_MAX) return rows;
    rows.push({ position, messages: facts });
    passed = null;
  }
  return passed === null ? rows : [...rows, passed];
}

/** The number of a log's last fact: looked for once, from its end, then heard of. */
class LastFact {
  #heard = 0;
  #found: Promise<number> | null = null;

  constructor(private readonly log: ReadableLog) {
    log.onCommitted(rows => { this.#heard = lastOf(rows) || this.#heard; });
  }

  async sequence(): Promise<number> {
    if (this.#heard > 0) return this.#heard;
    this.#found ??= this.#look().catch((error: unknown) => { this.#found = null; throw error; });
    return Math.max(await this.#found, this.#heard);
  }

  /** In ever larger spans from the end: few rows hold no fact, but what retention has left may be far apart. */
  async #look(): Promise<number> {
    for (let end = this.log.head(), span = ROWS_MAX; end > 0; span *= 2) {
      const start = Math.max(0, end - span);
      let last = 0;
      for (let after = start; after < end;) {
        const rows = await this.log.read(after, ROWS_MAX);
        last = lastOf(rows.filter(({ position }) => position <= end)) || last;
        after = rows.at(-1)?.position ?? end;
      }
      if (last > 0) return last;
      end = start;
    }
    return 0;
  }
}

function lastOf(rows: readonly LogFacts[]): number {
  for (let row = rows.length - 1; row >= 0; row--) {
    const { messages } = rows[row]!;
    for (let at = messages.length - 1; at >= 0; at--) {
      const { topic, event } = messages[at]!;
      if (event.sequence !== undefined && isFactTopic(topic)) return event.sequence;
    }
  }
  return 0;
}
