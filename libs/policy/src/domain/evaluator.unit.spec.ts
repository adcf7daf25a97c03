import fc from 'fast-check';
import type { PrincipalRef } from '@aifirst/contracts';
import { WasmCedarEngine } from '../infrastructure/wasm-cedar-engine';
import { anAgent, aQuestion, aRole, aStep, aTenant, meansWith, NOW } from '../testing';
import type { CedarEngine, CedarRequest } from './cedar-engine';
import { decidePlan } from './decide-plan';
import { actionUid, connectionUid, groupsOf, principalUid, roleUid, tenantUid } from './entity-names';
import { Evaluator, textsOf } from './evaluator';
import type { TenantPolicy } from './tenant-policy';

const engine = new WasmCedarEngine();
const CAPABILITIES = ['fs.read', 'fs.write', 'aws.s3.putObject', 'noop', 'mail.send'];
const ROLES = ['clerk', 'boss', 'guest'];
const AGENTS = ['robo', 'rita'];
const CONNECTIONS = ['docs', 'crm'];

const pick = (from: readonly string[]) => fc.constantFrom(...from);
const scopeOfPrincipal = fc.oneof(fc.constant('principal'), pick(ROLES).map(r => `principal in AiFirst::Role::"${r}"`), pick(AGENTS).map(a => `principal == AiFirst::Agent::"${a}"`),
  fc.constant('principal is AiFirst::Person'), pick(ROLES).map(r => `principal is AiFirst::Agent in AiFirst::Role::"${r}"`), fc.constant('principal in AiFirst::Tenant::"acme"'), pick(AGENTS).map(a => `principal in AiFirst::Agent::"${a}"`));
const scopeOfAction = fc.oneof(fc.constant('action'), pick(CAPABILITIES).map(c => `action == AiFirst::Action::"${c}"`), pick(['fs.*', 'aws.*', 'aws.s3.*', 'reversible', 'readOnly', 'irreversible']).map(g => `action in AiFirst::Action::"${g}"`),
  fc.subarray(CAPABILITIES, { minLength: 1 }).map(all => `action in [${all.map(c => `AiFirst::Action::"${c}"`).join(', ')}]`));
const scopeOfResource = fc.oneof(fc.constant('resource'), pick([...CONNECTIONS, 'aifirst']).map(c => `resource == AiFirst::Connection::"${c}"`), fc.constant('resource is AiFirst::Connection'));
const condition = fc.oneof({ arbitrary: fc.constant(''), weight: 3 }, pick(['context.risk.score < 50', 'context.input.path == "a"', 'context.input has path && context.input.path like "a*"', 'context.resources.contains("file://docs/a")',
  'context.workflow.steps > 1', `context.time > ${NOW}`, 'principal == AiFirst::Agent::"rita"', 'principal in AiFirst::Role::"boss"', 'resource == AiFirst::Connection::"crm"', 'action in AiFirst::Action::"fs.*"', 'context has input',
  'context == {"a": 1}', 'context.nowhere', 'context["risk"]["level"] == "low"']).map(c => ` when { ${c} }`), pick(['context.tenant == "acme"', 'context.chain.contains("robo")', 'context.input.path has a']).map(c => ` unless { ${c} }`));
const policy = fc.tuple(fc.constantFrom('permit', 'permit', 'forbid'), scopeOfPrincipal, scopeOfAction, scopeOfResource, condition).map(([effect, p, a, r, c]) => `${effect} (${p}, ${a}, ${r})${c};`);
const role = fc.tuple(fc.subarray(['*', 'fs.*', 'fs.read', 'noop', 'reversible', 'mail.send']), fc.subarray(['*', ...CONNECTIONS])).map(([capabilities, connections]) => aRole(capabilities, connections));
const asked = fc.record({
  agent: pick(AGENTS), capability: pick(CAPABILITIES), connection: pick(CONNECTIONS), path: pick(['a', 'b']), twice: fc.boolean(), steps: fc.integer({ min: 1, max: 2 }),
});

/** The whole set, parsed for this one question, with the whole context: what slicing and keeping must come to. */
function unsliced(tenant: TenantPolicy, principal: PrincipalRef, step: ReturnType<typeof aStep>, steps: number) {
  const capability = actionUid(step.capability);
  const parents = tenant.principal('agent', principal.id)!.roles.map(roleUid).concat(tenantUid('acme'));
  const uid = principalUid(principal);
  const resource = connectionUid(step.connection ?? 'aifirst');
  const request: CedarRequest = {
    principal: uid, action: capability, resource,
    context: { input: step.input as CedarRequest['context'], resources: step.resources, risk: { level: step.risk.level, score: step.risk.score }, tenant: 'acme', time: NOW, workflow: { steps, capabilities: [step.capability], resources: [] }, chain: [principal.id] },
    entities: [{ uid, attrs: {}, parents }, { uid: capability, attrs: {}, parents: groupsOf(step.capability, step.reversibility).map(actionUid) }, { uid: resource, attrs: {}, parents: [] }],
  };
  const prepared = engine.prepare(textsOf(tenant.active.policies));
  const { decision, reasons, errors } = engine.authorize(prepared, request);
  engine.release(prepared);
  const label = (key: string) => key.slice(0, key.indexOf('#'));
  const sorted = (keys: readonly string[]) => [...new Set(keys.map(label))].sort();
  if (errors.length > 0) return { outcome: 'deny', code: 'POLICY_ERROR', policies: sorted(errors.map(error => error.policy)) };
  return decision === 'allow' ? { outcome: 'allow', code: undefined, policies: sorted(reasons) } : { outcome: 'deny', code: 'POLICY_DENIED', policies: sorted(reasons) };
}

describe('slices and kept verdicts', () => {
  it('decide as the whole set does, asked in any order', () => {
    const outcomes = { allow: 0, deny: 0, error: 0 };
    fc.assert(fc.property(fc.array(policy, { maxLength: 8 }), fc.array(role, { minLength: 3, maxLength: 3 }), fc.array(fc.subarray(ROLES), { minLength: 2, maxLength: 2 }), fc.array(asked, { minLength: 1, maxLength: 12 }), (policies, roles, held, questions) => {
      const tenant = aTenant(engine, {
        roles: Object.fromEntries(ROLES.map((name, index) => [name, roles[index]!])), policies: policies.length === 0 ? {} : { mix: policies.join('\n') },
        principals: AGENTS.map((id, index) => anAgent(id, { roles: held[index]! })),
      });
      const evaluator = new Evaluator(engine);
      for (const { agent, capability, connection, path, twice, steps } of questions) {
        const step = aStep(capability, { input: { path }, resources: [`file://docs/${path}`], ...(capability === 'noop' ? {} : { connection }) });
        const principal = { kind: 'agent', id: agent, tenant: 'acme' } as const;
        for (let time = 0; time < (twice ? 2 : 1); time++) {
          const [{ outcome, code, policies: determining } = { outcome: '', code: '', policies: [] }] = decidePlan(aQuestion([step], { principal, plan: { steps, capabilities: [capability], resources: [] } }), tenant, meansWith(evaluator));
          expect({ outcome, code, policies: determining }).toEqual(unsliced(tenant, principal, step, steps));
          outcomes[code === 'POLICY_ERROR' ? 'error' : outcome as 'allow' | 'deny']++;
        }
      }
      evaluator.forget(tenant.active);
    }), { numRuns: 250 });
    expect(Object.values(outcomes).every(count => count > 50)).toBe(true);
  });

  it('call a deny certain only if no input makes it anything else', () => {
    let certain = 0;
    fc.assert(fc.property(fc.array(policy, { maxLength: 5 }), role, pick(CAPABILITIES), (policies, clerk, capability) => {
      const tenant = aTenant(engine, { roles: { clerk }, policies: policies.length === 0 ? {} : { mix: policies.join('\n') }, principals: [anAgent('robo')] });
      const evaluator = new Evaluator(engine);
      const outcome = (changes: Parameters<typeof aStep>[1]) => decidePlan(aQuestion([aStep(capability, changes)]), tenant, meansWith(evaluator))[0]!.outcome;
      const early = outcome({ unresolved: true, input: { path: { $ref: '#/steps/x/output/p' } } });
      expect(early).not.toBe('allow');
      if (early !== 'deny') return;
      certain++;
      for (const input of [{}, { path: 'a' }, { path: 'b' }, { path: { a: 1 } }]) for (const resources of [[], ['file://docs/a']]) expect(outcome({ input, resources })).toBe('deny');
    }), { numRuns: 250 });
    expect(certain).toBeGreaterThan(20);
  });

  const counting = () => {
    const calls = { prepare: 0, release: 0, authorize: 0, partial: 0 };
    const counted: CedarEngine = {
      parse: text => engine.parse(text), validate: (...given) => engine.validate(...given),
      prepare: policies => { calls.prepare++; return engine.prepare(policies); }, release: prepared => { calls.release++; engine.release(prepared); },
      authorize: (...given) => { calls.authorize++; return engine.authorize(...given); },
      authorizePartially: (...given) => { calls.partial++; return engine.authorizePartially(...given); },
    };
    return { calls, counted };
  };
  const ask = (tenant: TenantPolicy, evaluator: Evaluator, changes: Parameters<typeof aStep>[1] = {}, id = 'robo') =>
    decidePlan(aQuestion([aStep('fs.read', changes)], { principal: { kind: 'agent', id, tenant: 'acme' } }), tenant, meansWith(evaluator))[0]!.outcome;
  const principals = [anAgent('robo'), anAgent('rita')];

  it('ask the engine once where roles, action and connection decide', () => {
    const { calls, counted } = counting();
    const evaluator = new Evaluator(counted);
    const tenant = aTenant(engine, { roles: { clerk: aRole(['fs.*'], ['docs', 'crm']) }, principals, policies: { other: 'forbid (principal, action == AiFirst::Action::"noop", resource) when { context.time > 0 };' } });
    for (let i = 0; i < 5; i++) for (const id of ['robo', 'rita']) for (const connection of CONNECTIONS) expect(ask(tenant, evaluator, { connection }, id)).toBe('allow');
    expect(calls).toEqual({ prepare: 1, release: 0, authorize: 2, partial: 0 });
    expect(ask(tenant, evaluator, { unresolved: true })).toBe('defer');
    expect(calls.partial).toBe(0);
    evaluator.forget(tenant.active);
    expect(calls.release).toBe(1);
  });
  it('ask every time where a condition stands', () => {
    const { calls, counted } = counting();
    const evaluator = new Evaluator(counted);
    const tenant = aTenant(engine, { policies: { p: 'permit (principal, action, resource) when { context.risk.score < 50 };' }, principals });
    for (let i = 0; i < 3; i++) ask(tenant, evaluator);
    expect(calls).toMatchObject({ prepare: 1, authorize: 3 });
  });
  it('tell agents apart where a scope names one', () => {
    const evaluator = new Evaluator(engine);
    const tenant = aTenant(engine, { policies: { p: 'permit (principal == AiFirst::Agent::"rita", action, resource);' }, principals });
    expect([ask(tenant, evaluator, {}, 'rita'), ask(tenant, evaluator, {}, 'robo'), ask(tenant, evaluator, {}, 'rita')]).toEqual(['allow', 'deny', 'allow']);
  });
  it('do not grow beyond measure', () => {
    const { calls, counted } = counting();
    const evaluator = new Evaluator(counted);
    const tenant = aTenant(engine, { roles: { clerk: aRole(['*'], ['*']) }, principals });
    for (let i = 0; i < 2100; i++) decidePlan(aQuestion([aStep(`x.c${i}`, { connection: 'docs' })]), tenant, meansWith(evaluator));
    expect(tenant.active.slices.size).toBe(2000);
    expect(calls.release).toBe(100);
  });
});

it('the version of a set tells sets and activations apart', () => {
  const versions = [{}, { policies: { p: 'permit (principal, action, resource);' } }, { policies: { p: 'forbid (principal, action, resource);' } }].map(given => aTenant(engine, given).active.version);
  expect(new Set(versions).size).toBe(3);
  expect(versions.every(version => /^3-[0-9a-f]{12}$/.test(version))).toBe(true);
});
