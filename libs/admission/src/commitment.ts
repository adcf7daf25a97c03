import type { CapabilityDescriptor, PlannedStep } from '@aifirst/contracts';
import type { Problems } from './problems';

/** Of one atomic intent: each holds a transaction and a connection of its target from first to last. */
export const TRANSACTIONS_MAX = 10;

/**
 * Puts an intent of mode `atomic` in its order: what writes and can prepare acts first, in one transaction per connection;
 * what can only be undone acts when all of that is prepared. Notes what can do neither, and what would have to be in both places.
 * @param bases of the steps in the body
 */
export function inCommitOrder(plan: readonly PlannedStep[], capabilityOf: (index: number) => CapabilityDescriptor | undefined, bases: readonly string[], problems: Problems): readonly PlannedStep[] {
  const writing = new Set(plan.flatMap(({ connection, reversibility }, index) => (capabilityOf(index)?.twoPhase !== undefined && reversibility !== 'readOnly' ? [connection] : [])));
  if (writing.size > TRANSACTIONS_MAX) problems.add('INVALID_FIELD', '/steps', `mode \`atomic\` commits on at most ${TRANSACTIONS_MAX} connections together`);
  const works = plan.map(({ connection }, index) => capabilityOf(index)?.twoPhase !== undefined && writing.has(connection));
  const isLast = plan.map(({ reversibility }, index) => !works[index] && reversibility !== 'readOnly');
  plan.forEach(({ id, capability, reversibility }, index) => {
    if (isLast[index] && reversibility !== 'reversible') {
      problems.add('INVALID_FIELD', `${bases[index]!}/capability`, `\`${capability}\` can neither be prepared nor be undone, so that it can't be part of mode \`atomic\`: send it in an intent of its own when this one has completed, or use mode \`saga\``);
    }
    const before = works[index] ? firstBelow(plan, index, isLast) : null;
    if (before !== null) problems.add('INVALID_FIELD', bases[index]!, `step \`${id}\` prepares, so it can't rest on step \`${plan[before]!.id}\` (\`${plan[before]!.capability}\`), which runs when all else is prepared: use mode \`saga\``);
  });
  const all = works.flatMap((does, index) => (does ? [index] : []));
  return plan.map((step, index) => {
    if (works[index]) return { ...step, phase: 'work' as const };
    return isLast[index] && all.length > 0 ? { ...step, after: [...new Set([...step.after, ...all])].sort((a, b) => a - b) } : step;
  });
}

/** A step that it rests on, at whatever distance, and that is one of those. */
function firstBelow(plan: readonly PlannedStep[], from: number, isOne: readonly boolean[]): number | null {
  const seen = new Set<number>();
  const open = [...plan[from]!.after];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (seen.has(at)) continue;
    if (isOne[at] === true) return at;
    seen.add(at);
    open.push(...plan[at]!.after);
  }
  return null;
}

/**
 * Adds the engine's own steps to a plan with steps of phase `work`: one `prepare` per connection when all of these have been
 * done, which everything else that writes waits for, and one `commit` when all has succeeded. Other plans are given back as they are.
 */
export function withCommitment(plan: readonly PlannedStep[], capabilityOf: (name: string) => CapabilityDescriptor | undefined): readonly PlannedStep[] {
  const works = plan.flatMap(({ phase }, index) => (phase === 'work' ? [index] : []));
  if (works.length === 0) return plan;
  const holders = new Map<string, { readonly step: PlannedStep; readonly ends: NonNullable<CapabilityDescriptor['twoPhase']> }>();
  for (const index of works) {
    const step = plan[index]!;
    const ends = capabilityOf(step.capability)?.twoPhase;
    if (ends !== undefined && step.connection !== null && step.reversibility !== 'readOnly' && !holders.has(step.connection)) holders.set(step.connection, { step, ends });
  }
  const own = (phase: 'prepare' | 'commit', after: readonly number[]): PlannedStep[] => [...holders.values()].map(({ step, ends }, place) => ({
    id: `~${phase}-${place + 1}`, capability: ends[phase], adapter: step.adapter, reversibility: 'reversible', connection: step.connection, phase,
    ...(step.connectionStamp === undefined ? {} : { connectionStamp: step.connectionStamp }), ...(step.lockBase === undefined ? {} : { lockBase: step.lockBase }),
    input: { connection: step.connection }, after, hasReferences: false, resources: [], risk: step.risk, timeoutMs: END_MS, attemptsMax: 1,
  }));
  const count = plan.length;
  const prepared = Array.from({ length: holders.size }, (_, place) => count + place);
  const waiting = plan.map(step => (step.phase === undefined && step.reversibility !== 'readOnly' ? { ...step, after: [...step.after, ...prepared] } : step));
  return [...waiting, ...own('prepare', works), ...own('commit', [...plan.keys(), ...prepared])];
}
/** Enough for a target that is busy; when it is over the outcome is asked for, nothing fails by it. */
const END_MS = 30_000;
