import type { Feed } from '@aifirst/bus';
import { isFactTopic, type CloudEvent } from '@aifirst/contracts';
import type { StoredRow } from '@aifirst/store';
import type { Gap } from './domain/sequencer';

const READ_ROWS = 500;
const PROBE_ROWS = 50;
/** More than this is read in several goes: what is missing still is asked for again. */
const FACTS_MAX = 5_000;

const factsOf = (rows: readonly StoredRow[], producer: string): CloudEvent[] =>
  rows.flatMap(({ messages }) => messages.flatMap(({ topic, event }) => (isFactTopic(topic) && event.producer === producer && event.sequence !== undefined ? [event] : [])));

/**
 * The facts that are missing, from the producer's own log, whatever topic they were said on: their numbers rise with the
 * rows, so the place is found by halving.
 * @returns what of them is there, in order
 */
export async function readGap(feed: Feed, { producer, from, to }: Gap): Promise<readonly CloudEvent[]> {
  const found: CloudEvent[] = [];
  for (let after = await placeBefore(feed, producer, from); ;) {
    const rows = await feed.read(after, READ_ROWS);
    const facts = factsOf(rows, producer);
    found.push(...facts.filter(event => event.sequence! >= from && event.sequence! < to));
    const last = rows.at(-1);
    if (last === undefined || found.length >= Math.min(to - from, FACTS_MAX) || facts.some(event => event.sequence! >= to)) return found;
    after = last.position;
  }
}

/** A position before which the fact is not, near where it is. */
async function placeBefore(feed: Feed, producer: string, sequence: number): Promise<number> {
  let [low, high] = [0, feed.head()];
  while (high - low > READ_ROWS) {
    const middle = Math.floor((low + high) / 2);
    const [first] = factsOf(await feed.read(middle, PROBE_ROWS), producer);
    if (first === undefined) break;
    if (first.sequence! >= sequence) high = middle + 1;
    else low = middle;
  }
  return low;
}
