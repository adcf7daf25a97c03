import { answerer, type Batch } from '@aifirst/bus';
import type { AdapterHost, AdapterQuestions, ServiceQuery } from '@aifirst/contracts';
import { madeAt, type StepJournal } from '@aifirst/execution';
import { messageOf, OperationalError, type Clock } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';

/** Its id is the log's name: shards share their documents. */
const DOCUMENT = { kind: 'adapter.sqlHeldUntil', tenant: 'system' } as const;
/** Copies are replaced one at a time and clocks differ: until then a copy of the version before may still carry out what it is sent. */
const MARGIN_MS = 3_600_000;
const AGAIN_MS = 500;

/** What a step, or a command or question about it, says of itself. */
interface AboutStep { readonly workflow?: unknown; readonly adapter?: unknown }
/** The other service whose it is, null: ours. */
export type Elsewhere = (about: AboutStep) => AdapterHost | null;

interface Waiting { readonly isStopping: () => boolean; readonly onWaiting: (why: string) => void }

/**
 * Versions without `adapter-sql` carried SQL out in `adapter-os`, whose journal alone can take it back. So of workflows that were
 * made before this time all SQL is `adapter-os`'s, whichever topic its commands come by; of later ones none (docs/adr/0039).
 * The same on both sides for ever. @returns ms since 1970, 0: there was no such version
 */
export async function heldUntil(host: AdapterHost, log: Log, query: Pick<ServiceQuery, 'ask'>, clock: Clock, waiting: Waiting): Promise<number> {
  const known = await log.getDocument(DOCUMENT.kind, DOCUMENT.tenant, log.producer);
  if (known !== null) return Number(known.data['until']);
  const until = host === 'adapter-sql' ? await askedOf(log.producer, query, clock, waiting) : log.head() === 0 ? 0 : clock.now() + MARGIN_MS;
  await log.commit({ documents: [{ ...DOCUMENT, id: log.producer, data: { until } }] });
  return until;
}

/** Nothing is carried out before it is known; it is asked once in a deployment's life. */
async function askedOf(producer: string, query: Pick<ServiceQuery, 'ask'>, clock: Clock, { isStopping, onWaiting }: Waiting): Promise<number> {
  const source = producer.replace('adapter-sql', 'adapter-os');
  for (let told = false; !isStopping(); told = true) {
    try {
      return (await query.ask<AdapterQuestions['sqlHeldUntil'][1]>('adapter-os', 'sqlHeldUntil', { source })).until;
    } catch (error) { if (!told) onWaiting(messageOf(error)); }
    await new Promise<void>(resolve => { clock.after(AGAIN_MS, resolve); });
  }
  throw new OperationalError('STOPPED', 'the service is being stopped');
}

/** Why also away from `adapter-os`: a copy of the orchestrator of the version before sends there whatever is SQL. */
export const elsewhere = (host: AdapterHost, until: number): Elsewhere => ({ workflow, adapter }) => {
  const at = typeof workflow === 'string' ? madeAt(workflow) : 0;
  if (at === 0 || adapter !== 'sql') return null;
  const owner = at < until ? 'adapter-os' : 'adapter-sql';
  return owner === host ? null : owner;
};

/** What is left to be done here. The rest is handed over beside it: like all that the bus brings it may be lost, and is sent again. */
export function handOver(batch: Batch, whose: Elsewhere, query: Pick<ServiceQuery, 'ask'>, onLost: (error: unknown) => void): Batch {
  const ours = batch.deliveries.filter(({ message }) => {
    const { data } = message.event;
    const owner = whose(data);
    if (owner !== null) void query.ask(owner, 'takeOver', { workflow: data['workflow'], message }).catch(onLost);
    return owner === null;
  });
  return ours.length === batch.deliveries.length ? batch : { ...batch, deliveries: ours };
}

/** The other side of it. What comes so is not handed on again. */
export function answerForEarlierSql(query: ServiceQuery, host: AdapterHost, until: number, journal: Pick<StepJournal, 'handle'>, onLost: (error: unknown) => void): void {
  const on = answerer<AdapterQuestions>(query, host);
  if (host === 'adapter-os') on('sqlHeldUntil', () => ({ until }));
  on('takeOver', ({ message }) => {
    // Why nobody waits: what can't be done yet must not hold up whoever hands over.
    void journal.handle({ deliveries: [{ source: message.event.producer, position: 0, message }], positions: {} }).catch(onLost);
    return {};
  });
}
