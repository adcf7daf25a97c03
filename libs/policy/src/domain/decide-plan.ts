import { isEngineStep, type AskedStep, type DecidePlan, type PolicyPrincipal, type PrincipalRef, type Risk, type SealedFields, type StepDecision } from '@aifirst/contracts';
import type { Json } from '@aifirst/kernel';
import { messageOf } from '@aifirst/kernel';
import type { Subject, Verdict } from './active-set';
import { subjectOf } from './active-set';
import { actionUid, ADMINISTRATOR, BUILT_IN_CONNECTION, connectionUid, groupsOf, principalUid, ROLLBACK, roleUid, tenantUid } from './entity-names';
import type { Asked, Evaluator } from './evaluator';
import { projectInput, refuseReservedKeys, Unprojectable } from './projection';
import { whyAllowed, whyErred, whyForbidden, whyNothingPermits } from './reasons';
import { weigh } from './risk';
import type { TenantPolicy } from './tenant-policy';
import { principalOf, switchThatHolds } from './tenant-policy';

/** How long a leave to act holds. */
export const LEASE_MS = 60_000;
/** What a step with unresolved references leaves open. */
const UNKNOWN = ['input', 'resources'] as const;
const NO_RISK: Risk = { level: 'low', score: 0 };

export interface Means {
  readonly evaluator: Evaluator;
  /** Milliseconds since 1970. */
  readonly now: number;
  digest(value: Json): string;
  seal(fields: SealedFields): string;
}

type Ruling = Pick<StepDecision, 'outcome' | 'policies' | 'reason'> & { readonly code?: string };

/** One decision per step in the order of the question; for `rollback` one for the whole workflow, with step `''`. */
export function decidePlan(question: DecidePlan, policy: TenantPolicy, means: Means): StepDecision[] {
  const { principal, chain = [] } = question;
  const acting = rightsOf(principal, question, policy);
  const policyVersion = policy.active.version;
  if (question.action === 'rollback') {
    const ruling = acting.held ?? rulingOnRollback(question, policy, means, acting.known, acting.subject);
    return [{ step: '', generation: 0, ...ruling, policyVersion, risk: highestRisk(question.steps) }];
  }
  const others = chain.map(one => ({ one, rights: rightsOf(one, question, policy) }));
  const held = acting.held ?? others.find(({ rights }) => rights.held !== null)?.rights.held ?? null;
  const rulingAs = (rights: Rights, step: AskedStep): Ruling => rights.held ?? rulingOn(step, question, policy, means, rights.known, rights.subject);
  return question.steps.map(asked => {
    const step: AskedStep = isEngineStep(asked) ? asked : { ...asked, risk: weigh(asked, policy.hasUsed?.(principal, asked) === false) };
    const ruling = rulingOnCommitment(step, held) ?? strictest(rulingAs(acting, step), others.map(({ one, rights }) => ({ one, ruling: rulingAs(rights, step) })));
    const decision: StepDecision = { step: step.step, generation: step.generation, ...ruling, policyVersion, risk: step.risk };
    return ruling.outcome === 'allow' ? { ...decision, ...leasesFor(step, policy, question, means) } : decision;
  });
}

/** What a principal has to be judged by: itself, or what holds it whatever it asks. */
type Rights = { readonly held: Ruling; readonly known: null } | { readonly held: null; readonly known: PolicyPrincipal; readonly subject: Subject };

function rightsOf(principal: PrincipalRef, question: DecidePlan, policy: TenantPolicy): Rights {
  const held = heldOrUnknown({ ...question, principal }, policy);
  if (held !== null) return { held, known: null };
  const known = principalOf(policy, principal)!;
  return { held: null, known, subject: subjectOf(policy.active, principalUid(principal), [...new Set(known.roles)].map(roleUid).concat(tenantUid(policy.tenant))) };
}

/** Who acts for others may do what all of them may. Of several that say no the acting one's word is told, then that of the first. */
function strictest(own: Ruling, others: readonly { readonly one: PrincipalRef; readonly ruling: Ruling }[]): Ruling {
  if (others.length === 0) return own;
  const all = [own, ...others.map(({ one, ruling }): Ruling => ({ ...ruling, reason: `${one.kind} \`${one.id}\`, on whose behalf it acts: ${ruling.reason}` }))];
  const told = all.find(({ outcome }) => outcome === 'deny') ?? all.find(({ outcome }) => outcome !== 'allow');
  if (told !== undefined) return told;
  return { outcome: 'allow', policies: [...new Set(all.flatMap(({ policies }) => policies))].sort(), reason: all.map(({ reason }) => reason).join('; ') };
}

/**
 * What has been allowed step by step is prepared and committed without a further permission. A hold keeps it from being
 * prepared; once it is decided, whatever holds, each part must follow, or the parts would differ.
 */
function rulingOnCommitment({ phase }: AskedStep, held: Ruling | null): Ruling | null {
  if (phase === 'commit') return { outcome: 'allow', policies: [], reason: 'carries out what the workflow has decided' };
  return phase === 'prepare' && held === null ? { outcome: 'allow', policies: [], reason: 'prepares what has been allowed' } : null;
}

/** What holds or ends the whole question, whatever its steps; null: nothing. */
function heldOrUnknown({ principal, action }: DecidePlan, policy: TenantPolicy): Ruling | null {
  const known = principalOf(policy, principal);
  const forward = action === 'execute';
  if (known === undefined) return { outcome: 'deny', code: 'POLICY_DENIED', policies: [], reason: `there is no ${principal.kind} \`${principal.id}\` (any more)` };
  if (known.suspended) {
    // Why: an open workflow waits, and goes on by itself when the agent may again; a suspended one asks for nothing new.
    return { outcome: forward ? 'defer' : 'deny', code: 'AGENT_SUSPENDED', policies: [], reason: `the ${principal.kind} is suspended` };
  }
  const engaged = switchThatHolds(policy, principal);
  if (engaged !== undefined && (forward || engaged.includeUndo)) {
    return { outcome: 'defer', code: 'KILL_SWITCH', policies: [], reason: `kill switch \`${engaged.id}\` is engaged: ${engaged.reason}` };
  }
  return null;
}

function rulingOnRollback(question: DecidePlan, policy: TenantPolicy, means: Means, known: PolicyPrincipal, subject: Subject): Ruling {
  if (known.kind === 'person' && known.id === ADMINISTRATOR) return { outcome: 'allow', policies: [], reason: 'the administrator may roll back any workflow' };
  const asked: Asked = {
    subject, action: actionUid(ROLLBACK), actionGroups: [], resource: connectionUid(BUILT_IN_CONNECTION),
    context: contextOf({ input: {}, resources: question.plan.resources, risk: highestRisk(question.steps) }, question, policy, means),
  };
  return failingClosed(() => rulingFrom(means.evaluator.evaluate(policy.active, asked), policy, known, ROLLBACK, BUILT_IN_CONNECTION));
}

function rulingOn(step: AskedStep, question: DecidePlan, policy: TenantPolicy, means: Means, known: PolicyPrincipal, subject: Subject): Ruling {
  const connection = step.connection ?? BUILT_IN_CONNECTION;
  const asked: Asked = {
    subject, action: actionUid(step.capability), actionGroups: groupsOf(step.capability, step.reversibility).map(actionUid), resource: connectionUid(connection),
    context: contextOf(step, question, policy, means),
  };
  return failingClosed(() => {
    // Why: also where no policy looks at the input, so that it does not depend on policies whether an input is fit.
    refuseReservedKeys(step.input);
    if (!step.unresolved) return rulingFrom(means.evaluator.evaluate(policy.active, asked), policy, known, step.capability, connection);
    const certain = means.evaluator.evaluatePartially(policy.active, asked, UNKNOWN);
    if (certain !== null) return rulingFrom(certain, policy, known, step.capability, connection);
    return { outcome: 'defer', policies: [], reason: 'its input is not known yet: asked again when it is' };
  });
}

function contextOf(step: Pick<AskedStep, 'input' | 'resources' | 'risk'>, { plan, principal, chain = [] }: DecidePlan, policy: TenantPolicy, means: Means): Asked['context'] {
  return {
    input: () => projectInput(step.input, means.digest),
    resources: () => [...new Set(step.resources)],
    risk: () => ({ level: step.risk.level, score: Math.round(step.risk.score) }),
    tenant: () => policy.tenant,
    time: () => means.now,
    workflow: () => ({ steps: plan.steps, capabilities: [...new Set(plan.capabilities)], resources: [...new Set(plan.resources)] }),
    chain: () => [...chain.map(({ id }) => id), principal.id],
  };
}

function rulingFrom(verdict: Verdict, policy: TenantPolicy, known: PolicyPrincipal, capability: string, connection: string): Ruling {
  if (verdict.errors.length > 0) {
    return { outcome: 'deny', code: 'POLICY_ERROR', policies: [...new Set(verdict.errors.map(error => error.policy))], reason: whyErred(verdict.errors) };
  }
  if (verdict.decision === 'allow') return { outcome: 'allow', policies: verdict.policies, reason: whyAllowed(verdict.policies) };
  const reason = verdict.policies.length > 0 ? whyForbidden(verdict.policies) : whyNothingPermits(policy, known, capability, connection);
  return { outcome: 'deny', code: 'POLICY_DENIED', policies: verdict.policies, reason };
}

/** Whatever goes wrong while deciding is a deny. */
function failingClosed(decide: () => Ruling): Ruling {
  try {
    return decide();
  } catch (error) {
    const reason = error instanceof Unprojectable ? error.message : `the policies could not be evaluated: ${messageOf(error).slice(0, 200)}`;
    return { outcome: 'deny', code: 'POLICY_ERROR', policies: [], reason };
  }
}

/** The undo lease neither ends nor moves with the epoch: what may be done may be taken back. */
function leasesFor(step: AskedStep, policy: TenantPolicy, { workflow, principal }: DecidePlan, means: Means): Pick<Required<StepDecision>, 'lease' | 'undoLease'> {
  const policyVersion = policy.active.version;
  const inputDigest = means.digest(step.input);
  const sealed = (direction: SealedFields['direction'], controlEpoch: number, expiresAt: number) => ({
    policyVersion, controlEpoch, expiresAt,
    mac: means.seal({
      direction, tenant: policy.tenant, workflow, step: step.step, index: step.index, generation: step.generation, agent: principal.id, capability: step.capability, connection: step.connection,
      inputDigest, policyVersion, controlEpoch, expiresAt, ...(step.phase === undefined ? {} : { phase: step.phase }),
    }),
  });
  return { lease: sealed('forward', policy.epoch, means.now + LEASE_MS), undoLease: sealed('undo', 0, 0) };
}

const highestRisk = (steps: readonly AskedStep[]): Risk => steps.reduce((highest, { risk }) => (risk.score > highest.score ? risk : highest), NO_RISK);
