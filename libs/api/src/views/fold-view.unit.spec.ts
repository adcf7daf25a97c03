import { eventType, type CloudEvent, type StepDecision, type WorkflowFact, type WorkflowView } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { aStart } from '../testing';
import { WORKFLOW_FACT_NAMES } from './facts';
import { foldView, pendingView } from './fold-view';

type Fact = WorkflowFact extends infer F ? (F extends WorkflowFact ? F : never) : never;
const AT = '2026-01-01T00:00:05.000Z';
const one = aStart().steps[0]!;
const START = aStart({ workflow: '019c0000-0000-7000-8000-000000000001', steps: [one, { ...one, id: 'b', after: [0] }, { ...one, id: 'c', reversibility: 'readOnly' }] });
const ID = START.workflow;

let sequence = 0;
const event = ({ name, ...rest }: Fact, time = AT): CloudEvent => ({
  specversion: '1.0', id: `${ID}/${++sequence}`, type: eventType('workflow', name), source: '/aifirst/orchestrator', producer: 'orchestrator/0', time, subject: ID, tenant: 'default', sequence,
  data: { ...rest, workflow: ID, agent: 'agent' } as unknown as JsonObject,
});
const after = (...facts: Fact[]): WorkflowView => facts.reduce<WorkflowView>((view, fact) => foldView(Object.freeze(view), event(fact))!, pendingView(START, 'default', '2026-01-01T00:00:00.000Z'));

const lease = { policyVersion: '1', controlEpoch: 1, expiresAt: 1, mac: 'm' };
const decision = (over: Partial<StepDecision> = {}): StepDecision => ({ step: 'a', generation: 1, outcome: 'allow', policies: ['clerk@1'], policyVersion: '3', reason: 'permitted by clerk', risk: { level: 'low', score: 20 }, lease, ...over });
const decided = (...decisions: StepDecision[]): Fact => ({ name: 'PolicyDecided', question: 1, action: 'execute', decision: 'd', controlEpoch: 1, decisions });
const started = (index = 0): Fact => ({ name: 'StepStarted', step: 'abc'[index]!, index, generation: 1, attempt: 1, decision: 'd', resources: [`file://docs/${index}`] });
const succeeded = (index = 0): Fact => ({ name: 'StepSucceeded', step: 'abc'[index]!, index, generation: 1, output: { n: index }, actSequence: index, undoableUntil: Date.parse('2026-02-01T00:00:00.000Z'), decision: 'd' });
const error = { code: 'TARGET_GONE', detail: 'it is gone', clean: true };
const rollback: Fact = { name: 'RollbackStarted', reason: 'step `b` failed', by: 'aifirst', code: 'STEP_FAILED' };
const undoStarted = (index = 0): Fact => ({ name: 'StepUndoStarted', step: 'abc'[index]!, index, generation: 1, attempt: 1, decision: 'd' });
const undone = (index = 0): Fact => ({ name: 'StepUndone', step: 'abc'[index]!, index, generation: 1, verified: true, reason: null });
const blocked: Fact = { name: 'StepUndoBlocked', step: 'a', index: 0, generation: 1, code: 'TARGET_CHANGED', reason: 'somebody else changed it', conflict: { resource: 'file://docs/0', what: 'the content', expected: 'sha256:1', found: 'sha256:2' } };

describe('the view of a workflow', () => {
  it('begins with IntentSubmitted', () => {
    const view = foldView(null, event({ name: 'IntentSubmitted', start: START, by: 'agent:agent' }))!;
    expect(view).toEqual(pendingView(START, 'default', AT));
    expect(view).toMatchObject({ id: ID, intentId: START.intent, tenant: 'default', status: 'pending', agent: 'agent', createdAt: AT, endedAt: null });
  });
  it('keeps the one that the gateway made before', () => expect(after({ name: 'IntentSubmitted', start: START, by: 'agent:agent' }).createdAt).toBe('2026-01-01T00:00:00.000Z'));
  it('is nothing without a beginning', () => expect(foldView(null, event(started()))).toBeNull());
  it('is not changed by a fact of a later release', () => {
    const view = after(started());
    expect(foldView(view, { ...event(started()), type: 'aifirst.workflow.step-dreamt.v1' })).toBe(view);
  });

  it('shows the decision without its lease', () => {
    const { steps, status } = after(decided(decision(), decision({ step: 'b', outcome: 'defer' })));
    expect(status).toBe('pending');
    expect(steps[0]!.decision).toEqual({ outcome: 'allow', policies: ['clerk@1'], policyVersion: '3', reason: 'permitted by clerk', at: AT });
    expect(steps[1]).toMatchObject({ status: 'pending', decision: { outcome: 'defer' } });
    expect(steps[2]!.decision).toBeNull();
  });
  it('waits for approval while a decision says so', () => {
    const waiting = after(decided(decision({ outcome: 'approve' })));
    expect(waiting).toMatchObject({ status: 'awaitingApproval', steps: [{ status: 'awaitingApproval' }, { status: 'pending' }, {}] });
    expect(foldView(waiting, event(decided(decision())))).toMatchObject({ status: 'pending', steps: [{ status: 'pending' }, {}, {}] });
  });
  it('keeps the forward decision when a roll-back is decided', () =>
    expect(after(decided(decision()), { name: 'PolicyDecided', question: 2, action: 'rollback', decision: 'd', controlEpoch: 1, decisions: [decision({ outcome: 'deny' })] }).steps[0]!.decision).toMatchObject({ outcome: 'allow' }));

  it('runs from its first step on', () => {
    expect(after(started())).toMatchObject({ status: 'running', steps: [{ status: 'running', attempts: 1, startedAt: AT, endedAt: null, resources: ['file://docs/0'] }, { status: 'pending' }, {}] });
  });
  it('shows what a step gave', () =>
    expect(after(started(), succeeded()).steps[0]).toMatchObject({ status: 'succeeded', output: { n: 0 }, error: null, endedAt: AT, undoableUntil: '2026-02-01T00:00:00.000Z' }));
  it('shows a failure, and that it is tried again', () => {
    expect(after(started(), { name: 'StepFailed', step: 'a', index: 0, generation: 1, error, retryAt: null, decision: 'd' }).steps[0]).toMatchObject({ status: 'failed', error, endedAt: AT, statusReason: null });
    const again = after(started(), { name: 'StepFailed', step: 'a', index: 0, generation: 1, error, retryAt: Date.parse(AT) + 200, decision: 'd' });
    expect(again.steps[0]).toMatchObject({ status: 'pending', error, statusReason: { code: 'TARGET_GONE', detail: 'is tried again at 2026-01-01T00:00:05.200Z' }, endedAt: null });
    expect(foldView(again, event({ ...started(), attempt: 2 } as Fact))!.steps[0]).toMatchObject({ status: 'running', attempts: 2, error: null, statusReason: null });
  });
  it('says who settles an outcome that nobody can tell', () => {
    const unknown = (parked: boolean): Fact => ({ name: 'StepUnknown', step: 'a', index: 0, generation: 1, error: { ...error, clean: false }, probe: 1, parked, decision: 'd' });
    expect(after(started(), unknown(false)).steps[0]).toMatchObject({ status: 'unknown', statusReason: { code: 'OUTCOME_UNKNOWN', actions: [] } });
    const paused = after(started(), unknown(true), { name: 'WorkflowPaused', code: 'OUTCOME_UNKNOWN', reason: 'nobody can tell', by: 'aifirst', failed: false });
    expect(paused.steps[0]!.statusReason!.actions.map(({ path }) => path)).toEqual([`/v1/workflows/${ID}/steps/a/resolve`, `/v1/workflows/${ID}/steps/a/resolve`]);
    expect(paused.statusReason!.actions.map(({ path }) => path.split('/').pop())).toEqual(['resolve', 'resolve', 'rollback', 'cancel']);
    expect(after(started(), unknown(false), { name: 'StepDidNotHappen', step: 'a', index: 0, generation: 1 }).steps[0]).toMatchObject({ status: 'pending', statusReason: null });
  });
  it('shows held and skipped steps', () => {
    expect(after({ name: 'StepHeld', step: 'a', index: 0 }).steps[0]).toMatchObject({ status: 'held', statusReason: { code: 'HELD' } });
    expect(after({ name: 'StepSkipped', step: 'a', index: 0, why: 'POLICY_DENIED' }).steps[0]).toMatchObject({ status: 'skipped', statusReason: { code: 'POLICY_DENIED' }, endedAt: AT });
  });
  it('commits and completes', () => {
    expect(after(started(), succeeded(), { name: 'WorkflowCommitting' })).toMatchObject({ status: 'committing', statusReason: null });
    expect(after(started(), succeeded(), { name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] })).toMatchObject({ status: 'completed', statusReason: null, endedAt: AT, residue: [] });
  });
  it('ends rejected with its reason', () =>
    expect(after({ name: 'StepFailed', step: 'a', index: 0, generation: 1, error: { code: 'POLICY_DENIED', detail: 'nothing permits it', clean: true }, retryAt: null, decision: 'd' },
      { name: 'WorkflowEnded', status: 'rejected', code: 'POLICY_DENIED', reason: 'nothing permits it', residue: [] }))
      .toMatchObject({ status: 'rejected', statusReason: { code: 'POLICY_DENIED', detail: 'nothing permits it' }, steps: [{ status: 'failed', error: { code: 'POLICY_DENIED' } }, {}, {}] }));

  it('shows each undo, and what there was nothing to take back of', () => {
    const done = [started(0), succeeded(0), started(2), succeeded(2), rollback];
    const rolling = after(...done);
    expect(rolling).toMatchObject({ status: 'rollingBack', statusReason: { code: 'STEP_FAILED' }, steps: [{ status: 'succeeded', undo: { status: 'pending', verified: false, reason: null } }, { undo: null }, { undo: { status: 'pending' } }] });
    expect(after(...done, undoStarted())).toMatchObject({ steps: [{ status: 'undoing', undo: { status: 'running' } }, {}, {}] });
    expect(after(...done, undoStarted(), { name: 'StepUndoUnknown', step: 'a', index: 0, generation: 1, attempt: 1, probe: 1, error }).steps[0]).toMatchObject({ status: 'undoing', undo: { status: 'running', reason: 'it is gone' }, statusReason: { code: 'OUTCOME_UNKNOWN' } });
    expect(after(...done, undoStarted(), undone(), { name: 'WorkflowEnded', status: 'rolledBack', code: 'STEP_FAILED', reason: 'step `b` failed', residue: [] }))
      .toMatchObject({ status: 'rolledBack', endedAt: AT, steps: [{ status: 'undone', undo: { status: 'done', verified: true, reason: null } }, { undo: null }, { status: 'succeeded', undo: { status: 'skipped' } }] });
  });
  it('names what is in the way of an undo, and who can act', () => {
    const parked = after(started(), succeeded(), rollback, undoStarted(), blocked, { name: 'RollbackParked', code: 'TARGET_CHANGED', reason: 'could not be undone: `a`' });
    expect(parked).toMatchObject({
      status: 'rollbackBlocked', statusReason: { code: 'TARGET_CHANGED', actions: [{ path: `/v1/workflows/${ID}/rollback`, body: { preview: true } }, { body: { reason: 'why' } }, { body: { reason: 'why', onConflict: 'skip' } }] }, endedAt: null,
      residue: [{ step: 'a', resource: 'file://docs/0', what: 'still stands', why: 'somebody else changed it' }],
      steps: [{ status: 'undoBlocked', undo: { status: 'blocked', verified: false, reason: 'somebody else changed it' }, statusReason: { code: 'TARGET_CHANGED', detail: 'the content: expected sha256:1, found sha256:2' } }, {}, {}],
    });
    const retried = [rollback, undoStarted(), undone()].reduce((view, fact) => foldView(view, event(fact))!, parked);
    expect(retried).toMatchObject({ status: 'rollingBack', residue: [], steps: [{ status: 'undone', undo: { status: 'done' } }, {}, {}] });
  });
  it('shows what was left out of a rollback as standing, until somebody wants it all back again', () => {
    const left: Fact = { ...blocked, name: 'StepUndoSkipped' } as Fact;
    const ended: Fact = { name: 'WorkflowEnded', status: 'rolledBack', code: 'REQUESTED', reason: 'r', residue: [{ step: 'a', resource: 'file://docs/0', what: 'still stands', why: 'w', action: 'x' }] };
    const resolved: Fact = { name: 'RollbackStarted', reason: 'r', by: 'admin', code: 'RESOLVED', onConflict: 'skip' };
    const standing = { status: 'succeeded', undo: { status: 'skipped', verified: false, reason: 'somebody else changed it' }, statusReason: { code: 'TARGET_CHANGED', detail: 'the content: expected sha256:1, found sha256:2', actions: [] } };
    const skipped = after(started(), succeeded(), rollback, undoStarted(), left);
    expect(skipped).toMatchObject({ status: 'rollingBack', steps: [standing, {}, {}], residue: [{ step: 'a', resource: 'file://docs/0', what: 'still stands' }] });
    expect(skipped.steps[0]!.endedAt).toBe(after(started(), succeeded()).steps[0]!.endedAt);
    expect(foldView(foldView(skipped, event(resolved)), event(ended))).toMatchObject({ status: 'rolledBack', steps: [standing, {}, {}], residue: [{ step: 'a', why: 'w' }] });
    expect(foldView(foldView(skipped, event(ended)), event({ ...rollback, code: 'REQUESTED' } as Fact))).toMatchObject({ status: 'rollingBack', steps: [{ status: 'succeeded', undo: { status: 'pending' }, statusReason: null }, {}, {}] });
  });
  it('opens again when it is rolled back after its end', () =>
    expect(after(started(), succeeded(), { name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] }, rollback)).toMatchObject({ status: 'rollingBack', endedAt: null, steps: [{ undo: { status: 'pending' } }, {}, {}] }));

  const pausedBy = (code: string, failed = false): Fact => ({ name: 'WorkflowPaused', code, reason: 'held', by: 'aifirst', failed, ...(code === 'KILL_SWITCH' ? { killSwitch: 'night' } : {}) });
  it.each([
    ['KILL_SWITCH', false, ['DELETE /v1/controls/kill-switches/night', `POST /v1/workflows/${ID}/rollback`, `POST /v1/workflows/${ID}/cancel`]],
    ['AGENT_SUSPENDED', false, ['POST /v1/agents/agent/resume', `POST /v1/workflows/${ID}/rollback`, `POST /v1/workflows/${ID}/cancel`]],
    ['REQUESTED', false, [`POST /v1/workflows/${ID}/resume`, `POST /v1/workflows/${ID}/rollback`, `POST /v1/workflows/${ID}/cancel`]],
    ['STEP_FAILED', true, [`POST /v1/workflows/${ID}/resume`, `POST /v1/workflows/${ID}/resume`, `POST /v1/workflows/${ID}/rollback`]],
  ])('says what moves it on when paused by %s', (code, failed, actions) => {
    const { status, statusReason } = after(started(), pausedBy(code, failed));
    expect(status).toBe('paused');
    expect(statusReason).toMatchObject({ code, detail: 'held', since: AT });
    expect(statusReason!.actions.map(({ method, path }) => `${method} ${path}`)).toEqual(actions);
  });
  it('goes on where it was when resumed', () => {
    const resumed: Fact = { name: 'WorkflowResumed', by: 'admin', failedStep: null };
    expect(after(pausedBy('REQUESTED'), resumed)).toMatchObject({ status: 'pending', statusReason: null });
    expect(after(started(), pausedBy('REQUESTED'), resumed)).toMatchObject({ status: 'running', statusReason: null });
    expect(after(started(), { name: 'StepFailed', step: 'a', index: 0, generation: 1, error, retryAt: null, decision: 'd' }, pausedBy('STEP_FAILED', true), { ...resumed, failedStep: 'retry' })).toMatchObject({ status: 'running', steps: [{ status: 'pending' }, {}, {}] });
  });
  it('begins again after it died in wait-die, its attempts kept', () =>
    expect(after(started(), succeeded(), rollback, undoStarted(), undone(), { name: 'WorkflowRestarted', restarts: 1 })).toMatchObject({ status: 'running', statusReason: { code: 'LOCKED' }, steps: [{ status: 'pending', attempts: 1, undo: null, output: null }, {}, {}] }));
  it.each<Fact>([{ name: 'PolicyAsked', question: 1, action: 'execute', steps: [] }, { name: 'LocksTaken', locks: [] }, { name: 'LocksLost', code: 'PARKED', reason: 'too long', by: 'aifirst' }])('is not changed by $name', fact => {
    const view = after(started());
    expect(foldView(view, event(fact))).toBe(view);
  });

  it('never throws, whatever follows what', () => {
    const all: Fact[] = [decided(decision()), started(), succeeded(), rollback, undoStarted(), undone(), blocked, { ...blocked, name: 'StepUndoSkipped' } as Fact, pausedBy('X'), { name: 'WorkflowResumed', by: 'a', failedStep: null }, { name: 'RollbackParked', code: 'X', reason: 'y' },
      { name: 'WorkflowCommitting' }, { name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] }, { ...started(), index: 99 } as Fact];
    for (const first of all) for (const second of all) for (const third of all) after(first, second, third);
    expect(WORKFLOW_FACT_NAMES).toHaveLength(25);
  });
});

describe('the view of an interactive transaction', () => {
  const BEGUN = aStart({ workflow: ID, steps: [], interactive: { idleTimeoutMs: 1_000 } });
  const plan = { ...one, id: 'a' };
  const shown = (...facts: Fact[]): WorkflowView => facts.reduce<WorkflowView>((view, fact) => foldView(Object.freeze(view), event(fact))!, pendingView(BEGUN, 'default', AT));
  const added: Fact = { name: 'StepAdded', step: 'a', index: 0, plan };

  it('runs from the beginning, and has each step when it is added', () => {
    expect(shown()).toMatchObject({ status: 'running', steps: [], interactive: { idleTimeoutMs: 1_000, committing: false } });
    expect(shown(added, { ...added, step: 'b', index: 1, plan: { ...plan, id: 'b' } }).steps).toMatchObject([{ id: 'a', status: 'pending' }, { id: 'b', status: 'pending' }]);
    expect(shown(added, started(), succeeded())).toMatchObject({ status: 'running', steps: [{ status: 'succeeded' }] });
  });
  it('says that it commits until it has ended, also after a pause', () => {
    const paused: Fact = { name: 'WorkflowPaused', code: 'PAUSED', reason: 'r', by: 'admin', failed: false };
    const resumed: Fact = { name: 'WorkflowResumed', by: 'admin', failedStep: null };
    const committing: Fact = { name: 'WorkflowCommitting', by: 'agent' };
    expect(shown(paused, resumed).status).toBe('running');
    expect(shown(added, committing, started())).toMatchObject({ status: 'committing', interactive: { committing: true } });
    expect([shown(committing, paused).status, shown(committing, paused, resumed).status, shown(committing, rollback).status]).toEqual(['paused', 'committing', 'rollingBack']);
    expect(shown(committing, { name: 'WorkflowEnded', status: 'completed', code: null, reason: null, residue: [] })).toMatchObject({ status: 'completed', statusReason: null });
  });
  it('says why a step was not started', () =>
    expect(shown(added, { name: 'StepSkipped', step: 'a', index: 0, why: 'DEPENDENCY_FAILED' }).steps[0]).toMatchObject({ status: 'skipped', statusReason: { code: 'DEPENDENCY_FAILED' } }));
});
