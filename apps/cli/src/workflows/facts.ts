import { isObject, messageOf, type JsonObject } from '@aifirst/kernel';
import { CannotDo, Unreachable } from '../exit';
import { Refused } from '../refused';
import { pause, type Server } from '../server';

export interface Fact { readonly name: string; readonly time: string; readonly data: JsonObject; readonly event: JsonObject }

const RETRY_MS = 250;
const RETRY_MS_MAX = 5_000;
/** A server that starts again takes seconds; one that is gone longer is told of. */
const GIVE_UP_MS = 120_000;
export const WORKFLOW_ENDED = 'workflow-ended';
/** A workflow that was just taken in may not be shown yet. */
const UNKNOWN_MS_MAX = 5_000;

export interface Following {
  /** Only what came after this `id`. */
  readonly after?: string | null;
  readonly signal: AbortSignal;
  /** Told when the stream breaks and is taken up again. */
  readonly onBreak?: (why: string) => void;
}

/** Facts of a workflow as they happen, each once, over broken streams; ends when it has ended, or by the signal. */
export async function* factsOf(server: Server, workflow: string, { after = null, signal, onBreak }: Following): AsyncGenerator<Fact> {
  let last = after;
  let hasEnded = false;
  let failingSince: number | null = null;
  const began = performance.now();
  for (let waitMs = RETRY_MS; !signal.aborted;) {
    try {
      const stream = await server.events(workflow, last, signal);
      if (stream === null) return;
      for await (const { id, event, data } of stream) {
        [failingSince, waitMs] = [null, RETRY_MS];
        if (last !== null && isBefore(id, last)) continue;
        if (/^[\x21-\x7e]{1,200}$/.test(id)) last = id;
        const fact = factIn(event, data);
        if (fact === null) continue;
        hasEnded = fact.name === WORKFLOW_ENDED;
        yield fact;
      }
      if (hasEnded) return;
    } catch (error) {
      if (signal.aborted) return;
      const isNew = error instanceof Refused && error.status === 404 && performance.now() - began < UNKNOWN_MS_MAX && last === null;
      if (error instanceof Refused && !error.mayPass && !isNew) throw error;
      if (error instanceof CannotDo && !(error instanceof Unreachable)) throw error;
      failingSince ??= performance.now();
      if (performance.now() - failingSince > GIVE_UP_MS) throw error instanceof Refused ? error : new Unreachable(`${messageOf(error)}; it goes on there: \`aifirst watch ${workflow}\` shows it`);
      if (!isNew) onBreak?.(messageOf(error));
      if (error instanceof Refused && error.retryAfterS !== null) waitMs = Math.max(waitMs, Math.min(error.retryAfterS * 1000, RETRY_MS_MAX));
    }
    await pause(waitMs, signal);
    waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
  }
}

/** Ids are numbers that rise: what was seen before a break is not shown again. */
const isBefore = (id: string, last: string): boolean => /^\d{1,15}$/.test(id) && /^\d{1,15}$/.test(last) && Number(id) <= Number(last);

function factIn(type: string, text: string): Fact | null {
  let event: unknown;
  try { event = JSON.parse(text); } catch { return null; }
  if (!isObject(event)) return null;
  const { data, time } = event;
  return { name: type.replace(/^aifirst\.workflow\./, '').replace(/\.v\d+$/, ''), time: typeof time === 'string' ? time : '', data: isObject(data) ? data : {}, event };
}
