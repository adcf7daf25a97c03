import { createHash } from 'node:crypto';
import { INTENT_TOPICS, type Draft } from '@aifirst/contracts';
import { SYSTEM_TENANT, type AgentEntry, type Identity, type LogWriter } from '@aifirst/identity';
import { OperationalError, Refusal, messageOf, type Clock, type Ids, type Problem } from '@aifirst/kernel';
import { isLogGone, VersionConflict, type Append, type DocumentPut, type Positions } from '@aifirst/store';
import type { GatewayLogger } from '../http/edge';
import { traceparentOf } from '../http/traceparent';
import type { AdmittedIntent, IntentIntake, ReadyIntent } from '../intake/intent-intake';
import { acceptedAgain, refusedIntent, unreadableRecord } from './answers';
import { sourceOf, type NewRecord, type RawConsumer, type RawRecord, type RawTopics } from './raw-topic';
import { prepareIntentTopics, type NewIntentTopics } from './topic-settings';
import { verifyRecord, type VerifiedIntent, type Verdict } from './verify-record';

/** What became of a record; for metrics and spans. */
export interface IntentOutcome {
  readonly outcome: 'accepted' | 'replayed' | 'refused' | 'unreadable';
  /** null where it was accepted. Codes are ours: a set of few. */
  readonly code: string | null;
  /** Its own span in the producer's trace, and the producer's; absent where it was unreadable. */
  readonly trace?: { readonly own: string; readonly parent: string | undefined };
  /** Milliseconds between the broker's append and the commit. */
  readonly waitedMs: number;
}

export interface IntentTopicOptions {
  readonly topics: RawTopics;
  /** The name that signatures are for. */
  readonly deployment: string;
  /** How far `time` may lie from the append time. Default 300,000. */
  readonly freshnessMs?: number;
  /** Absent: topics that are missing are not made, and the start refuses. */
  readonly create?: NewIntentTopics;
  /** Told of every record once its effect is stored. Must not throw. */
  readonly onOutcome?: (outcome: IntentOutcome) => void;
  /** Nothing is taken in any more: the log has another writer. Must not throw. */
  readonly onEnded?: (error: unknown) => void;
}
export interface IntentTopicParts {
  readonly intake: IntentIntake;
  readonly identity: Identity;
  readonly writer: LogWriter;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: GatewayLogger;
  /** How long ids are remembered. */
  readonly idempotencyMs: number;
}

export const INTENTS_GROUP = 'gateway.intents';
const FRESHNESS_MS = 300_000;
/** Signatures being verified at once: they run on the thread pool, which has four threads. */
const VERIFIED_AT_ONCE = 16;
const RECORDS_MAX = 500;
/** How often a commit is tried again whose keys turned out to be taken. */
const CONFLICTS_MAX = 5;

/** A record on its way: what it is, and what is to be said of it. */
interface Item { readonly record: RawRecord; readonly verdict: Verdict; readonly traceparent: string }
interface Waiting { readonly item: Item; readonly verdict: VerifiedIntent; readonly admitted: AdmittedIntent; ready: ReadyIntent | null }
interface Answered { readonly told: Told[]; readonly answers: Draft[] }
interface Sorted extends Answered { readonly lost: NewRecord[]; readonly waiting: Waiting[] }
interface Told { readonly item: Item; readonly outcome: IntentOutcome['outcome']; readonly code: string | null }

/**
 * Takes in what agents publish. A batch's intents, its answers and its positions are stored in one commit, so that each
 * record takes effect once; what can't be read is on its own topic before. Nothing waits behind a bad record.
 */
export class IntentTopicIntake {
  private consumer: RawConsumer | null = null;
  private readonly freshnessMs: number;

  constructor(private readonly options: IntentTopicOptions, private readonly parts: IntentTopicParts) { this.freshnessMs = options.freshnessMs ?? FRESHNESS_MS; }

  /** @throws OperationalError INTENT_TOPIC_MISSING, INTENT_TOPIC_UNFIT, and (retryable) when the broker does not answer */
  async start(): Promise<void> {
    const { topics, create, onEnded } = this.options;
    const { logger } = this.parts;
    const { partitions } = await prepareIntentTopics(topics, { freshnessMs: this.freshnessMs, idempotencyMs: this.parts.idempotencyMs }, create);
    logger.info('intents are taken in from Kafka', { topic: INTENT_TOPICS.submitted, partitions });
    this.consumer = await topics.subscribe({
      topic: INTENT_TOPICS.submitted, group: INTENTS_GROUP, from: () => this.parts.writer.log.positions(), handle: (records, positions) => this.handle(records, positions), recordsMax: RECORDS_MAX,
      onLost: (source, position, low) => { logger.error('intents were gone before they were read: the topic kept them too briefly', { source, position, low }); },
      onReplaced: (source, position) => { logger.error('the topic of intents is not the one that was read before: it is read from its beginning', { source, position }); },
      onRetrying: (error, delayMs) => { logger.warn('intents are taken in again after a pause', { error: messageOf(error), delayMs }); },
      onEnded: error => { logger.error('no more intents are taken in', { error: messageOf(error) }); onEnded?.(error); },
    });
  }

  /** Records known to wait. */
  lag(): number { return this.consumer?.lag() ?? 0; }

  /** Why it takes nothing in now, or null: for readiness. */
  trouble(): string | null { return this.consumer === null ? 'is not started' : this.consumer.trouble(); }

  /** Resolves when nothing is being taken in any more. Leaves the topics to whoever opened them. */
  async stop(): Promise<void> { await this.consumer?.stop(); }

  private async handle(records: readonly RawRecord[], positions: Positions): Promise<void> {
    const { intake } = this.parts;
    // Why: refusing what the adapters would have taken is worse than waiting until they say so.
    if (!intake.isReady()) throw new OperationalError('CAPABILITIES_UNKNOWN', 'the adapters have not said yet what they can do', { retryable: true });
    const items = await this.verified(records);
    const told: Told[] = [];
    const answers: Draft[] = [];
    const lost: NewRecord[] = [];
    const waiting: Waiting[] = [];
    for (const item of items) this.sort(item, { told, answers, lost, waiting });
    // Why first: the positions must not move past what is told of nowhere; it may be told of twice.
    if (lost.length > 0) await this.options.topics.produce(INTENT_TOPICS.unreadable, lost);
    const uses = this.parts.identity.keyUses.note(waiting.map(({ verdict: { agent, kid }, item }) => ({ tenant: agent.tenant, agent: agent.id, kid, atMs: item.record.timestamp })));
    for (let open: readonly Waiting[] = waiting, round = 0; round === 0 || open.length > 0; round++) {
      const [firsts, repeats] = apart(await this.withoutRepeats(open, { told, answers }, round > 0));
      const isLast = repeats.length === 0;
      await this.store(firsts, isLast ? answers : [], isLast ? { positions, documents: uses } : {}, told);
      open = repeats;
    }
    this.tell(told);
  }

  private async verified(records: readonly RawRecord[]): Promise<readonly Item[]> {
    const { identity, ids } = this.parts;
    const options = { findAgent: (id: string) => identity.principals.find(id), deployment: this.options.deployment, freshnessMs: this.freshnessMs };
    const items = new Array<Item>(records.length);
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < records.length; index = next++) {
        const record = records[index]!;
        const verdict = await verifyRecord(record, options).catch((error: unknown): Verdict => {
          this.logged(record, error);
          return { kind: 'unreadable', code: 'INTERNAL', reason: 'something went wrong here; the log has it under the place of the record' };
        });
        items[index] = { record, verdict, traceparent: traceparentOf(verdict.kind === 'unreadable' ? undefined : verdict.traceparent, ids) };
      }
    };
    await Promise.all(Array.from({ length: Math.min(VERIFIED_AT_ONCE, records.length) }, worker));
    return items;
  }

  private sort(item: Item, into: Sorted): void {
    const { verdict, record } = item;
    const { refusals } = this.parts.identity;
    if (verdict.kind === 'unreadable') {
      into.lost.push(unreadableRecord(record, verdict, digestOf(record.value)));
      into.told.push({ item, outcome: 'unreadable', code: verdict.code });
      refusals.record({ kind: 'credential', tenant: SYSTEM_TENANT, source: sourceOf(record.topic, record.partition), code: 'UNREADABLE', detail: `${verdict.code}: ${verdict.reason}` });
    } else if (verdict.kind === 'refused' && verdict.agent === null) {
      into.told.push({ item, outcome: 'refused', code: verdict.code });
      refusals.record({ kind: 'credential', tenant: SYSTEM_TENANT, source: verdict.source.slice(0, SOURCE_CHARS_MAX), code: verdict.code, detail: record.topic });
    } else if (verdict.kind === 'refused') {
      this.refuse(item, verdict.agent!, verdict.id, [verdict], into);
    } else {
      this.admit(item, verdict, into);
    }
  }

  private admit(item: Item, verdict: VerifiedIntent, into: Sorted): void {
    const { agent, id, kid, data } = verdict;
    try {
      const admitted = this.parts.intake.admit({ principal: { kind: 'agent', id: agent.id, tenant: agent.tenant }, raw: data, idempotencyKey: id, traceparent: item.traceparent, signedBy: kid });
      into.waiting.push({ item, verdict, admitted, ready: null });
    } catch (error) {
      this.refuse(item, agent, id, this.problemsOf(error, item), into);
    }
  }

  /** Stores intents whose keys are all different; what turns out to be a repeat is answered as the first was. */
  private async store(intents: readonly Waiting[], answers: Draft[], last: { readonly positions?: Positions; readonly documents?: readonly DocumentPut[] }, told: Told[]): Promise<void> {
    const { writer } = this.parts;
    const replies = [...answers];
    let open = intents;
    for (let tries = CONFLICTS_MAX; ; tries--) {
      open = await this.withoutJoined(await this.madeReady(open, { told, answers: replies }), { told, answers: replies });
      const appends: Append[] = [...open.map(({ ready }) => ready!.append), ...replies.map(reply => this.rowOf(reply))];
      if (appends.length === 0 && last.positions === undefined) return;
      try {
        const rows = await writer.commit({ appends, ...last });
        open.forEach(({ ready, item }, index) => {
          ready!.stored(rows[index]!);
          told.push({ item, outcome: 'accepted', code: null });
        });
        return;
      } catch (error) {
        if (!(error instanceof VersionConflict) || tries === 0) throw error;
      }
      open = await this.withoutRepeats(open, { told, answers: replies }, true);
    }
  }

  /** Stores those that are done for a task, each with its task, and gives back the others. What was stored before a crash is a repeat after it. */
  private async withoutJoined(intents: readonly Waiting[], into: Answered): Promise<readonly Waiting[]> {
    const others: Waiting[] = [];
    for (const one of intents) {
      const { item, verdict: { agent, id }, admitted, ready } = one;
      if (admitted.joined === undefined) { others.push(one); continue; }
      for (let tries = CONFLICTS_MAX; ; tries--) {
        try {
          await this.parts.intake.storeAlone(admitted, ready!);
          into.told.push({ item, outcome: 'accepted', code: null });
          break;
        } catch (error) {
          if (!(error instanceof VersionConflict) || tries === 0) { this.refuse(item, agent, id, this.problemsOf(error, item), into); break; }
        }
        if ((await this.withoutRepeats([one], into, true)).length === 0) break;
      }
    }
    return others;
  }

  private async madeReady(intents: readonly Waiting[], into: Answered): Promise<readonly Waiting[]> {
    const made: Waiting[] = [];
    for (const one of intents) {
      const { item, verdict: { agent, id } } = one;
      try {
        one.ready ??= await this.parts.intake.ready(one.admitted);
        made.push(one);
      } catch (error) {
        this.refuse(item, agent, id, this.problemsOf(error, item), into);
      }
    }
    return made;
  }

  /** @param asLogged ask the log too, not only what is remembered */
  private async withoutRepeats(intents: readonly Waiting[], into: Answered, asLogged: boolean): Promise<readonly Waiting[]> {
    const left: Waiting[] = [];
    for (const one of intents) {
      const { item, verdict: { agent, id, kid }, admitted } = one;
      try {
        const known = await this.parts.intake.recall(admitted, asLogged ? this.parts.writer.log : undefined);
        if (known === null) { left.push(one); continue; }
        into.answers.push(acceptedAgain(this.envelope(item, agent, id), known, kid));
        into.told.push({ item, outcome: 'replayed', code: null });
      } catch (error) {
        this.refuse(item, agent, id, this.problemsOf(error, item), into);
      }
    }
    return left;
  }

  private refuse(item: Item, agent: AgentEntry, id: string | null, problems: readonly [Problem, ...Problem[]], into: Answered): void {
    into.answers.push(refusedIntent(this.envelope(item, agent, id), problems));
    into.told.push({ item, outcome: 'refused', code: problems[0].code });
  }

  /** A refusal's own. Anything but that and what passes by itself is a fault of ours, which must not hold up the rest. */
  private problemsOf(error: unknown, { record }: Item): readonly [Problem, ...Problem[]] {
    if (error instanceof Refusal) return error.problems;
    if (error instanceof OperationalError && (error.retryable || isLogGone(error))) throw error;
    return [{ code: 'INTERNAL', detail: `something went wrong here; the log has it under \`${this.logged(record, error)}\`` }];
  }

  /** @returns the name under which the log has it */
  private logged({ topic, partition, offset }: RawRecord, error: unknown): string {
    const place = `${topic}/${partition}/${offset}`;
    this.parts.logger.error('a record could not be judged', { record: place, error: error instanceof Error ? error.stack : String(error) });
    return place;
  }

  private envelope({ traceparent }: Item, agent: AgentEntry, id: string | null) {
    const { clock, ids } = this.parts;
    return { eventId: ids.uuid(), time: new Date(clock.now()).toISOString(), traceparent, agent, id };
  }

  private rowOf(answer: Draft): Append { return { tenant: answer.tenant, stream: this.parts.ids.uuid(), version: 1, messages: [answer] }; }

  private tell(told: readonly Told[]): void {
    const { onOutcome } = this.options;
    if (onOutcome === undefined) return;
    const now = this.parts.clock.now();
    for (const { item: { record, verdict, traceparent }, outcome, code } of told) {
      const trace = verdict.kind === 'unreadable' ? {} : { trace: { own: traceparent, parent: verdict.traceparent } };
      onOutcome({ outcome, code, waitedMs: Math.max(0, now - record.timestamp), ...trace });
    }
  }
}

const SOURCE_CHARS_MAX = 100;

const digestOf = (value: Buffer | null): string => `sha256:${createHash('sha256').update(value ?? '').digest('hex')}`;

/** The first of each key, and those that come after one of the same: they are compared with what will then be stored. */
function apart(waiting: readonly Waiting[]): [Waiting[], Waiting[]] {
  const keys = new Set<string>();
  const [firsts, repeats]: [Waiting[], Waiting[]] = [[], []];
  for (const one of waiting) {
    const key = one.admitted.key!;
    (keys.has(key) ? repeats : firsts).push(one);
    keys.add(key);
  }
  return [firsts, repeats];
}
