import type { Batch } from '@aifirst/bus';
import { CONTROL_AGE_MS_MAX, type Job } from '@aifirst/execution';
import type { JsonObject } from '@aifirst/kernel';
import { hasEnded, type Workflow } from '@aifirst/orchestration';
import { LOCK_BASE } from '../capabilities';
import type { History, WorkflowRecord } from '../history';
import type { SimProcess } from '../sim-process';
import { sameEntries, type Change, type Target } from '../target';
import { culprits, disagreements, Effects, keyOf, partsOf, touches } from './effects';

/** A hold is known to an adapter within 2 s, and what was let begin before begins within 2 s more. */
const HOLD_MS_MAX = 2 * CONTROL_AGE_MS_MAX + 100;

/** Holds every effect and every fact, as it comes, against all that came before. */
export class LiveChecks {
  readonly violations: string[] = [];
  readonly effects = new Effects();
  /** `key@epoch` that came while no higher epoch was on record. */
  private readonly inTime = new Set<string>();
  private readonly takers = new Set<string>();
  history!: History;
  target!: Target;

  private wrong(rule: string, what: string): void {
    this.violations.push(`${rule}: ${what}`);
    this.history.say(`VIOLATION ${rule}: ${what}`);
  }

  /** The target has changed. */
  changed(change: Change): void {
    const paths = changedPaths(change);
    this.history.say(`target ${change.key} ${paths.join(',')}`);
    if (change.key === 'foreign') return;
    const key = partsOf(change.key);
    const state = this.history.workflows.get(key.workflow);
    if (state === undefined) { this.wrong('no effect without a record', `${change.key} of a workflow that nobody knows`); return; }
    if (this.effects.add(change) !== undefined) this.wrong('exactly once', `${change.key} had its effect twice`);
    this.hasClaim(change);
    if (key.direction === 'forward') this.forwardIsRecorded(change, state);
    else this.undoIsExact(change, state);
    // Why not wrong: nobody can call an act back that was given up; that it may still come is what the workflow's residue says.
    if (hasEnded(state) && this.isResidue(key)) return;
    if (hasEnded(state)) this.wrong('nothing after the end', `${change.key} changes the target although its workflow is \`${state.status}\``);
    for (const path of paths) this.isAlone(change.key, `${LOCK_BASE}/${path}`, state);
  }

  /** An undo had nothing to do: somebody else, or a try of its own whose answer was lost, had put it back. */
  foundAsBefore(key: string): void {
    this.history.say(`target ${key} is as it was before`);
    this.effects.takenBack(key);
  }

  /** Commands reach the journal. */
  delivered(batch: Batch): void {
    for (const { message: { event: { data } } } of batch.deliveries) {
      const workflow = String(data['workflow']);
      const epoch = Number(data['epoch']);
      if (epoch >= (this.history.journalEpochs.get(workflow) ?? 0)) this.inTime.add(`${workflow}/${String(data['step'])}/${Number(data['generation'])}@${epoch}`);
    }
  }

  /** An adapter is called. */
  acts(name: string, { command, direction }: Job, process: SimProcess): void {
    if (name !== 'execute' && name !== 'undo') return;
    const { workflow, step, generation, epoch } = command;
    this.history.say(`${process.name} ${name} ${workflow}/${step}/${generation}`);
    if (!this.inTime.has(`${workflow}/${step}/${generation}@${epoch}`)) this.wrong('fence', `${workflow}/${step}/${generation}/${direction} acts for epoch ${epoch} after ${this.history.journalEpochs.get(workflow) ?? 0} was on record`);
    if (name === 'execute') this.hasLeave(workflow, step, generation, process);
  }

  fact(record: WorkflowRecord, before: Workflow | null, after: Workflow): void {
    const { fact, name, event } = record;
    const step = fact['step'] as string | undefined;
    const key = (direction: 'forward' | 'undo') => keyOf({ workflow: after.id, step: step!, generation: Number(fact['generation']), direction });
    const writes = step !== undefined && touches(after.start.steps.find(({ id }) => id === step)?.capability ?? '');
    switch (name) {
      case 'StepStarted': this.isAllowed(record, after); break;
      case 'StepSucceeded':
        if (writes && !this.target.applied.has(key('forward'))) this.wrong('outcomes are true', `${key('forward')} is said to have happened and has not`);
        this.namesItsStart(record);
        break;
      case 'StepFailed': case 'StepDidNotHappen':
        if (writes && fact['generation'] !== undefined && this.effects.of(key('forward')) !== undefined) this.wrong('outcomes are true', `${key('forward')} is said not to have happened and has`);
        break;
      case 'StepUndone':
        if (writes && this.effects.stands(key('forward'))) this.wrong('undo is exact', `${key('undo')} is said to be undone and is not`);
        break;
      case 'StepUndoBlocked': this.isBlockedByOthers(key('undo'), String(fact['code']), after.id); break;
      case 'StepUndoSkipped':
        if (after.rollback?.onConflict !== 'skip') this.wrong('undo in order', `${key('undo')} is left out and nobody has asked for that`);
        break;
      case 'LocksTaken': this.takers.add(after.id); break;
      case 'StepAdded': if (before?.closing !== false || !['running', 'awaitingApproval'].includes(before.status)) this.wrong('transactions', `${after.id} takes a step while it is \`${before?.status ?? 'nothing'}\``); break;
      case 'RollbackStarted':
        if (fact['code'] === 'IDLE' && before!.steps.some(({ status }) => !['succeeded', 'failed', 'skipped'].includes(status))) this.wrong('transactions', `${after.id} takes itself back as idle while something is pending`);
        break;
      case 'WorkflowEnded':
        for (const what of disagreements(after, this.effects, true)) this.wrong('all, undone or parked', what);
        if (before !== null && hasEnded(before)) this.wrong('all, undone or parked', `${after.id} ends twice (${event.id})`);
        break;
      default:
    }
  }

  /** All of a unit is in: what one workflow lets go of in it another may take in it. */
  stored(): void {
    for (const id of this.takers) this.locksAreFree(this.history.workflows.get(id)!);
    this.takers.clear();
  }

  private hasClaim(change: Change): void {
    const { workflow, step, generation, direction } = partsOf(change.key);
    const claim = this.history.journal.get(workflow)?.find(({ state }) => {
      const command = state['command'] as JsonObject | undefined;
      return state['kind'] === 'prepared' && state['direction'] === direction && command?.['step'] === step && command['generation'] === generation;
    });
    if (claim === undefined || claim.tick >= change.tick) this.wrong('journal before act', `${change.key} changes the target and no claim is on record`);
  }

  private forwardIsRecorded(change: Change, state: Workflow): void {
    const { workflow, step, generation } = partsOf(change.key);
    const started = this.recordsOf(workflow, 'StepStarted').find(({ fact }) => fact['step'] === step && fact['generation'] === generation);
    if (started === undefined || started.tick >= change.tick) this.wrong('no effect without a record', `${change.key} was never started`);
    const current = state.steps[state.start.steps.findIndex(({ id }) => id === step)];
    if (current?.generation !== generation || (current.status !== 'running' && current.status !== 'unknown')) {
      this.wrong('no effect without a record', `${change.key} changes the target while its step is \`${current?.status ?? 'unknown to the plan'}\` in generation ${current?.generation ?? 0}`);
    }
  }

  /** Its workflow ended on `keep` with the step's outcome unknown, and says so. */
  private isResidue({ workflow, step }: ReturnType<typeof partsOf>): boolean {
    const state = this.history.workflows.get(workflow)!;
    return state.status === 'failed' && state.steps[state.start.steps.findIndex(({ id }) => id === step)]?.status === 'unknown'
      && this.recordsOf(workflow, 'WorkflowEnded').some(({ fact }) => (fact['residue'] as { step: string }[]).some(left => left.step === step));
  }

  private undoIsExact(change: Change, state: Workflow): void {
    const { workflow, step, generation } = partsOf(change.key);
    const forward = this.effects.of(keyOf({ workflow, step, generation, direction: 'forward' }));
    if (!this.recordsOf(workflow, 'StepUndoStarted').some(({ fact, tick }) => fact['step'] === step && fact['generation'] === generation && tick < change.tick)) this.wrong('no effect without a record', `${change.key} was never begun`);
    if (state.status !== 'rollingBack' && state.status !== 'rollbackBlocked') this.wrong('no effect without a record', `${change.key} while the workflow is \`${state.status}\``);
    if (forward === undefined) { this.wrong('undo is exact', `${change.key} takes back what was not done`); return; }
    if (!sameEntries(change.before, forward.after)) this.wrong('no undo over the change of another', `${change.key} overwrites what is not its step's`);
    if (!sameEntries(change.after, forward.before)) this.wrong('undo is exact', `${change.key} leaves something else than was there before`);
  }

  /** Its workflow holds the lock, and nobody else any that goes with it. */
  private isAlone(key: string, resource: string, state: Workflow): void {
    if (!state.locks.some(lock => covers(lock.resource, resource) && isWrite(state, lock.resource))) this.wrong('write isolation', `${key} changes ${resource} without a lock`);
    for (const other of this.history.workflows.values()) {
      if (other.id === state.id) continue;
      const lock = other.locks.find(({ mode, resource: held }) => (mode === 'write' && (covers(held, resource) || covers(resource, held))) || (mode === 'read' && covers(held, resource)));
      if (lock !== undefined) this.wrong('write isolation', `${key} changes ${resource} while ${other.id} holds ${lock.mode} on ${lock.resource}`);
    }
  }

  private locksAreFree(taker: Workflow): void {
    for (const other of this.history.workflows.values()) {
      if (other.id === taker.id || other.locks.length === 0) continue;
      for (const mine of taker.locks) {
        if (mine.mode !== 'write' && mine.mode !== 'read') continue;
        const clash = other.locks.find(({ mode, resource }) => (mode === 'write' || (mode === 'read' && mine.mode === 'write')) && (covers(resource, mine.resource) || covers(mine.resource, resource)));
        if (clash !== undefined) { this.wrong('write isolation', `${taker.id} takes ${mine.mode} on ${mine.resource} while ${other.id} holds ${clash.mode} on ${clash.resource}`); return; }
      }
    }
  }

  /** Causal: the start names the decision, which names policy's own word, and both are older. */
  private isAllowed({ fact, event, tick }: WorkflowRecord, state: Workflow): void {
    const what = `${state.id}/${String(fact['step'])}/${Number(fact['generation'])}`;
    const decided = this.recordsOf(state.id, 'PolicyDecided').find(record => record.event.id === fact['decision']);
    if (decided === undefined || decided.tick > tick || event.causationid !== decided.event.id) { this.wrong('no effect without a decision', `${what} starts and names no decision`); return; }
    const allows = (data: JsonObject): boolean => (data['decisions'] as unknown as { step: string; generation: number; outcome: string }[])
      .some(decision => decision.step === fact['step'] && decision.generation === fact['generation'] && decision.outcome === 'allow');
    if (!allows(decided.fact)) this.wrong('no effect without a decision', `${what} starts without leave`);
    const word = this.history.byId.get(String(decided.fact['decision']));
    if (word === undefined || word.tick >= decided.tick || !word.producer.startsWith('policy') || !allows(word.event.data)) this.wrong('no effect without a decision', `${what} starts by a decision that policy has not made`);
  }

  private namesItsStart({ fact, event, tick, name }: WorkflowRecord): void {
    if (fact['by'] !== undefined) return;
    const started = this.recordsOf(event.subject, 'StepStarted').find(record => record.event.id === event.causationid);
    if (started === undefined || started.tick > tick || started.fact['step'] !== fact['step'] || started.fact['generation'] !== fact['generation']) this.wrong('causality', `${name} ${event.id} does not name its start`);
  }

  /** The lease that the step was started with holds when the act begins: its time, and its control epoch. */
  private hasLeave(workflow: string, step: string, generation: number, { clock }: SimProcess): void {
    const started = this.recordsOf(workflow, 'StepStarted').find(({ fact }) => fact['step'] === step && fact['generation'] === generation);
    const decided = started === undefined ? undefined : this.recordsOf(workflow, 'PolicyDecided').find(({ event }) => event.id === started.fact['decision']);
    const lease = decided?.leases[`${decided.event.id}:${step}`]?.lease;
    if (decided === undefined || lease === undefined) return;
    if (clock.now() > lease.expiresAt + CONTROL_AGE_MS_MAX) this.wrong('leave to act', `${workflow}/${step}/${generation} acts ${clock.now() - lease.expiresAt} ms after its lease`);
    const { tenant } = decided.event;
    const now = this.history.now();
    const inForce = (this.history.epochs.get(tenant) ?? []).findLast(({ at }) => at <= now - HOLD_MS_MAX)?.epoch ?? 0;
    if (lease.controlEpoch < inForce) this.wrong('leave to act', `${workflow}/${step}/${generation} acts under control epoch ${lease.controlEpoch} although ${inForce} has been in force`);
  }

  private isBlockedByOthers(key: string, code: string, workflow: string): void {
    if (code !== 'TARGET_CHANGED') return;
    const names = culprits(this.target, key, this.target.applied.get(keyOf({ ...partsOf(key), direction: 'forward' }))?.tick ?? 0);
    if (names !== null && ![...names].some(name => name !== workflow)) this.wrong('undo in order', `${key} is blocked by nobody but its own workflow`);
  }

  private recordsOf(workflow: string, name: string): readonly WorkflowRecord[] { return (this.history.ofWorkflow.get(workflow) ?? []).filter(record => record.name === name); }
}

/** `read` beside `intentWrite` amounts to `write`. */
function isWrite({ locks }: Workflow, resource: string): boolean {
  const modes = locks.filter(lock => lock.resource === resource).map(({ mode }) => mode);
  return modes.includes('write') || (modes.includes('read') && modes.includes('intentWrite'));
}

const covers = (a: string, b: string): boolean => a === b || (b.startsWith(a) && b[a.length] === '/');

function changedPaths({ before, after }: Change): readonly string[] {
  const was = new Map(before);
  const is = new Map(after);
  return [...new Set([...was.keys(), ...is.keys()])].filter(path => was.get(path)?.stamp !== is.get(path)?.stamp);
}
