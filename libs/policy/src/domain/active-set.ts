import type { Json } from '@aifirst/kernel';
import type { EntityUid, PreparedPolicies } from './cedar-engine';
import { keyOfUid } from './entity-names';
import type { ContextReads } from './expressions';
import type { CompiledPolicy } from './policy-text';
import { mayApply, namedPrincipal } from './scope';

/** What the active policies say of one request. `policies` are labels, sorted, each once. */
export interface Verdict {
  readonly decision: 'allow' | 'deny';
  readonly policies: readonly string[];
  readonly errors: readonly { readonly policy: string; readonly message: string }[];
}

/** The policies of a tenant that can matter to one (roles or named principal, action). */
export interface Slice {
  readonly policies: readonly CompiledPolicy[];
  readonly reads: ContextReads;
  /** No conditions at all: the outcome is one of roles, action and resource alone, and is kept per resource. */
  readonly unconditional: boolean;
  readonly kept: Map<string, Verdict>;
  prepared: PreparedPolicies | null;
}

/** All that is in force for a tenant, with what was worked out from it. Replaced as a whole at every change. */
export interface ActiveSet {
  /** Counter and digest: another with every activation, equal sets have equal digests. */
  readonly version: string;
  readonly policies: readonly CompiledPolicy[];
  /** Principals that a scope names by themselves. */
  readonly named: ReadonlySet<string>;
  readonly slices: Map<string, Slice>;
}

export function activeSet(counter: number, policies: readonly CompiledPolicy[], digest: (value: Json) => string): ActiveSet {
  const sorted = [...policies].sort((a, b) => (a.key < b.key ? -1 : 1));
  const content = digest(sorted.map(({ label, text }) => [label, text])).replace(/^[^:]*:/, '').slice(0, 12);
  const named = new Set(sorted.map(({ json }) => namedPrincipal(json)).flatMap(uid => (uid === null ? [] : [keyOfUid(uid)])));
  return { version: `${counter}-${content}`, policies: sorted, named, slices: new Map() };
}

/** Who asks and what for, as far as scopes look at it. */
export interface Subject {
  readonly principal: EntityUid;
  /** Roles and tenant. */
  readonly parents: readonly EntityUid[];
  /** Tells subjects apart that a scope could tell apart. */
  readonly key: string;
}

export function subjectOf(active: ActiveSet, principal: EntityUid, parents: readonly EntityUid[]): Subject {
  const self = keyOfUid(principal);
  const key = [principal.type, ...parents.map(keyOfUid).sort(), ...(active.named.has(self) ? [self] : [])].join('\n');
  return { principal, parents, key };
}

export function sliceOf(active: ActiveSet, subject: Subject, action: EntityUid, groups: readonly EntityUid[]): Slice {
  const key = `${subject.key}\n\n${action.id}\n${groups.map(group => group.id).join('\n')}`;
  const known = active.slices.get(key);
  if (known !== undefined) return known;
  const policies = active.policies.filter(({ json }) =>
    mayApply(json.principal, subject.principal, subject.parents) && mayApply(json.action, action, groups));
  const slice: Slice = {
    policies, reads: unionOfReads(policies), unconditional: policies.every(({ json }) => json.conditions.length === 0), kept: new Map(), prepared: null,
  };
  active.slices.set(key, slice);
  return slice;
}

function unionOfReads(policies: readonly CompiledPolicy[]): ContextReads {
  const names = new Set<string>();
  for (const { reads } of policies) {
    if (reads === 'all') return 'all';
    for (const name of reads) names.add(name);
  }
  return names;
}
