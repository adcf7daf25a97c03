import { expandResources, hasUnknownResources, lockName, parentOf, resolveInput, type Lock, type LockMode, type PlannedStep, type Resolution } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';

/** What a step's input says about the step: what it touches, and the locks for that. */
export interface Footprint {
  readonly uris: readonly string[];
  /** By the target's own identity: two connections to one thing are one thing. */
  readonly names: readonly string[];
  /** One per resource, and an intent on everything above it. */
  readonly locks: readonly Lock[];
  /** Is something it touches named by what can't be read here? */
  readonly unknown: boolean;
}

/** Of the input as it was sent, whatever its references stand for. A plan never changes, so it is worked out once. */
interface PlanFacts { readonly resolution: Resolution; readonly footprint: Footprint }
const known = new WeakMap<PlannedStep, PlanFacts>();

function factsOf(plan: PlannedStep): PlanFacts {
  let facts = known.get(plan);
  if (facts === undefined) {
    const resolution = resolveInput(plan.input, () => undefined);
    known.set(plan, facts = { resolution, footprint: footprint(plan, resolution.ok ? resolution.value : plan.input) });
  }
  return facts;
}

const bytes = new WeakMap<PlannedStep, number>();
/** About how much memory a step takes: of its JSON. */
export function bytesOf(plan: PlannedStep): number {
  let size = bytes.get(plan);
  if (size === undefined) bytes.set(plan, size = JSON.stringify(plan).length);
  return size;
}

/** Of a step without references. */
export const plannedInput = (plan: PlannedStep): Resolution => factsOf(plan).resolution;

/** @param resolution of its input; a plan without references needs none */
export function footprintOf(plan: PlannedStep, resolution: Resolution): Footprint {
  return plan.hasReferences && resolution.ok ? footprint(plan, resolution.value) : factsOf(plan).footprint;
}

const NOTHING: Footprint = { uris: [], names: [], locks: [], unknown: false };

function footprint(plan: PlannedStep, input: JsonObject): Footprint {
  if (plan.resources.length === 0) return NOTHING;
  const resources = expandResources(plan.resources, plan.connection, input);
  const locks: Lock[] = [];
  for (const { uri, access } of resources) {
    const name = lockName(uri, plan.lockBase);
    const intent: LockMode = access === 'write' ? 'intentWrite' : 'intentRead';
    locks.push({ resource: name, mode: access });
    for (let parent = parentOf(name); parent !== null; parent = parentOf(parent)) locks.push({ resource: parent, mode: intent });
  }
  const uris = resources.map(({ uri }) => uri);
  return { uris, names: uris.map(uri => lockName(uri, plan.lockBase)), locks, unknown: hasUnknownResources(plan.resources, input) };
}
