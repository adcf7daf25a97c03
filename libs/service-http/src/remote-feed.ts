import { asker, type Feed } from '@aifirst/bus';
import type { LogHead, LogQuestions, ServiceName, ServiceQuery } from '@aifirst/contracts';

/** Another process's log, to read facts from that the bus did not bring. It tells of nothing by itself: it is not for `MessageBus.attach`. */
export interface RemoteFeed extends Feed {
  /** As of the last answer, 0 before the first. */
  head(): number;
  /** Asks how far the log goes. @throws OperationalError (retryable while the producer is away) */
  refresh(): Promise<LogHead>;
}

/** @param source `<service>/<shard>` */
export function remoteFeed(query: ServiceQuery, service: ServiceName, source: string): RemoteFeed {
  const ask = asker<LogQuestions>(query, service);
  let head = 0;
  return {
    source,
    head: () => head,
    async refresh() {
      const found = await ask('logHead', { source });
      head = Math.max(head, found.head);
      return found;
    },
    /** Of the rows only position and facts are known; the rest of a row stays with its owner. */
    async read(after, limit) {
      const found = await ask('readLog', { source, after, limit });
      head = Math.max(head, found.head);
      return found.rows.map(({ position, messages }) => ({ position, tenant: messages[0]?.event.tenant ?? '', stream: '', version: 0, key: null, state: null, messages }));
    },
    onCommitted: () => () => undefined,
  };
}
