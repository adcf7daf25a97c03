import type { Findings } from './findings';

/** What an event must have so that anything can be said of it. */
export interface LoggedEvent {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly subject: string;
  readonly tenant: string;
  readonly producer: string;
  readonly sequence: number;
  readonly causationid?: string;
  readonly priorsequence?: number;
  readonly data: unknown;
}

type Kind = 'asked' | 'planDecided' | 'decided' | 'started' | 'undoStarted';
interface Known {
  readonly kind: Kind;
  readonly producer: string;
  readonly sequence: number;
  readonly workflow: string;
  /** `step/generation` of a start, else empty. */
  readonly step: string;
  /** Of decisions: `step/generation` → outcome; null where they were too long for a leaf. */
  readonly outcomes: ReadonlyMap<string, string> | null;
}
/** A cause in another service's log: it may stand before or after, or not be folded yet. */
interface Reference {
  readonly index: number;
  readonly atMs: number;
  readonly cause: string;
  readonly service: 'policy' | 'orchestrator';
  check(cause: Known): string | null;
}

const TYPE: Readonly<Record<string, Kind>> = {
  'aifirst.workflow.policy-asked.v1': 'asked',
  'aifirst.policy.plan-decided.v1': 'planDecided',
  'aifirst.workflow.policy-decided.v1': 'decided',
  'aifirst.workflow.step-started.v1': 'started',
  'aifirst.workflow.step-undo-started.v1': 'undoStarted',
};
const LEAVE: readonly string[] = ['allow', 'modify', 'approve'];
/** A step that failed with one of these may never have been started. */
const NEVER_STARTED: readonly string[] = ['POLICY_DENIED', 'POLICY_ERROR', 'AGENT_SUSPENDED', 'KILL_SWITCH', 'REFERENCE_UNRESOLVED', 'INVALID_INPUT', 'LOCKED', 'DEADLINE_EXCEEDED'];
/** Between clocks of services: a later fact of a service says that its earlier ones are there. */
const CLOCK_SKEW_MS = 250;

/**
 * No effect without a decision and a record made before it: every outcome names its start, every start its decision, every
 * decision the policy service's own, and each of these stands in the log with an earlier number of its producer.
 */
export class CausationCheck {
  readonly #known = new Map<string, Known>();
  readonly #references: Reference[] = [];
  /** The latest time at which each service has said anything. */
  readonly #latest = new Map<string, number>();
  outcomes = 0;
  before = 0;
  pending = 0;

  /** @param complete the log is looked at from its beginning */
  constructor(private readonly findings: Findings, private readonly complete: boolean) {}

  push(index: number, event: LoggedEvent): void {
    const service = event.producer.slice(0, event.producer.indexOf('/'));
    const atMs = Date.parse(event.time);
    if (atMs > (this.#latest.get(service) ?? -Infinity)) this.#latest.set(service, atMs);
    const data = objectOf(event.data);
    const kind = TYPE[event.type];
    if (kind !== undefined) this.#learn(index, event, kind, data);
    const say = (detail: string): void => { this.findings.add('CAUSE_MISSING', index, `${event.type} \`${event.id}\` ${detail}`); };
    const earlier = (id: string | undefined, wanted: Kind, what: string): Known | null => this.#earlier(index, event, data, id, wanted, what);

    switch (event.type) {
      case 'aifirst.policy.plan-decided.v1':
        if (event.causationid === undefined && data['action'] === 'rollback') return;
        this.#refer(index, event, 'orchestrator', cause => (cause.kind === 'asked' && cause.workflow === data['workflow'] ? null : 'names no question of its workflow'));
        return;
      case 'aifirst.workflow.policy-decided.v1': {
        const mine = this.#known.get(event.id)?.outcomes ?? null;
        if (event.causationid !== data['decision']) say('is not caused by the decision that it names');
        this.#refer(index, event, 'policy', cause => (cause.kind !== 'planDecided' || cause.workflow !== data['workflow'] ? 'names no decision of the policy service on its workflow'
          : differs(mine, cause.outcomes) ? 'says other than the policy service\'s decision' : null));
        return;
      }
      case 'aifirst.workflow.step-started.v1': {
        if (event.causationid !== data['decision']) say('is not caused by the decision that it names');
        const decision = earlier(event.causationid, 'decided', 'decision');
        const outcome = decision?.outcomes?.get(stepOf(data));
        if (decision !== null && decision.outcomes !== null && (outcome === undefined || !LEAVE.includes(outcome))) say(`was started although its decision says \`${outcome ?? 'nothing'}\``);
        return;
      }
      case 'aifirst.workflow.step-succeeded.v1':
      case 'aifirst.workflow.step-unknown.v1':
      case 'aifirst.workflow.step-did-not-happen.v1':
        this.outcomes++;
        earlier(event.causationid, 'started', 'start');
        if (event.type !== 'aifirst.workflow.step-did-not-happen.v1') earlier(textOf(data['decision']), 'decided', 'decision');
        return;
      case 'aifirst.workflow.step-failed.v1': {
        this.outcomes++;
        const isStart = this.#known.get(event.causationid ?? '')?.kind === 'started';
        if (isStart || !NEVER_STARTED.includes(textOf(objectOf(data['error'])['code']) ?? '')) earlier(event.causationid, 'started', 'start');
        if (isStart || data['decision'] !== null) earlier(textOf(data['decision']), 'decided', 'decision');
        return;
      }
      case 'aifirst.workflow.step-undo-started.v1': earlier(textOf(data['decision']), 'decided', 'decision'); return;
      case 'aifirst.workflow.step-undone.v1':
      case 'aifirst.workflow.step-undo-unknown.v1':
        this.outcomes++;
        earlier(event.causationid, 'undoStarted', 'start');
        return;
      case 'aifirst.workflow.step-undo-blocked.v1':
      case 'aifirst.workflow.step-undo-skipped.v1':
        this.outcomes++;
        if (data['code'] !== 'IRREVERSIBLE') earlier(event.causationid, 'undoStarted', 'start');
        return;
      case 'aifirst.execution.step-prepared.v1': {
        const wanted: Kind = data['direction'] === 'undo' ? 'undoStarted' : 'started';
        this.#refer(index, event, 'orchestrator', cause => (cause.kind === wanted && cause.workflow === data['workflow'] && cause.step === stepOf(data) ? null : 'was prepared without a start of that step'));
      }
    }
  }

  /** Looks at what could not be judged before everything was read. */
  end(): void {
    for (const { index, atMs, cause, service, check } of this.#references) {
      const found = this.#known.get(cause);
      if (found !== undefined) {
        const wrong = check(found);
        if (wrong !== null) this.findings.add('CAUSE_MISSING', index, `entry ${index} ${wrong}`);
      } else if ((this.#latest.get(service) ?? -Infinity) <= atMs + CLOCK_SKEW_MS) this.pending++;
      else if (!this.complete) this.before++;
      else this.findings.add('CAUSE_MISSING', index, `entry ${index} names \`${cause}\`, which is not in the log`);
    }
  }

  #learn(index: number, event: LoggedEvent, kind: Kind, data: Readonly<Record<string, unknown>>): void {
    if (this.#known.has(event.id)) { this.findings.add('REPEATED', index, `event \`${event.id}\` stands in the log twice`); return; }
    const workflow = textOf(data['workflow']) ?? event.subject;
    const isStart = kind === 'started' || kind === 'undoStarted';
    const decides = kind === 'decided' || kind === 'planDecided';
    const outcomes = decides && Array.isArray(data['decisions'])
      ? new Map(data['decisions'].map(one => [stepOf(objectOf(one)), textOf(objectOf(one)['outcome']) ?? ''])) : null;
    this.#known.set(event.id, { kind, producer: event.producer, sequence: event.sequence, workflow, step: isStart ? stepOf(data) : '', outcomes });
  }

  #earlier(index: number, event: LoggedEvent, data: Readonly<Record<string, unknown>>, id: string | undefined, wanted: Kind, what: string): Known | null {
    const found = id === undefined ? undefined : this.#known.get(id);
    const isIt = found !== undefined && found.kind === wanted && found.producer === event.producer && found.sequence < event.sequence
      && found.workflow === data['workflow'] && (found.step === '' || found.step === stepOf(data));
    if (isIt) return found;
    if (found === undefined && id !== undefined && !this.complete) { this.before++; return null; }
    this.findings.add('CAUSE_MISSING', index, `${event.type} \`${event.id}\` names no ${what} of its step that was recorded before it`);
    return null;
  }

  #refer(index: number, event: LoggedEvent, service: Reference['service'], check: Reference['check']): void {
    const { causationid } = event;
    if (causationid === undefined) this.findings.add('CAUSE_MISSING', index, `${event.type} \`${event.id}\` names no cause`);
    else this.#references.push({ index, atMs: Date.parse(event.time), cause: causationid, service, check: cause => { const wrong = check(cause); return wrong === null ? null : `(${event.type}) ${wrong}`; } });
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const objectOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : {});
const stepOf = (data: Readonly<Record<string, unknown>>): string => `${String(data['step'])}/${String(data['generation'])}`;

/** Does one say of a step what the other does not? */
function differs(mine: ReadonlyMap<string, string> | null, theirs: ReadonlyMap<string, string> | null): boolean {
  return mine !== null && theirs !== null && [...mine].some(([step, outcome]) => theirs.get(step) !== outcome);
}
