import type { Connection } from './connection';
import { AiFirstError, Unavailable, WaitTimeout } from './errors';
import { isObject } from './json';
import { expect, FIRST_PAUSE_MS, isLater, part, PAUSE_MS_MAX, refused, request, retryAfterMs, unreadable } from './request';
import { Broken, now, sleep } from './silence';
import { SseParser } from './sse';
import { hasEnded, isParked, type Workflow, type WorkflowEvent } from './types';

/** The server says something every 15 s; who hears nothing for longer is not connected any more. */
const SILENCE_MS_MAX = 40_000;
const POLL_MS_MAX = 2_000;
const POLL_MS_FIRST = 50;
const BREAKS_MAX = 3;
/** How much later than asked for a wait may end. */
const LATE_MS_MAX = 5_000;
/** After these the workflow may have come to rest. */
const RESTING = ['workflow-ended', 'workflow-paused', 'rollback-parked', 'step-undo-blocked', 'policy-decided'];
const ENDED_TYPE = 'aifirst.workflow.workflow-ended.v1';

export const WORKFLOW_FIELDS = ['id', 'status', 'steps', 'residue'] as const satisfies readonly (keyof Workflow)[];

export interface Patience { readonly timeoutMs?: number; readonly retryForMs?: number; readonly signal?: AbortSignal | undefined }

export const workflowOf = async (connection: Connection, id: string, patience: Patience = {}): Promise<Workflow> =>
  expect<Workflow>(await request(connection, 'GET', `/v1/workflows/${part(id)}`, patience), [200], WORKFLOW_FIELDS);

/** Until it has ended or waits for somebody. By live events, and where these do not come through, by asking again. @throws WaitTimeout, Unavailable */
export async function wait(connection: Connection, id: string, waitMs: number, giveUpAt: number, signal: AbortSignal | undefined): Promise<Workflow> {
  let [last, breaks, pauseMs] = ['', 0, POLL_MS_FIRST];
  for (;;) {
    const leftMs = Math.max(1_000, giveUpAt - now());
    const found = await workflowOf(connection, id, { timeoutMs: Math.min(connection.timeoutMs, leftMs), retryForMs: Math.min(connection.retryForMs, leftMs), signal })
      .catch((error: unknown) => { throw error instanceof Unavailable ? error.again({ workflowId: id }) : error; });
    if (hasEnded(found) || isParked(found)) return found;
    if (now() >= giveUpAt) throw new WaitTimeout(id, waitMs, found);
    if (breaks < BREAKS_MAX) {
      const heard = await untilSomething(connection, id, last, giveUpAt, signal);
      last = heard.last;
      breaks = heard.something ? 0 : breaks + 1;
      if (heard.something) pauseMs = POLL_MS_FIRST;
    }
    // Why always a little: what was heard may get to the view a moment later.
    await sleep(Math.max(0, Math.min(pauseMs, giveUpAt - now())), signal);
    pauseMs = Math.min(pauseMs * 2, POLL_MS_MAX);
  }
}

const isEvents = (status: number, headers: Headers): boolean => status === 200 && headers.get('content-type')?.startsWith('text/event-stream') === true;

const openEvents = (connection: Connection, id: string, last: string, silenceMs: number, signal: AbortSignal | undefined) => connection.open({
  method: 'GET', path: `/v1/workflows/${part(id)}/events`, silenceMs: Math.max(1_000, silenceMs), signal,
  headers: { accept: 'text/event-stream', 'cache-control': 'no-store', ...(last === '' ? {} : { 'last-event-id': last }) },
}, isEvents);

/** Whether anything came, and the id of the last event. */
async function untilSomething(connection: Connection, id: string, last: string, giveUpAt: number, signal: AbortSignal | undefined): Promise<{ readonly something: boolean; readonly last: string }> {
  let something = false;
  const silenceMs = Math.min(giveUpAt - now(), SILENCE_MS_MAX);
  try {
    const stream = await openEvents(connection, id, last, silenceMs, signal);
    try {
      if (!isEvents(stream.status, stream.headers)) return { something, last };
      const parser = new SseParser();
      for (;;) {
        const chunk = await stream.next();
        if (chunk === null) return { something, last };
        // Why a comment counts too: the connection works, and nothing has happened yet.
        something = true;
        for (const event of parser.feed(chunk)) {
          last = event.id;
          if (RESTING.some(name => event.event.includes(name))) return { something, last };
        }
        // Why: how long it may be silent was said when it was opened, and now is less.
        if (giveUpAt - now() < silenceMs - LATE_MS_MAX) return { something, last };
      }
    } finally {
      stream.close();
    }
  } catch (error) {
    if (!(error instanceof Broken || error instanceof RangeError)) throw error;
    return { something, last };
  }
}

/** Every event after `after`, each once and in order, until the workflow has ended. A broken stream is taken up where it broke. @throws Unavailable, NotFound, … */
export async function* live(connection: Connection, id: string, after: number, signal: AbortSignal | undefined): AsyncGenerator<WorkflowEvent, void, void> {
  let [last, pauseMs, giveUpAt] = [after, FIRST_PAUSE_MS, null as number | null];
  for (;;) {
    let [isOver, came, problem, wantedMs] = [false, false, 'the stream broke off', undefined as number | undefined];
    try {
      const stream = await openEvents(connection, id, last === 0 ? '' : String(last), SILENCE_MS_MAX, signal);
      try {
        if (stream.status === 204) return;
        if (isLater(stream.status)) [problem, wantedMs] = [`answered ${stream.status}`, retryAfterMs(stream.headers)];
        else if (!isEvents(stream.status, stream.headers)) throw refused(stream);
        else {
          const parser = new SseParser();
          for (let chunk = await stream.next(); chunk !== null; chunk = await stream.next()) {
            came = true;
            for (const { data } of parser.feed(chunk)) {
              const event = eventOf(data);
              isOver = event.type === ENDED_TYPE;
              const { sequence = 0 } = event;
              if (sequence <= last) continue;
              last = sequence;
              yield event;
            }
          }
        }
      } finally {
        stream.close();
      }
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      problem = error.message;
    }
    // Why not at the event itself: facts of a rollback may follow it, and the server closes after the last one.
    if (isOver) return;
    if (came) [giveUpAt, pauseMs] = [null, FIRST_PAUSE_MS];
    giveUpAt ??= now() + connection.retryForMs;
    const waitMs = wantedMs ?? pauseMs * (0.5 + Math.random());
    if (now() + waitMs > giveUpAt) throw new Unavailable('NO_ANSWER', `the events of workflow ${id} do not come any more: ${problem}`, { retryAfterMs: wantedMs });
    await sleep(waitMs, signal);
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
  }
}

function eventOf(data: string): WorkflowEvent {
  let event: unknown;
  try { event = JSON.parse(data); } catch (cause) { throw new AiFirstError('UNREADABLE', 'an event of the stream is not JSON', { cause }); }
  if (!isObject(event) || typeof event['type'] !== 'string') throw unreadable();
  return event as unknown as WorkflowEvent;
}
