import { shardOf } from '@aifirst/bus';
import type { OrchestratorQuestions, ServiceName, ServiceQuery, WorkflowHead } from '@aifirst/contracts';
import { OperationalError, Refusal } from '@aifirst/kernel';
import { addressOf, type Address } from './question-path';

export interface ShardedQueryOptions {
  /** Asks one shard. */
  readonly query: { ask<A>(address: Address, question: string, body: unknown): Promise<A> };
  /** How many a service's work is shared among; 1: it is not. */
  readonly shardsOf: (service: ServiceName) => number;
}

/** How an answer of the whole service is made of its shards'. */
type Way = (shards: Shards, body: never) => Promise<unknown>;

/**
 * Questions to services whose work is shared: what is about one workflow goes to the shard that it belongs to, what is about all of
 * them to every shard. A question that is not known here is asked of the first shard that answers.
 */
export class ShardedQuery implements Pick<ServiceQuery, 'ask'> {
  constructor(private readonly options: ShardedQueryOptions) {}

  /** @throws as the shard's owner does; where several are asked, what the first that fails throws */
  async ask<A>(service: ServiceName, question: string, body: unknown): Promise<A> {
    const { query, shardsOf } = this.options;
    const of = shardsOf(service);
    if (of === 1) return query.ask<A>(service, question, body);
    const way: Way = WAYS.get(question) ?? (shards => shards.any(body));
    return await way({
      of,
      one: (shard, asked) => query.ask(addressOf(service, shard, of), question, asked),
      all: asked => Promise.all(Array.from({ length: of }, (_, shard) => query.ask(addressOf(service, shard, of), question, asked))) as never,
      any: async asked => {
        for (let shard = 0; ; shard++) {
          try { return await query.ask(addressOf(service, shard, of), question, asked); } catch (error) { if (shard === of - 1 || !mayBeElsewhere(error)) throw error; }
        }
      },
    }, body as never) as A;
  }
}

interface Shards {
  readonly of: number;
  one(shard: number, body: unknown): Promise<unknown>;
  all<A>(body: unknown): Promise<A[]>;
  /** The first that has an answer. */
  any(body: unknown): Promise<unknown>;
}

/** Nothing was done there, and another shard may have what was asked for. */
const mayBeElsewhere = (error: unknown): boolean => error instanceof OperationalError && ['SERVICE_UNAVAILABLE', 'NO_CONSUMER', 'NOT_FOUND'].includes(error.code);

const ofWorkflow: Way = (shards, body: { workflow: string }) => shards.one(shardOf(String(body.workflow), shards.of), body);
type Locks = OrchestratorQuestions['locks'];

const WAYS: ReadonlyMap<string, Way> = new Map<string, Way>([
  ['order', ofWorkflow],
  ['facts', ofWorkflow],
  ['previewUndo', ofWorkflow],
  ['takeOver', ofWorkflow],
  ['breakLock', (shards, body: { id: string }) => shards.one(shardOf(String(body.id).split('.')[0]!, shards.of), body)],
  ['workflowHeads', async (shards, { workflows }: { workflows: readonly string[] }) => {
    const answers = await Promise.all(Array.from({ length: shards.of }, (_, shard) => workflows.filter(workflow => shardOf(workflow, shards.of) === shard))
      .map((some, shard) => shards.one(shard, { workflows: some }) as Promise<{ items: WorkflowHead[]; lag: number }>));
    return { items: answers.flatMap(({ items }) => items), lag: Math.max(...answers.map(({ lag }) => lag)) };
  }],
  ['inUse', async (shards, body: OrchestratorQuestions['inUse'][0]) => ({ workflows: (await shards.all<OrchestratorQuestions['inUse'][1]>(body)).flatMap(({ workflows }) => workflows) })],
  ['locks', async (shards, body: Locks[0]) => {
    const items = (await shards.all<Locks[1]>(body)).flatMap(answer => answer.items);
    return { items: items.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, body.limit) };
  }],
  ['logHead', (shards, body: { source: string }) => shards.one(shardIn(body.source, shards.of), body)],
  ['readLog', (shards, body: { source: string }) => shards.one(shardIn(body.source, shards.of), body)],
  ['sqlHeldUntil', (shards, body: { source: string }) => shards.one(shardIn(body.source, shards.of), body)],
]);

function shardIn(source: string, of: number): number {
  const shard = Number(/\/(\d{1,4})$/.exec(source)?.[1] ?? Number.NaN);
  if (!(shard < of)) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no log \`${String(source).slice(0, 64)}\`` });
  return shard;
}
