import { admitIntent, admitStep, admitTransaction, canonicalDigest, parseStrictJson, withCommitment, type Admission } from '@aifirst/admission';
import { connectionStampOf, pointerToken, sentSteps, TOPICS, type AddedStep, type CapabilityDescriptor, type Intent, type PlannedStep, type PrincipalRef, type StartWorkflow } from '@aifirst/contracts';
import type { Identity, LogWriter } from '@aifirst/identity';
import { OperationalError, Refusal, isObject, type Clock, type Ids, type Json, type JsonObject, type Problem } from '@aifirst/kernel';
import { VersionConflict, type Append, type Log, type StoredRow } from '@aifirst/store';
import type { Vault } from '@aifirst/vault';
import { notImplemented, refuse, refuseField } from '../http/problem';
import type { RunnablePlan } from '../plans/plans';
import type { Claims, Joined } from '../tasks/claims';
import { Recent } from './recent';
import type { Capabilities } from './capabilities';

export interface IntakeOptions {
  readonly identity: Identity;
  readonly writer: LogWriter;
  readonly capabilities: Capabilities;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly ids: Ids;
  /** How long a repeat with the same key is answered as the first was; then the key may be used anew. */
  readonly idempotencyMs: number;
  /** A plan that its principal may run. @throws Refusal NOT_FOUND, WRONG_STATE */
  readonly planOf: (principal: PrincipalRef, id: string) => Promise<RunnablePlan>;
  /** Hears of every intent that was stored, before its caller does. */
  readonly onAccepted: (accepted: AcceptedIntent) => void;
  /** Tasks that intents may be done for. */
  readonly tasks: Pick<Claims, 'parentOf' | 'join'>;
}

export interface AcceptedIntent { readonly start: StartWorkflow; readonly tenant: string; readonly at: string; /** In the gateway's log. */ readonly position: number }

export interface Submission {
  readonly principal: PrincipalRef;
  /** The body as it was sent. */
  readonly raw: Buffer;
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string;
  /** Its key stands for it this long, where that is shorter than keys stand: then the same intent is a new one. */
  readonly repeatWithinMs?: number;
  /** Of an intent by Kafka: the key that signed it. Its `idempotencyKey` is the id by which its agent knows it. Whoever hands it in records a refusal. */
  readonly signedBy?: string;
  /** It begins an interactive transaction. */
  readonly interactive?: boolean;
}
/** An intent that may be stored. `key` is its idempotency key in the log, where it has one. */
export interface AdmittedIntent { readonly submission: Submission; readonly intent: Intent; readonly plan: readonly PlannedStep[]; readonly key: string | undefined; /** It stands for the intent: its steps are known once it is checked. */ readonly from?: RunnablePlan; /** The claim of a task that it is done for. */ readonly joined?: Joined }
/** What is to be stored of an intent, and what to do once it is: at once, before anybody is answered. */
export interface ReadyIntent { readonly append: Append; readonly workflow: string; stored(row: StoredRow): Submitted }
export interface Submitted { readonly intentId: string; readonly workflowId: string; readonly replayed: boolean }

/** What the log keeps of an intent beside the command that holds all else: so nothing of it is stored twice. */
interface IntentState { readonly subjects: readonly string[]; readonly dependsOn: readonly (readonly string[])[] }
/** An intent as it was admitted; sensitive values are sealed in it. */
export interface IntentRecord extends Known { readonly tenant: string; readonly agent: string; readonly intent: Intent }
/** What a repeat is compared with. */
interface Known { readonly id: string; readonly workflow: string; readonly digest: string; readonly createdAt: string }

export const ACCEPTED = 'aifirst.intent.accepted.v1';
export const START_WORKFLOW = 'aifirst.orchestration.start-workflow.v1';

/** Beyond these a caller is asked to come back: what waits in memory must not grow with the callers' impatience. */
const WAITING_MAX = 5_000;
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
const REMEMBERED_MAX = 20_000;
/** How often a key is tried again that was taken and is free again at a second look. */
const KEY_TRIES = 2;
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** Takes intents in: admits, seals, and stores each with its idempotency key, its fact and its command in one row. */
export class IntentIntake {
  private readonly inFlight = new Map<string, Promise<unknown>>();
  private readonly remembered = new Recent<Known>(REMEMBERED_MAX);
  private waiting = 0;
  private waitingBytes = 0;

  constructor(private readonly options: IntakeOptions) {}

  /** How many intents are between admission and the log. */
  depth(): number { return this.waiting; }

  /**
   * @returns when the intent is durable
   * @throws Refusal of admission, TENANT_MISMATCH, IDEMPOTENCY_CONFLICT, OVERLOADED
   */
  submit(submission: Submission): Promise<Submitted> { return this.within(submission.raw.length, () => this.take(submission)); }

  /**
   * A step of an interactive transaction of this principal's, ready to be handed to its owner: judged as one of an intent, sealed.
   * @throws Refusal of admission, OVERLOADED; OperationalError ERASED
   */
  async step({ principal, raw }: Pick<Submission, 'principal' | 'raw'>, workflow: string): Promise<AddedStep> {
    const submission: Submission = { principal, raw, idempotencyKey: undefined, traceparent: '' };
    return this.within(raw.length, async () => {
      const admission = admitStep(this.read(submission), this.context(principal.tenant));
      if (!admission.ok) throw this.refused(submission, ...admission.problems);
      const { step, plan, restsOn } = admission;
      const { steps: [sealed], isSealed } = await this.seal(principal.tenant, workflow, [plan]);
      const { after: _, ...added } = sealed!;
      const digest = isSealed ? await this.options.vault.keyedDigest({ tenant: principal.tenant, workflow }, step as unknown as Json) : canonicalDigest(step);
      return { ...added, digest, restsOn };
    });
  }

  private async within<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.waiting >= WAITING_MAX || this.waitingBytes + bytes > WAITING_BYTES_MAX) throw refuse('OVERLOADED', 'more intents are waiting than can be taken in: send it again later');
    this.waiting++;
    this.waitingBytes += bytes;
    try {
      return await work();
    } finally {
      this.waiting--;
      this.waitingBytes -= bytes;
    }
  }

  /** @returns null where the tenant has no such intent */
  async find(tenant: string, id: string): Promise<IntentRecord | null> {
    const [row] = await this.options.writer.log.readStreams([id]);
    return row === undefined || row.tenant !== tenant || startOf(row) === null ? null : recordOf(row);
  }

  /** Between intents of many, stored together by whoever takes them in: admit, recall, make ready, store. @throws Refusal of admission, TENANT_MISMATCH */
  admit(submission: Submission): AdmittedIntent { return this.admitBody(submission, this.read(submission)); }

  /** For `POST /v1/plans`. @throws as `admit` */
  admitPlan(principal: PrincipalRef, raw: Buffer): Pick<AdmittedIntent, 'intent' | 'plan'> {
    const admitted = this.admit({ principal, raw, idempotencyKey: undefined, traceparent: '' });
    if (admitted.joined !== undefined) throw notImplemented('what is done for a task is handed in at once, without a plan', '/parent');
    return admitted;
  }

  /** An intent that was admitted before, as things are now. */
  admitAgain({ tenant }: PrincipalRef, intent: Intent): { readonly plan: readonly PlannedStep[] } | { readonly problems: readonly [Problem, ...Problem[]] } {
    const admission = this.judge(tenant, intent);
    return admission.ok ? { plan: admission.plan } : { problems: admission.problems };
  }

  private read(submission: Submission): Json {
    const { idempotencyKey } = submission;
    if (idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(idempotencyKey)) throw this.refused(submission, { code: 'INVALID_FIELD', detail: '`Idempotency-Key` is 1 to 255 printable ASCII characters' });
    const parsed = parseStrictJson(submission.raw);
    if (!parsed.ok) throw this.refused(submission, parsed.problem);
    return parsed.value;
  }

  private admitBody(submission: Submission, body: Json): AdmittedIntent {
    const { principal } = submission;
    const admission = submission.interactive === true ? begun(body) : this.judge(principal.tenant, body);
    if (!admission.ok) throw this.refused(submission, ...admission.problems);
    if (admission.tenant !== null && admission.tenant !== principal.tenant) throw refuseField('/tenant', 'the credential decides the tenant', 'TENANT_MISMATCH');
    const joined = admission.parent === null ? undefined : this.options.tasks.parentOf(principal, admission.parent);
    return { submission, intent: admission.intent, plan: admission.plan, key: keyOf(submission, joined), ...(joined === undefined ? {} : { joined }) };
  }

  private judge(tenant: string, body: unknown): Admission { return admitIntent(body, this.context(tenant)); }

  private context(tenant: string): Parameters<typeof admitIntent>[1] {
    const { capabilities, identity } = this.options;
    // Why not a refusal: there may well be capabilities of these names.
    if (!this.isReady()) throw new OperationalError('CAPABILITIES_UNKNOWN', 'the adapters have not said yet what they can do: try again', { retryable: true });
    return { capabilities: name => capabilities.find(name), connections: name => identity.connections.find(tenant, name)?.data };
  }

  /** `{ planId }`, which stands for the intent that was planned. */
  private async fromPlan(submission: Submission, { planId, tenant, ...rest }: JsonObject): Promise<AdmittedIntent> {
    const { principal } = submission;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw this.refused(submission, { code: 'UNKNOWN_FIELD', pointer: `/${pointerToken(unknown.slice(0, 64))}`, detail: 'a plan holds its whole intent: send `planId` alone' });
    if (typeof planId !== 'string') throw this.refused(submission, { code: 'INVALID_FIELD', pointer: '/planId', detail: 'is the id of a plan' });
    if (tenant !== undefined && tenant !== principal.tenant) throw refuseField('/tenant', 'the credential decides the tenant', 'TENANT_MISMATCH');
    const from = await this.options.planOf(principal, planId);
    return { submission, intent: from.intent, plan: [], key: keyOf(submission), from };
  }

  /**
   * What was stored under its key before. Without `log` only what is remembered is looked at.
   * @returns null where there is nothing any more, and the key is free
   * @throws Refusal IDEMPOTENCY_CONFLICT
   */
  async recall(admitted: AdmittedIntent, log?: Log): Promise<Submitted | null> {
    const { key, submission: { principal }, intent } = admitted;
    if (key === undefined) return null;
    const remembered = this.remembered.get(key);
    if (remembered !== undefined && this.holds(remembered, admitted)) return this.repeated(remembered, principal, intent);
    const [row] = log === undefined ? [] : await log.readKeys([key]);
    // Why: there may be none, where retention has just removed it.
    if (row === undefined || log === undefined) return null;
    const known = recordOf(row);
    if (this.holds(known, admitted)) {
      this.remembered.set(key, { id: known.id, workflow: known.workflow, digest: known.digest, createdAt: known.createdAt });
      return this.repeated(known, principal, intent);
    }
    await log.releaseKeys([key], row.position);
    return null;
  }

  /** Whether intents can be judged: until the adapters have said what they can do, none would be admitted. */
  isReady(): boolean { return this.options.capabilities.isLoaded(); }

  /** Sends the very same commands again, of intents that were stored here: the bus may have lost them. */
  async sendAgain(intents: readonly string[]): Promise<void> {
    const { writer } = this.options;
    const rows = await writer.log.readStreams(intents);
    await Promise.all(intents.map(async intent => {
      const append = againOf(rows.filter(row => row.stream === intent));
      if (append === null) return;
      await writer.append(append).catch((error: unknown) => { if (!(error instanceof VersionConflict)) throw error; });
    }));
  }

  private async take(submission: Submission): Promise<Submitted> {
    const body = this.read(submission);
    const admitted = isObject(body) && body['planId'] !== undefined && submission.interactive !== true ? await this.fromPlan(submission, body) : this.admitBody(submission, body);
    return admitted.key === undefined ? this.store(await checked(admitted)) : this.storeOnce(admitted.key, admitted);
  }

  /** A repeat waits for the first: then it is known, or it was refused and this one is the first. */
  private async storeOnce(key: string, admitted: AdmittedIntent): Promise<Submitted> {
    for (let first = this.inFlight.get(key); first !== undefined; first = this.inFlight.get(key)) await first.catch(() => {});
    const known = this.remembered.get(key);
    if (known !== undefined && this.holds(known, admitted)) return this.repeated(known, admitted.submission.principal, admitted.intent);
    // Why all of it: who waits for one that has failed already would never let it go on.
    const whole = this.storeOrRecall(admitted);
    this.inFlight.set(key, whole);
    try {
      return await whole;
    } finally {
      this.inFlight.delete(key);
    }
  }

  private async storeOrRecall(given: AdmittedIntent): Promise<Submitted> {
    // Why before the plan is held against what is now: what has been run has changed its target itself.
    const known = given.from === undefined ? null : await this.recall(given, this.options.writer.log);
    if (known !== null) return known;
    const admitted = await checked(given);
    for (let tries = KEY_TRIES; ; tries--) {
      try {
        return await this.store(admitted);
      } catch (error) {
        if (!(error instanceof VersionConflict) || tries === 0) throw error;
      }
      const submitted = await this.recall(admitted, this.options.writer.log);
      if (submitted !== null) return submitted;
    }
  }

  private holds({ createdAt }: Known, { submission: { repeatWithinMs = Infinity } }: Pick<AdmittedIntent, 'submission'>): boolean {
    return Date.parse(createdAt) + Math.min(this.options.idempotencyMs, repeatWithinMs) > this.options.clock.now();
  }

  private async repeated(known: Known, { tenant }: PrincipalRef, intent: Intent): Promise<Submitted> {
    if (await this.digestLike(known, tenant, intent) === known.digest) return { intentId: known.id, workflowId: known.workflow, replayed: true };
    throw refuse('IDEMPOTENCY_CONFLICT', 'another intent was sent with this `Idempotency-Key` before', { intentId: known.id, workflowId: known.workflow });
  }

  /** The digest of an intent, made as the known one's was: keyed if that one held sensitive values. */
  private async digestLike({ digest, workflow }: Known, tenant: string, intent: Intent): Promise<string | null> {
    if (digest.startsWith('sha256:')) return canonicalDigest(intent);
    // Why: once the key is erased nothing can be told from the digest any more, so no repeat can be known for one.
    return this.options.vault.keyedDigest({ tenant, workflow }, intent as unknown as Json).catch((error: { code?: string }) => {
      if (error.code === 'ERASED') return null;
      throw error;
    });
  }

  private async store(admitted: AdmittedIntent): Promise<Submitted> {
    const ready = await this.ready(admitted);
    return ready.stored(await (admitted.joined === undefined ? this.options.writer.append(ready.append) : this.storeJoined(admitted.joined, ready)));
  }

  /** With the task, in one unit: it knows of every workflow that was ever begun for it. */
  private storeJoined(joined: Joined, { append, workflow }: ReadyIntent): Promise<StoredRow> {
    const { tasks, writer } = this.options;
    return tasks.join(joined, workflow, async documents => (await writer.commit({ documents, appends: [append] }))[0]!);
  }

  /** As `submit` stores one, for intents of many: those that are done for a task are stored one by one, before the others. @throws VersionConflict, Refusal WRONG_STATE */
  async storeAlone({ joined }: AdmittedIntent, ready: ReadyIntent): Promise<Submitted> { return ready.stored(await this.storeJoined(joined!, ready)); }

  /** Seals an intent and gives it its ids. */
  async ready({ submission, intent, plan, key, from, joined }: AdmittedIntent): Promise<ReadyIntent> {
    const { ids, clock, vault, onAccepted } = this.options;
    const { principal, signedBy, idempotencyKey } = submission;
    const [id, workflow] = [ids.uuid(), ids.uuid()];
    const { tenant } = principal;
    const { steps, isSealed } = await this.seal(tenant, workflow, plan);
    const digest = isSealed ? await vault.keyedDigest({ tenant, workflow }, intent as unknown as Json) : canonicalDigest(intent);
    const start: StartWorkflow = {
      workflow, intent: id, ...(signedBy === undefined || idempotencyKey === undefined ? {} : { intentKnownAs: idempotencyKey }), agent: principal, goal: intent.goal, mode: intent.mode, onFailure: intent.onFailure,
      deadlineMs: intent.deadlineMs, labels: intent.labels, digest, steps: withCommitment(steps, name => this.options.capabilities.find(name)), ...(intent.interactive === undefined ? {} : { interactive: intent.interactive }), ...(joined === undefined ? {} : { parent: joined.parent }),
    };
    const at = new Date(clock.now()).toISOString();
    const state: IntentState = { subjects: intent.subjects, dependsOn: intent.steps.map(step => step.dependsOn) };
    return {
      workflow, append: this.appendOf(id, start, state, at, submission, key, from?.planId),
      stored: ({ position }) => {
        if (key !== undefined) this.remembered.set(key, { id, workflow, digest, createdAt: at });
        onAccepted({ start, tenant, at, position });
        return { intentId: id, workflowId: workflow, replayed: false };
      },
    };
  }

  private appendOf(id: string, start: StartWorkflow, state: IntentState, time: string, { traceparent, signedBy }: Submission, key: string | undefined, planId: string | undefined): Append {
    const { agent: { tenant, id: agent }, intentKnownAs, parent } = start;
    // Why: both ids are new, and each message of the gateway needs one; so no others are made.
    const [fact, command] = [id, start.workflow];
    const bySignature = signedBy === undefined ? {} : { id: intentKnownAs ?? id, source: agent, kid: signedBy };
    return {
      tenant, stream: id, version: 1, ...(key === undefined ? {} : { key }), state: state as unknown as JsonObject,
      messages: [
        { topic: TOPICS.intentEvents, key: agent, id: fact, type: ACCEPTED, time, subject: id, tenant, traceparent, intentid: intentKnownAs ?? id, intentsource: agent,
          data: { workflowId: start.workflow, intentId: id, agent, digest: start.digest, steps: sentSteps(start.steps).length, ...(planId === undefined ? {} : { planId }), ...(parent === undefined ? {} : { parent: { workflow: parent.workflow, step: parent.step, task: parent.task } }), ...bySignature } },
        { topic: TOPICS.workflowCommands, key: start.workflow, id: command, type: START_WORKFLOW, time, subject: start.workflow, tenant, causationid: fact, traceparent,
          data: start as unknown as JsonObject },
      ],
    };
  }

  /** Seals what schemas mark as sensitive, and says what each step's target is called in lock names. */
  async seal(tenant: string, workflow: string, plan: readonly PlannedStep[]): Promise<{ steps: readonly PlannedStep[]; isSealed: boolean }> {
    const { vault, capabilities, identity } = this.options;
    let isSealed = false;
    const steps: PlannedStep[] = [];
    for (const step of plan) {
      const capability = capabilities.find(step.capability);
      const input = capability !== undefined && hasSensitive(capability) ? await vault.sealFields({ tenant, workflow }, capability.inputSchema, step.input) as JsonObject : step.input;
      isSealed ||= input !== step.input;
      const connection = step.connection === null ? null : identity.connections.find(tenant, step.connection);
      if (connection === null) { steps.push(input === step.input ? step : { ...step, input }); continue; }
      const { revision, data: { lockBase, digest, labels } } = connection;
      const environment = labels['env'] ?? labels['environment'];
      steps.push({ ...step, input, connectionStamp: connectionStampOf({ revision, digest }), ...(lockBase === null ? {} : { lockBase }), ...(environment === undefined ? {} : { environment }) });
    }
    return { steps, isSealed };
  }

  private refused({ principal: { tenant, id }, signedBy }: Submission, ...problems: readonly [Problem, ...Problem[]]): Refusal {
    const [{ code, pointer, detail }] = problems;
    if (signedBy === undefined) this.options.identity.refusals.record({ kind: 'intent', tenant, source: id, code, detail: pointer === undefined ? detail : `${pointer}: ${detail}` });
    return new Refusal(problems);
  }
}

function begun(body: Json): Admission {
  const admission = admitTransaction(body);
  return admission.ok ? { ...admission, plan: [] } : admission;
}

/** Its steps, where they come from a plan: as that holds now. @throws Refusal PLAN_STALE */
async function checked(admitted: AdmittedIntent): Promise<AdmittedIntent> {
  return admitted.from === undefined ? admitted : { ...admitted, plan: await admitted.from.check() };
}

/** Of a task each claim has keys of its own, as what was taken back must not answer for what is done anew. A tab is in no key that a caller sends. */
const keyOf = ({ principal, idempotencyKey }: Submission, joined?: Joined): string | undefined =>
  (idempotencyKey === undefined ? undefined : `${principal.tenant}/${principal.id}/${joined === undefined ? '' : `${joined.task}\t${joined.claim}\t`}${idempotencyKey}`);

/** The intent that a row of the gateway's log holds. */
export function recordOf(row: StoredRow): IntentRecord {
  const { start, at } = startOf(row)!;
  const { subjects, dependsOn } = row.state as unknown as IntentState;
  const { goal, mode, onFailure, deadlineMs, labels, interactive } = start;
  return {
    id: row.stream, workflow: start.workflow, digest: start.digest, tenant: row.tenant, agent: start.agent.id, createdAt: at,
    intent: {
      goal, mode, onFailure, deadlineMs, labels, subjects, ...(interactive === undefined ? {} : { interactive }),
      steps: sentSteps(start.steps).map(({ id, capability, input, timeoutMs, attemptsMax }, index) => ({ id, capability, input, dependsOn: dependsOn[index]!, timeoutMs, retry: { attemptsMax } })),
    },
  };
}

/** What starts the workflow of an intent's row, or null where the row is of something else. */
export function startOf(row: StoredRow): AcceptedIntent | null {
  const command = row.messages.find(({ event }) => event.type === START_WORKFLOW);
  return command === undefined ? null : { start: command.event.data as unknown as StartWorkflow, tenant: row.tenant, at: command.event.time, position: row.position };
}

/** What sends an intent's command again, as it was, from the rows of its stream. null: they are not an intent's. */
export function againOf(rows: readonly StoredRow[]): Append | null {
  const [first] = rows;
  const command = first?.messages.find(({ event }) => event.type === START_WORKFLOW);
  if (first === undefined || command === undefined) return null;
  const { id, type, time, subject, tenant, causationid, traceparent, data } = command.event;
  return { tenant: first.tenant, stream: first.stream, version: rows.at(-1)!.version + 1, messages: [{ topic: command.topic, key: command.key, id, type, time, subject, tenant, causationid, traceparent, data }] };
}

const sensitive = new WeakMap<CapabilityDescriptor, boolean>();
function hasSensitive(capability: CapabilityDescriptor): boolean {
  let found = sensitive.get(capability);
  if (found === undefined) { found = JSON.stringify(capability.inputSchema).includes('"x-sensitive"'); sensitive.set(capability, found); }
  return found;
}
