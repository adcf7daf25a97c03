import type { AuditedEvent } from './audit-log';

const OUTCOMES = ['step-succeeded', 'step-failed', 'step-unknown', 'step-did-not-happen', 'step-undone', 'step-undo-blocked', 'step-undo-skipped'].map(name => `aifirst.workflow.${name}.v1`);
const STARTED = 'aifirst.workflow.step-started.v1';
const UNDO_STARTED = 'aifirst.workflow.step-undo-started.v1';
const DECIDED = 'aifirst.workflow.policy-decided.v1';

/**
 * What contradicts "no effect without a decision and a durable record before it", as lines; none is as it should be.
 * Followed is `causationid`; within one producer an effect must have the higher number.
 */
export function causalityFaults(events: readonly AuditedEvent[]): string[] {
  const byId = new Map(events.map(event => [event.id, event]));
  const started = new Set(events.filter(({ type }) => type === STARTED).map(keyOf));
  return events.filter(({ type }) => OUTCOMES.includes(type)).flatMap(outcome => faultsOf(outcome, byId, started));
}

const keyOf = ({ subject, data }: AuditedEvent): string => `${subject}/${data.step}/${data.generation}`;

function faultsOf(outcome: AuditedEvent, byId: ReadonlyMap<string, AuditedEvent>, started: ReadonlySet<string>): string[] {
  const isUndo = outcome.type.includes('undo') || outcome.type.includes('undone');
  const say = (what: string): string => `${outcome.type} of step \`${outcome.data.step}\` in ${outcome.subject} (${outcome.producer} ${outcome.sequence}) ${what}`;
  const { ancestors, faults } = ancestorsOf(outcome, byId);
  const start = ancestors.find(event => event.type === (isUndo ? UNDO_STARTED : STARTED) && keyOf(event) === keyOf(outcome));
  const found = faults.map(say);
  if (start === undefined) {
    // Why: what failed before it was started (denied, or its reference leads nowhere) has no start, and may have none.
    const neverStarted = outcome.type.includes('step-failed') && outcome.data.error?.clean === true && !started.has(keyOf(outcome));
    if (!neverStarted) found.push(say('does not rest on the start of that step'));
    return found;
  }
  const decision = ancestors.find(({ type }) => type === DECIDED);
  if (decision === undefined) found.push(say('does not rest on a decision'));
  else if (decision.producer === start.producer && decision.sequence >= start.sequence) found.push(say(`has its decision (${decision.sequence}) after its start (${start.sequence})`));
  return found;
}

function ancestorsOf(event: AuditedEvent, byId: ReadonlyMap<string, AuditedEvent>): { ancestors: AuditedEvent[]; faults: string[] } {
  const ancestors: AuditedEvent[] = [];
  const faults: string[] = [];
  // Why no further than the decision: it was asked for by a command, and commands are no facts.
  for (let at = event; at.causationid !== undefined && at.type !== DECIDED && ancestors.length < 10_000;) {
    const cause = byId.get(at.causationid);
    if (cause === undefined) { faults.push(`names a cause that is nowhere: ${at.type} names ${at.causationid}`); break; }
    if (cause.producer === at.producer && cause.sequence >= at.sequence) faults.push(`comes before its cause: ${at.type} ${at.sequence} before ${cause.type} ${cause.sequence}`);
    ancestors.push(cause);
    at = cause;
  }
  return { ancestors, faults };
}

/** Numbers that are missing or stand twice, per producer, as lines. @param events of all tenants, the system's too */
export function sequenceFaults(events: readonly AuditedEvent[]): string[] {
  const byProducer = new Map<string, number[]>();
  for (const { producer, sequence } of events) {
    const known = byProducer.get(producer);
    if (known === undefined) byProducer.set(producer, [sequence]); else known.push(sequence);
  }
  return [...byProducer].flatMap(([producer, sequences]) => sequences.sort((a, b) => a - b).flatMap((sequence, at) => (sequence === at + 1 ? [] : [`${producer}: ${sequence} stands where ${at + 1} should`])).slice(0, 3));
}
