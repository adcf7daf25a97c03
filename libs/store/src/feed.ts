import type { Log } from './store';

/** A log as the bus attaches it: where its rows come from and how to read and hear of them (`Feed` of `@aifirst/bus`). */
export const feedOf = (log: Log) => ({
  source: log.producer,
  head: () => log.head(),
  read: (after: number, limit: number) => log.read(after, limit),
  onCommitted: (listener: Parameters<Log['onCommitted']>[0]) => log.onCommitted(listener),
});
