import { ENDED, type CloudEvent, type WorkflowView } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import { isObject, messageOf, type Clock, type Json } from '@aifirst/kernel';
import type { GatewayLogger } from '../http/edge';
import { STREAMED, type Call, type Reply } from '../http/route';
import { WORKFLOW_ENDED } from '../views/facts';
import type { WorkflowProjection } from '../views/workflow-projection';

const PAGE = 200;
const HEARTBEAT_MS = 15_000;
/** A reader this far behind is sent away; it comes back with `Last-Event-ID`. */
const QUEUE_MAX = 10_000;

/** Facts of workflows as Server-Sent Events: what is stored first, then what happens, until the workflow has ended. */
export class EventStreams {
  private readonly open = new Set<() => void>();

  constructor(private readonly options: { readonly identity: Identity; readonly projection: WorkflowProjection; readonly clock: Clock; readonly logger: GatewayLogger }) {}

  async serve(call: Call, view: WorkflowView): Promise<Reply | typeof STREAMED> {
    const last = call.headers['last-event-id'];
    const after = last !== undefined && /^\d{1,15}$/.test(last) ? Number(last) : 0;
    const queue: CloudEvent[] = [];
    let wake: () => void = () => {};
    const stopWatching = this.options.projection.watch(view.id, event => { queue.push(event); wake(); });
    let first: readonly CloudEvent[];
    try {
      first = await this.page(call.tenant, view.id, after);
      if (first.length === 0 && after > 0 && ENDED.includes(view.status) && queue.length === 0) { stopWatching(); return { status: 204 }; }
    } catch (error) {
      stopWatching();
      throw error;
    }
    const { raw } = call.reply;
    call.reply.hijack();
    raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    let closed = false;
    const close = () => { closed = true; wake(); };
    raw.on('close', close);
    this.open.add(close);
    const waits = (ms: number) => new Promise<void>(resolve => {
      const cancel = this.options.clock.after(ms, resolve);
      wake = () => { cancel(); resolve(); };
    });
    const run = async (): Promise<void> => {
      let seen = after;
      let isOver = first.length === 0 && ENDED.includes(view.status);
      const write = async (event: CloudEvent): Promise<void> => {
        isOver = event.type === WORKFLOW_ENDED;
        if ((event.sequence ?? 0) <= seen) return;
        seen = event.sequence ?? 0;
        if (!raw.write(`id: ${seen}\nevent: ${event.type}\ndata: ${JSON.stringify(shownEvent(event))}\n\n`) && !closed) await drained(raw);
      };
      for (let page = first; ; page = await this.page(call.tenant, view.id, seen)) {
        for (const event of page) await write(event);
        if (page.length < PAGE || closed) break;
      }
      while (!closed) {
        for (let event = queue.shift(); event !== undefined && !closed; event = queue.shift()) await write(event);
        if (isOver || closed || queue.length > QUEUE_MAX) return;
        await waits(HEARTBEAT_MS);
        if (queue.length === 0 && !closed) raw.write(': still here\n\n');
      }
    };
    run()
      .catch((error: unknown) => this.options.logger.warn('an event stream broke off', { workflow: view.id, error: messageOf(error) }))
      .finally(() => { stopWatching(); this.open.delete(close); raw.end(); });
    return STREAMED;
  }

  endAll(): void { for (const close of [...this.open]) close(); }

  private async page(tenant: string, workflow: string, after: number): Promise<readonly CloudEvent[]> {
    return (await this.options.identity.neighbours.ask('orchestrator', 'facts', { tenant, workflow, after, limit: PAGE })).items;
  }
}

const drained = (raw: NodeJS.WritableStream): Promise<void> => new Promise(resolve => {
  const done = () => { raw.off('drain', done); raw.off('close', done); resolve(); };
  raw.on('drain', done);
  raw.on('close', done);
});

/** A fact as callers see it: leases are between services. */
export function shownEvent(event: CloudEvent): CloudEvent {
  const { decisions } = event.data;
  if (!Array.isArray(decisions)) return event;
  const shown = (decisions as readonly Json[]).map(decision => {
    if (!isObject(decision)) return decision;
    const { lease: _, undoLease: __, ...rest } = decision;
    return rest;
  });
  return { ...event, data: { ...event.data, decisions: shown } };
}
