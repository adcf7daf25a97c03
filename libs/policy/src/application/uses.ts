import { isEngineStep, type DecidePlan, type StepDecision } from '@aifirst/contracts';
import type { DocumentPut } from '@aifirst/store';
import type { PolicyStore } from './policy-store';
import { documentOf, KINDS, pairOf, principalId, type UsesRecord } from './records';

/** Pairs of capability and connection kept for each principal; beyond, the oldest goes and would be new again. */
export const USES_MAX = 500;

/** What a batch of decisions adds to what principals have used: documents to be stored with it, taken over once they are. */
export interface NewUses { readonly documents: readonly DocumentPut[]; takeOver(): void }

export function newUses(store: PolicyStore, decided: readonly { readonly question: DecidePlan; readonly decisions: readonly StepDecision[] }[]): NewUses {
  const grown = new Map<string, { readonly tenant: string; readonly id: string; readonly pairs: Set<string> }>();
  for (const { question: { principal, steps, action }, decisions } of decided) {
    if (action !== 'execute') continue;
    decisions.forEach(({ outcome }, index) => {
      const step = steps[index];
      if (outcome !== 'allow' || step === undefined || isEngineStep(step)) return;
      const pair = pairOf(step);
      const id = principalId(principal);
      const before = store.tenant(principal.tenant).uses.get(id);
      if (before?.has(pair) === true) return;
      const key = `${principal.tenant}/${id}`;
      let entry = grown.get(key);
      if (entry === undefined) grown.set(key, entry = { tenant: principal.tenant, id, pairs: new Set(before) });
      entry.pairs.add(pair);
    });
  }
  if (grown.size === 0) return NOTHING_NEW;
  const kept = [...grown.values()].map(({ tenant, id, pairs }) => ({ tenant, id, pairs: [...pairs].slice(-USES_MAX) }));
  return {
    documents: kept.map(({ tenant, id, pairs }) => ({ kind: KINDS.uses, tenant, id, data: documentOf({ pairs } satisfies UsesRecord) })),
    takeOver: () => { for (const { tenant, id, pairs } of kept) store.tenant(tenant).uses.set(id, new Set(pairs)); },
  };
}

const NOTHING_NEW: NewUses = { documents: [], takeOver: () => undefined };
