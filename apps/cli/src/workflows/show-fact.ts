import { isObject, type Json, type JsonObject } from '@aifirst/kernel';
import { listOf, objectOf, outcomeOf, textOf } from '../plan/plan';
import { decisionText } from '../plan/show-plan';
import { bold, cyan, dim, green, joined, line, red, shownOf, styled, yellow, type Shown, type Style } from '../screen/shown';
import { padded } from '../screen/width';
import type { Fact } from './facts';

const VERB_WIDTH = 13;
const STEP_WIDTH_MAX = 24;
const DENIALS_MAX = 10;

/** Facts in words, one line each; keeps what it needs of those before: when it began, what the steps are called. */
export class FactLines {
  #begin: number | null = null;
  #capabilities: Readonly<Record<string, string>> = {};
  #stepWidth = 0;

  constructor(steps: readonly Json[] = []) { this.#learn(steps); }

  of(fact: Fact): readonly Shown[] {
    if (fact.name === 'intent-submitted') this.#learn(listOf(objectOf(fact.data['start'])?.['steps']));
    const at = Date.parse(fact.time);
    this.#begin ??= at;
    const elapsed = Number.isNaN(at) || Number.isNaN(this.#begin) ? '' : `+${((at - this.#begin) / 1000).toFixed(3)}s`;
    return this.#told(fact).map(told => line`${dim(elapsed.padStart(10))}  ${told}`);
  }

  #learn(all: readonly Json[]): void {
    const steps = all.filter(isObject);
    this.#capabilities = Object.fromEntries(steps.map(step => [textOf(step['id']), textOf(step['capability'])]));
    this.#stepWidth = Math.min(STEP_WIDTH_MAX, steps.reduce((widest, step) => Math.max(widest, textOf(step['id']).length), 0));
  }

  #told({ name, data }: Fact): readonly Shown[] {
    const step = textOf(data['step']);
    const of = (verb: string, style: readonly Style[], ...more: readonly (Shown | string)[]): readonly Shown[] => {
      return [joined([padded(styled(verb, ...style), VERB_WIDTH), ...(step === '' ? [] : [padded(bold(step), this.#stepWidth)]), ...more.map(shownOf).filter(({ plain }) => plain !== '')])];
    };
    const capability = cyan(Object.hasOwn(this.#capabilities, step) ? this.#capabilities[step]! : '');
    const error = objectOf(data['error']);
    const reason = textOf(data['reason']);
    switch (name) {
      case 'intent-submitted': return of('submitted', ['bold'], textOf(objectOf(data['start'])?.['goal']));
      case 'policy-decided': return data['action'] === 'execute' ? [...of('decided', [], decisionsText(data)), ...denialsOf(data)] : [];
      case 'step-started': return of('running', ['cyan'], capability, dim(listOf(data['resources']).map(textOf).join(' ')), attemptText(data['attempt']));
      case 'step-held': return of('held', ['yellow'], capability, 'runs when all else has succeeded');
      case 'step-succeeded': return of('succeeded', ['green'], capability, byText(data));
      case 'step-failed': return typeof data['retryAt'] === 'number' ? of('tried again', ['yellow'], capability, errorText(error)) : of('failed', ['red'], capability, errorText(error));
      case 'step-unknown': return of('unknown', ['yellow'], capability, errorText(error), data['parked'] === true ? 'nobody but a person can tell whether it happened' : 'the target is being asked whether it happened');
      case 'step-did-not-happen': return of('not done', ['yellow'], capability, 'it did not happen', byText(data));
      case 'step-skipped': return of('skipped', ['dim'], capability, dim(textOf(data['why'])));
      case 'rollback-started': return of('rolling back', ['yellow', 'bold'], line`${bold(textOf(data['code']))}: ${reason}`);
      case 'step-undo-started': return of('undoing', ['yellow'], capability, attemptText(data['attempt']));
      case 'step-undo-unknown': return of('unknown', ['yellow'], capability, 'the target is being asked whether the undo happened');
      case 'step-undone': return of('undone', ['green'], capability, data['verified'] === true ? green('verified') : yellow('not verified'), reason);
      case 'step-undo-blocked': return of('undo blocked', ['red'], capability, line`${bold(textOf(data['code']))}: ${reason}`, conflictText(objectOf(data['conflict'])));
      case 'step-undo-skipped': return of('left standing', ['yellow'], capability, line`${bold(textOf(data['code']))}: ${reason}`, conflictText(objectOf(data['conflict'])));
      case 'workflow-paused': return of('paused', ['yellow', 'bold'], line`${bold(textOf(data['code']))}: ${reason}`);
      case 'workflow-resumed': return of('resumed', ['bold'], byText(data));
      case 'workflow-restarted': return of('restarted', ['yellow'], 'an older workflow needs the same resources; all begins again');
      case 'rollback-parked': return of('rollback blocked', ['red', 'bold'], line`${bold(textOf(data['code']))}: ${reason}`);
      case 'locks-lost': return of('locks lost', ['yellow'], reason);
      case 'workflow-committing': return of('committing', ['bold']);
      case 'workflow-ended': return of('ended', ['bold'], statusText(textOf(data['status'])), data['code'] === null || data['code'] === undefined ? '' : line`${bold(textOf(data['code']))}: ${reason}`);
      case 'policy-asked': case 'locks-taken': return [];
      default: return of(name, ['dim']);
    }
  }
}

const STATUSES: Readonly<Record<string, readonly Style[]>> = {
  completed: ['green', 'bold'], rolledBack: ['yellow', 'bold'], rejected: ['red', 'bold'], failed: ['red', 'bold'], cancelled: ['yellow', 'bold'], rollbackBlocked: ['red', 'bold'],
  paused: ['yellow', 'bold'], awaitingApproval: ['yellow', 'bold'], running: ['cyan'], rollingBack: ['yellow'], succeeded: ['green'], undone: ['green'], undoBlocked: ['red'], unknown: ['yellow'], skipped: ['dim'],
};
export const statusText = (status: string): Shown => styled(status, ...(STATUSES[status] ?? []));

export const errorText = (error: JsonObject | null): Shown => (error === null ? line`` : line`${red(textOf(error['code']))}: ${textOf(error['detail'])}`);
const conflictText = (conflict: JsonObject | null): Shown | string =>
  (conflict === null ? '' : line`${textOf(conflict['what'])}: expected ${textOf(conflict['expected'])}, found ${textOf(conflict['found'])}`);
const attemptText = (attempt: Json | undefined): Shown | string => (typeof attempt === 'number' && attempt > 1 ? dim(`attempt ${attempt}`) : '');
const byText = ({ by }: JsonObject): Shown | string => (by === undefined || by === null ? '' : dim(`by ${textOf(by)}`));

function decisionsText(data: JsonObject): Shown {
  const counts = new Map<string, number>();
  for (const decision of listOf(data['decisions'])) counts.set(outcomeOf(decision), (counts.get(outcomeOf(decision)) ?? 0) + 1);
  return joined([...counts].map(([outcome, count]) => line`${count} ${decisionText(outcome)}`), ', ');
}

function denialsOf(data: JsonObject): readonly Shown[] {
  return listOf(data['decisions']).filter(isObject).filter(decision => outcomeOf(decision) !== 'allow' && textOf(decision['reason']) !== '').slice(0, DENIALS_MAX)
    .map(decision => joined([padded(decisionText(outcomeOf(decision)), VERB_WIDTH), bold(textOf(decision['step'])), shownOf(textOf(decision['reason']))]));
}
