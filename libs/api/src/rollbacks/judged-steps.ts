import { isEngineStep, overlap, type Sealed, type UndoPreview, type UndoPreviewAnswer } from '@aifirst/contracts';
import { onlyReads, type DoneStep } from './done-steps';
import { allBelow, namesOf } from './undo-order';

export type UndoOutcome = UndoPreview['outcome'] | 'irreversible' | 'cannotTell';
export type OnConflict = 'block' | 'skip';

/** A step as the preview of a rollback shows it. `conflicts` hold content: sealed as a whole, or none. */
export interface PreviewedUndo {
  /** From 1, in the order in which the steps are taken back. */
  readonly order: number;
  readonly id: string;
  readonly capability: string;
  readonly outcome: UndoOutcome;
  readonly summary: string;
  readonly conflicts: Sealed | readonly [];
  /** There is more than is shown. */
  readonly truncated: boolean;
  /** Why it would not be undone, or can't be told. */
  readonly reason: string | null;
}

type Judged = Omit<PreviewedUndo, 'order'>;
/** With what it touched, and the steps that it rests on. */
interface Placed { readonly step: DoneStep; readonly judged: Judged; readonly names: readonly string[]; readonly below: ReadonlySet<number> }

/**
 * What becomes of each step. An adapter goes by what the workflow did later at the same connection, which is taken back
 * before; what it did in the same place through another one it can't tell from what others did.
 * @param ordered what is to be taken back, in that order
 */
export function judged(all: readonly DoneStep[], ordered: readonly DoneStep[], answers: ReadonlyMap<number, UndoPreviewAnswer>, onConflict: OnConflict): readonly PreviewedUndo[] {
  const before: Placed[] = [];
  for (const step of ordered) {
    const names = namesOf(step);
    const later = before.filter(other => other.names.some(theirs => names.some(mine => overlap(mine, theirs))));
    const isStuck = ({ judged: { outcome } }: Placed): boolean => outcome === 'wouldBlock' || outcome === 'irreversible';
    const stuck = onConflict === 'skip' ? undefined : before.find(other => isStuck(other) && (other.below.has(step.index) || later.includes(other)));
    const traces = later.find(({ step: { plan }, judged: { outcome } }) => plan.connection !== step.plan.connection && outcome !== 'nothingToDo');
    before.push({ step, names, below: allBelow(all, step.index), judged: amongOthers(judgedAlone(step, answers.get(step.index)), traces?.judged, stuck?.judged) });
  }
  const nothing = all.filter(step => !ordered.includes(step) && step.status !== 'pending' && !isEngineStep(step.plan)).map(judgedIdle);
  return [...before.map(({ judged: one }) => one), ...nothing].map((one, index) => ({ order: index + 1, ...one }));
}

function judgedAlone({ plan: { id, capability, reversibility } }: DoneStep, answer: UndoPreviewAnswer | undefined): Judged {
  const none = { id, capability, conflicts: [] as const, truncated: false };
  if (reversibility === 'irreversible') return { ...none, outcome: 'irreversible', summary: `nothing takes \`${capability}\` back`, reason: 'the capability can not be undone' };
  if (answer === undefined) return { ...none, outcome: 'cannotTell', summary: '', reason: 'it was not looked at' };
  if ('error' in answer) return { ...none, outcome: 'cannotTell', summary: '', reason: answer.error.detail };
  const { outcome, summary, conflicts, truncated } = answer.preview;
  return { id, capability, outcome, summary, conflicts, truncated, reason: outcome === 'wouldBlock' ? summary : null };
}

function amongOthers(own: Judged, later: Judged | undefined, stuck: Judged | undefined): Judged {
  if (own.outcome === 'nothingToDo' || own.outcome === 'irreversible') return own;
  if (stuck !== undefined) return { ...own, outcome: 'wouldBlock', reason: `waits for step \`${stuck.id}\`, which is taken back before it and can't be` };
  if (own.outcome === 'wouldBlock' && later !== undefined) {
    return { ...own, outcome: 'cannotTell', reason: `step \`${later.id}\` did something in the same place through another connection and is taken back first: what is found there now may be its own` };
  }
  return own;
}

function judgedIdle(step: DoneStep): Judged {
  const { plan: { id, capability }, status } = step;
  const reason = status === 'undone' ? 'it is undone already' : status === 'ended' ? 'it was not done' : onlyReads(step) ? 'it only reads' : 'there is nothing of it';
  return { id, capability, outcome: 'nothingToDo', summary: reason, conflicts: [], truncated: false, reason: null };
}
