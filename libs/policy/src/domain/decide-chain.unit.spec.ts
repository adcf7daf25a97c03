import fc from 'fast-check';
import type { DecidePlan, PrincipalRef } from '@aifirst/contracts';
import { WasmCedarEngine } from '../infrastructure/wasm-cedar-engine';
import type { GivenTenant } from '../testing';
import { anAgent, aQuestion, aRole, aStep, aTenant, meansWith } from '../testing';
import { decidePlan } from './decide-plan';
import { Evaluator } from './evaluator';

const engine = new WasmCedarEngine();
const evaluator = new Evaluator(engine);
const ref = (id: string): PrincipalRef => ({ kind: 'agent', id, tenant: 'acme' });
const decide = (given: GivenTenant, question: DecidePlan) => decidePlan(question, aTenant(engine, given), meansWith(evaluator));

const ROLES = { reader: aRole(['fs.read']), clerk: aRole(['fs.*']), anywhere: aRole(['fs.*'], ['*']) };
const agent = (id: string, ...roles: readonly string[]) => anAgent(id, { roles });
const asked = (actor: string, chain: readonly string[], capability = 'fs.write') => aQuestion([aStep(capability)], { principal: ref(actor), chain: chain.map(ref) });

describe('a step that is done on behalf of others', () => {
  const given: GivenTenant = { roles: ROLES, principals: [agent('boss', 'clerk'), agent('intern', 'reader'), agent('worker', 'anywhere'), anAgent('away', { roles: ['clerk'], suspended: true })] };

  it('is allowed where all of them may, by the policies of all, with a lease for the one that acts', () => {
    const [decision] = decide(given, asked('worker', ['boss']));
    expect(decision).toMatchObject({ outcome: 'allow', policies: ['role/anywhere@1', 'role/clerk@1'], reason: expect.stringContaining('agent `boss`, on whose behalf it acts') as string });
    expect([decision!.lease, decision!.undoLease]).toEqual([expect.anything(), expect.anything()]);
  });

  it('is denied where one of them may not, saying who, and has no lease', () => {
    for (const chain of [['intern'], ['boss', 'intern'], ['intern', 'boss']]) {
      const [decision] = decide(given, asked('worker', chain));
      expect(decision).toMatchObject({ outcome: 'deny', code: 'POLICY_DENIED', reason: expect.stringMatching(/^agent `intern`, on whose behalf it acts: nothing permits `fs.write`/) as string });
      expect([decision!.lease, decision!.undoLease]).toEqual([undefined, undefined]);
    }
  });

  it('is denied where the one that acts may not, whatever the others may', () => {
    expect(decide(given, asked('intern', ['boss']))[0]).toMatchObject({ outcome: 'deny', reason: expect.stringMatching(/^nothing permits/) as string });
  });

  it('waits while one of them is suspended or held, and is denied where one is gone', () => {
    expect(decide(given, asked('worker', ['boss', 'away']))[0]).toMatchObject({ outcome: 'defer', code: 'AGENT_SUSPENDED' });
    expect(decide(given, asked('worker', ['nobody']))[0]).toMatchObject({ outcome: 'deny', code: 'POLICY_DENIED' });
    expect(decide(given, asked('worker', ['away', 'intern']))[0]).toMatchObject({ outcome: 'deny' });
  });

  it('shows policies who is in the chain, the one that acts last', () => {
    const guarded: GivenTenant = { ...given, policies: { guard: '@id("guard") forbid (principal, action, resource) when { context.chain.contains("boss") };' } };
    expect(decide(guarded, asked('worker', ['boss']))[0]).toMatchObject({ outcome: 'deny', policies: ['guard@1'] });
    expect(decide(guarded, asked('worker', []))[0]).toMatchObject({ outcome: 'allow' });
  });

  it('is allowed exactly where each of them is allowed it alone', () => {
    const roles = fc.subarray(Object.keys(ROLES));
    const ids = ['a', 'b', 'c', 'd'];
    fc.assert(fc.property(fc.tuple(roles, roles, roles, roles), fc.constantFrom('fs.read', 'fs.write', 'sql.execute'), fc.constantFrom('docs', 'crm'), fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1 }), (of, capability, connection, [actor, ...chain]) => {
      const tenant: GivenTenant = { roles: ROLES, principals: ids.map((id, index) => agent(id, ...of[index]!)) };
      const outcome = (who: string, others: readonly string[]) => decide(tenant, aQuestion([aStep(capability, { connection })], { principal: ref(who), chain: others.map(ref) }))[0]!.outcome;
      expect(outcome(actor!, chain)).toBe([actor!, ...chain].every(one => outcome(one, []) === 'allow') ? 'allow' : 'deny');
    }), { numRuns: 200 });
  });
});
