import type { ActiveSet, Slice, Subject, Verdict } from './active-set';
import { sliceOf } from './active-set';
import type { CedarAnswer, CedarEngine, CedarRecord, CedarRequest, CedarValue, EntityUid } from './cedar-engine';
import { keyOfUid } from './entity-names';
import type { CompiledPolicy } from './policy-text';

/** Attributes of `context`, each made only if a policy of the slice reads it. */
export type ContextParts = Readonly<Record<string, () => CedarValue>>;

export interface Asked {
  readonly subject: Subject;
  readonly action: EntityUid;
  readonly actionGroups: readonly EntityUid[];
  readonly resource: EntityUid;
  readonly context: ContextParts;
}

/** Slices and verdicts kept per active set; beyond, the oldest goes. Why: names come from agents' plans and connections. */
const SLICES_MAX = 2000;
const VERDICTS_MAX = 1000;

/**
 * Evaluates against the slice of the active set that can matter, and keeps what can't change. The outcome is that of the
 * whole set and the whole context (held to it by a property test).
 */
export class Evaluator {
  constructor(private readonly engine: CedarEngine) {}

  /** @throws OperationalError `CEDAR_FAILED`, and whatever a context part throws */
  evaluate(active: ActiveSet, asked: Asked): Verdict {
    const slice = this.slice(active, asked);
    if (slice.policies.length === 0) return NOTHING_APPLIES;
    if (!slice.unconditional) return this.fresh(slice, asked);
    const resource = keyOfUid(asked.resource);
    let verdict = slice.kept.get(resource);
    if (verdict === undefined) {
      verdict = this.fresh(slice, asked);
      if (slice.kept.size >= VERDICTS_MAX) slice.kept.delete(slice.kept.keys().next().value!);
      slice.kept.set(resource, verdict);
    }
    return verdict;
  }

  /**
   * With parts of the context unknown. `deny` is certain, whatever they turn out to be; null is anything else.
   * Errors count only where nothing unknown is looked at: then the question is a full one.
   */
  evaluatePartially(active: ActiveSet, asked: Asked, unknown: readonly string[]): Verdict | null {
    const slice = this.slice(active, asked);
    const looksAtUnknown = slice.reads === 'all' || unknown.some(name => (slice.reads as ReadonlySet<string>).has(name));
    if (!looksAtUnknown) {
      const verdict = this.evaluate(active, asked);
      return verdict.decision === 'deny' || verdict.errors.length > 0 ? verdict : null;
    }
    const request = requestOf(slice, asked, unknown);
    const answer = this.engine.authorizePartially(textsOf(slice.policies), request, unknown);
    return answer.decision === 'deny' ? verdictOf(slice, { ...answer, decision: 'deny', errors: [] }) : null;
  }

  /** An active set that has been replaced: what was prepared for it can go. */
  forget(active: ActiveSet): void {
    for (const slice of active.slices.values()) this.drop(slice);
    active.slices.clear();
  }

  private slice(active: ActiveSet, asked: Asked): Slice {
    const slice = sliceOf(active, asked.subject, asked.action, asked.actionGroups);
    if (active.slices.size > SLICES_MAX) {
      const [oldest, dropped] = active.slices.entries().next().value!;
      active.slices.delete(oldest);
      this.drop(dropped);
    }
    return slice;
  }

  private drop(slice: Slice): void {
    if (slice.prepared !== null) this.engine.release(slice.prepared);
    slice.prepared = null;
  }

  private fresh(slice: Slice, asked: Asked): Verdict {
    slice.prepared ??= this.engine.prepare(textsOf(slice.policies));
    return verdictOf(slice, this.engine.authorize(slice.prepared, requestOf(slice, asked, [])));
  }
}

const NOTHING_APPLIES: Verdict = { decision: 'deny', policies: [], errors: [] };

export const textsOf = (policies: readonly CompiledPolicy[]): Record<string, string> => Object.fromEntries(policies.map(({ key, text }) => [key, text]));

function requestOf(slice: Pick<Slice, 'reads'>, asked: Asked, unknown: readonly string[]): CedarRequest {
  const { subject, action, actionGroups, resource } = asked;
  const context: Record<string, CedarValue> = {};
  for (const name of Object.keys(asked.context)) {
    if (!unknown.includes(name) && (slice.reads === 'all' || slice.reads.has(name))) context[name] = asked.context[name]!();
  }
  return {
    principal: subject.principal, action, resource, context: context as CedarRecord,
    entities: [
      { uid: subject.principal, attrs: {}, parents: subject.parents },
      { uid: action, attrs: {}, parents: actionGroups },
      { uid: resource, attrs: {}, parents: [] },
    ],
  };
}

function verdictOf(slice: Pick<Slice, 'policies'>, answer: CedarAnswer): Verdict {
  const labels = new Map(slice.policies.map(({ key, label }) => [key, label]));
  const label = (key: string): string => labels.get(key) ?? key;
  return {
    decision: answer.decision,
    policies: [...new Set(answer.reasons.map(label))].sort(),
    errors: answer.errors.map(({ policy, message }) => ({ policy: label(policy), message })).sort((a, b) => (a.policy < b.policy ? -1 : 1)),
  };
}
