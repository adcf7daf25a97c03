import type { CloudEvent, Message } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { canonicalJson } from '../domain/canonical-json';
import { aFact, workflowFacts } from '../testing/facts';
import { Findings, type Verification } from './findings';
import { LogCheck } from './log-check';

const WORKFLOW = '01980000-0000-7000-8000-000000000001';
const facts = (): CloudEvent[] => workflowFacts(WORKFLOW, { gateway: 0, orchestrator: 0, policy: 0, adapter: 0 }).map(({ event }) => structuredClone(event));
const named = (name: string) => (event: CloudEvent): boolean => event.type === `aifirst.${name}.v1`;
/** Later facts of every service, so that nothing that is missing can still come. */
const later = (events: readonly CloudEvent[]): CloudEvent[] => ['orchestrator/0', 'policy/0', 'adapter-os/0'].map(producer =>
  aFact({ producer, sequence: Math.max(0, ...events.filter(event => event.producer === producer).map(({ sequence }) => sequence!)) + 1, time: '2030-01-01T00:00:00.000Z' }).event);

/** Each producer numbers what is left of its facts anew, as if nothing else had ever been. */
function judged(events: readonly CloudEvent[], options: { first?: number; end?: readonly CloudEvent[] } = {}): Verification {
  const numbers: Record<string, number> = {};
  const renumbered = [...events, ...(options.end ?? later(events))].map(event => ({ ...event, sequence: numbers[event.producer] = (numbers[event.producer] ?? 0) + 1 }));
  const findings = new Findings();
  const check = new LogCheck(findings, options.first ?? 0, 'default');
  for (const event of renumbered) check.push(canonicalJson(event as unknown as JsonObject));
  check.causation.end();
  return findings.verification({ origin: null, first: 0, entries: check.entries, size: 0, root: null, checkpoints: 0, vkey: null, keyPinned: false, producers: check.producers, outcomes: check.causation.outcomes, causesBefore: check.causation.before, causesPending: check.causation.pending });
}
const without = (events: CloudEvent[], is: (event: CloudEvent) => boolean): CloudEvent[] => events.filter(event => !is(event));
const changed = (name: string, change: (event: { -readonly [K in keyof CloudEvent]: CloudEvent[K] } & { data: Record<string, unknown> }) => void): CloudEvent[] => {
  const events = facts();
  change(events.find(named(name)) as never);
  return events;
};

describe('the check of causes', () => {
  it('finds nothing wrong with a workflow that went well', () => {
    expect(judged(facts())).toMatchObject({ ok: true, summary: { outcomes: 3, causesBefore: 0, causesPending: 0 } });
  });

  it.each<readonly [string, string, () => CloudEvent[]]>([
    ['an act and an outcome whose start was never recorded', 'execution.step-prepared', () => without(facts(), named('workflow.step-started'))],
    ['a start whose decision was never recorded', 'workflow.step-started', () => without(facts(), named('workflow.policy-decided'))],
    ['a decision that policy never made', 'workflow.policy-decided', () => without(facts(), named('policy.plan-decided'))],
    ['a decision that nobody asked for', 'policy.plan-decided', () => without(facts(), named('workflow.policy-asked'))],
    ['an outcome that names no start', 'workflow.step-succeeded', () => changed('workflow.step-succeeded', event => { delete (event as { causationid?: string }).causationid; })],
    ['an outcome that names a start of another step', 'workflow.step-succeeded', () => changed('workflow.step-succeeded', event => { event.data = { ...event.data, step: 'z' }; })],
    ['an outcome of another generation', 'workflow.step-succeeded', () => changed('workflow.step-succeeded', event => { event.data = { ...event.data, generation: 2 }; })],
    ['an outcome of another workflow', 'workflow.step-succeeded', () => changed('workflow.step-succeeded', event => { event.data = { ...event.data, workflow: 'w2' }; })],
    ['an outcome without its decision', 'workflow.step-succeeded', () => changed('workflow.step-succeeded', event => { event.data = { ...event.data, decision: 'other' }; })],
    ['an outcome recorded before its start', 'workflow.step-succeeded', () => {
      const events = facts();
      const [start, outcome] = [events.findIndex(named('workflow.step-started')), events.findIndex(named('workflow.step-succeeded'))];
      [events[start], events[outcome]] = [events[outcome]!, events[start]!];
      return events;
    }],
    ['a start against its decision', 'workflow.step-started', () => {
      const events = facts();
      for (const event of events) for (const decision of (event.data['decisions'] ?? []) as { outcome: string }[]) decision.outcome = 'deny';
      return events;
    }],
    ['a decision other than policy\'s', 'workflow.policy-decided', () => changed('workflow.policy-decided', event => { event.data = { ...event.data, decisions: (event.data['decisions'] as JsonObject[]).map(one => ({ ...one, outcome: 'approve' })) }; })],
    ['a start that is caused by something else', 'workflow.step-started', () => changed('workflow.step-started', event => { event.causationid = `${WORKFLOW}/1`; })],
    ['an act without a start', 'execution.step-prepared', () => changed('execution.step-prepared', event => { event.causationid = `${WORKFLOW}/1`; })],
    ['an act of another step', 'execution.step-prepared', () => changed('execution.step-prepared', event => { event.data = { ...event.data, step: 'z' }; })],
    ['an act that nobody caused', 'execution.step-prepared', () => changed('execution.step-prepared', event => { delete (event as { causationid?: string }).causationid; })],
    ['a failure that names no start, though it must have had one', 'workflow.step-failed', () => changed('workflow.step-succeeded', event => {
      event.type = 'aifirst.workflow.step-failed.v1';
      event.data = { ...event.data, error: { code: 'TIMEOUT' } };
      delete (event as { causationid?: string }).causationid;
    })],
  ])('finds %s', (_, type, make) => {
    const events = make();
    const { ok, problems, firstBadIndex } = judged(events);
    expect(ok).toBe(false);
    expect(problems.map(({ code }) => code)).toContain('CAUSE_MISSING');
    expect(firstBadIndex).toBe(events.findIndex(named(type)));
  });

  it('takes a denied step that was never started', () => {
    const decided = facts().slice(0, 5);
    for (const event of decided) for (const decision of (event.data['decisions'] ?? []) as { outcome: string }[]) decision.outcome = 'deny';
    const failure = aFact({ producer: 'orchestrator/0', sequence: 9, type: 'aifirst.workflow.step-failed.v1', subject: WORKFLOW, causationid: `${WORKFLOW}/3`, data: { workflow: WORKFLOW, step: 'a', generation: 1, error: { code: 'POLICY_DENIED' }, decision: `${WORKFLOW}/3` } });
    expect(judged([...decided, failure.event])).toMatchObject({ ok: true, problems: [] });
  });

  it('follows an undo to its decision', () => {
    const undo = (name: string, id: string, causationid: string | undefined, data: JsonObject): CloudEvent => aFact({
      producer: 'orchestrator/0', sequence: 99, id, type: `aifirst.workflow.${name}.v1`, subject: WORKFLOW, ...(causationid === undefined ? {} : { causationid }), data: { workflow: WORKFLOW, step: 'a', generation: 1, ...data },
    }).event;
    const started = undo('step-undo-started', 'u1', undefined, { decision: `${WORKFLOW}/3`, attempt: 1 });
    const prepared = aFact({ producer: 'adapter-os/0', sequence: 99, type: 'aifirst.execution.step-prepared.v1', causationid: 'u1', data: { workflow: WORKFLOW, step: 'a', generation: 1, direction: 'undo' } }).event;
    expect(judged([...facts(), started, prepared, undo('step-undone', 'u2', 'u1', { verified: true })])).toMatchObject({ ok: true, summary: { outcomes: 4 } });
    expect(judged([...facts(), started, undo('step-undone', 'u2', `${WORKFLOW}/5`, {})])).toMatchObject({ ok: false, firstBadIndex: facts().length + 1 });
    expect(judged([...facts(), undo('step-undo-started', 'u1', undefined, { decision: null })])).toMatchObject({ ok: false, firstBadIndex: facts().length });
    expect(judged([...facts(), undo('step-undo-blocked', 'u2', undefined, { code: 'IRREVERSIBLE' })])).toMatchObject({ ok: true });
  });

  it('waits for what another service may still be folded of', () => {
    const events = without(facts(), named('policy.plan-decided'));
    expect(judged(events, { end: [] })).toMatchObject({ ok: true, summary: { causesPending: 1 } });
  });

  it('does not judge what lies before a part of a log', () => {
    const part = facts().slice(8);
    expect(judged(part, { first: 100 })).toMatchObject({ ok: true, summary: { causesBefore: expect.any(Number) } });
    expect(judged(part, { first: 100 }).summary.causesBefore).toBeGreaterThan(0);
  });
});

describe('the check of producers\' numbers', () => {
  const numbered = (...numbers: readonly (number | readonly [number, number])[]): Message[] => numbers.map((number, i) => {
    const [sequence, prior] = typeof number === 'number' ? [number, undefined] : number;
    const fact = aFact({ sequence, id: `e${i}` });
    return { ...fact, event: { ...fact.event, ...(prior === undefined ? {} : { priorsequence: prior }) } };
  });
  const problems = (first: number, messages: Message[]): (string | number | null)[] => {
    const findings = new Findings();
    const check = new LogCheck(findings, first, 'default');
    for (const { event } of messages) check.push(canonicalJson(event as unknown as JsonObject));
    return findings.verification({} as never).problems.flatMap(({ code, index }) => [code, index]);
  };

  it('takes numbers without gaps, and gaps that name the number before', () => {
    expect(problems(0, numbered(1, 2, 3))).toEqual([]);
    expect(problems(0, numbered([4, 0], 5, [9, 5]))).toEqual([]);
    expect(problems(7, numbered(40, 41))).toEqual([]);
    expect(problems(7, numbered([40, 31], 41))).toEqual([]);
  });

  it('finds gaps, repeats and false claims', () => {
    expect(problems(0, numbered(1, 3))).toEqual(['SEQUENCE_GAP', 1]);
    expect(problems(0, numbered(2))).toEqual(['SEQUENCE_GAP', 0]);
    expect(problems(0, numbered(1, 2, 2))).toEqual(['SEQUENCE_REPEATED', 2]);
    expect(problems(0, numbered(1, 2, 1))).toEqual(['SEQUENCE_REPEATED', 2]);
    expect(problems(0, numbered(1, [5, 3]))).toEqual(['SEQUENCE_GAP', 1]);
    expect(problems(0, numbered(1, [2, 1]))).toEqual(['SEQUENCE_GAP', 1]);
    expect(problems(7, numbered(40, 42))).toEqual(['SEQUENCE_GAP', 8]);
  });

  it('finds an entry of another tenant, or that is no event', () => {
    const findings = new Findings();
    const check = new LogCheck(findings, 0, 'default');
    check.push(canonicalJson(aFact({ sequence: 1, tenant: 'other' }).event as unknown as JsonObject));
    check.push('{"id":"x"}');
    check.pushBytes(Buffer.from('{"b":1,"a":1}'));
    check.pushBytes(Buffer.from([0xff]));
    expect(findings.verification({} as never).problems.map(({ code, index }) => [code, index])).toEqual([['OTHER_TENANT', 0], ['NOT_AN_EVENT', 1], ['NOT_CANONICAL', 2], ['NOT_CANONICAL', 3]]);
  });
});
