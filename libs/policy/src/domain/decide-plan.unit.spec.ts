import fc from 'fast-check';
import type { AskedStep, DecidePlan } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';
import { digestOf, leaseIsSealed } from '@aifirst/vault';
import { WasmCedarEngine } from '../infrastructure/wasm-cedar-engine';
import type { GivenTenant } from '../testing';
import { ADMIN, anAgent, aQuestion, aRole, aStep, aTenant, meansWith, NOW, SERVICE_KEY, WORKFLOW } from '../testing';
import type { CedarEngine } from './cedar-engine';
import { decidePlan, LEASE_MS } from './decide-plan';
import { Evaluator } from './evaluator';

const engine = new WasmCedarEngine();
const CLERK: GivenTenant = { roles: { clerk: aRole(['fs.*', 'sql.execute'], ['docs']) }, principals: [anAgent('robo')] };
const decide = (given: GivenTenant, question: DecidePlan, by: CedarEngine = engine) => decidePlan(question, aTenant(by, given), meansWith(new Evaluator(by)));
const decideStep = (given: GivenTenant, step: AskedStep) => decide(given, aQuestion([step]))[0]!;
const forbidding = (condition: string): GivenTenant => ({ ...CLERK, policies: { guard: `@id("guard") forbid (principal, action, resource) when { ${condition} };` } });
const HOLE = { ...CLERK, policies: { guard: '@id("guard") forbid (principal, action, resource) when { context.input.path like "secret/*" };' } };

describe('a step', () => {
  it('that nothing permits is denied, saying what would be allowed', () => {
    expect(decideStep(CLERK, aStep('mail.send', { connection: 'crm' }))).toEqual({
      step: 'a', generation: 1, outcome: 'deny', code: 'POLICY_DENIED', policies: [], policyVersion: expect.stringMatching(/^3-[0-9a-f]{12}$/), risk: { level: 'high', score: 80, factors: [{ factor: 'reversibility', weight: 80, value: 1 }] },
      reason: 'nothing permits `mail.send` on connection `crm`; role `clerk` permits fs.*, sql.execute on docs',
    });
    expect(decideStep({ principals: [anAgent('robo', { roles: [] })] }, aStep('fs.read')).reason).toBe('nothing permits `fs.read` on connection `docs`; the agent has no role');
    expect(decideStep({ principals: [anAgent('robo', { roles: ['gone'] })] }, aStep('fs.read')).reason).toMatch(/its roles permit nothing/);
  });
  it('is denied on a connection that its roles do not list', () => { expect(decideStep(CLERK, aStep('fs.read', { connection: 'crm' })).code).toBe('POLICY_DENIED'); });
  it('is allowed by a role, with the determining policies', () => {
    expect(decideStep(CLERK, aStep('fs.write'))).toMatchObject({ outcome: 'allow', policies: ['role/clerk@1'], reason: 'permitted by role/clerk@1' });
  });
  it('is allowed by a policy of a group, a reversibility, a tenant or the agent itself', () => {
    for (const scope of ['principal, action in AiFirst::Action::"aws.s3.*", resource', 'principal, action in AiFirst::Action::"reversible", resource', 'principal in AiFirst::Tenant::"acme", action, resource',
      'principal == AiFirst::Agent::"robo", action, resource', 'principal is AiFirst::Agent in AiFirst::Role::"clerk", action, resource == AiFirst::Connection::"docs"']) {
      expect(decideStep({ policies: { p: `permit (${scope});` }, principals: [anAgent('robo')] }, aStep('aws.s3.putObject'))).toMatchObject({ outcome: 'allow', policies: ['p@1'] });
    }
    expect(decideStep({ policies: { p: 'permit (principal == AiFirst::Agent::"other", action, resource);' }, principals: [anAgent('robo')] }, aStep('aws.s3.putObject')).outcome).toBe('deny');
    expect(decideStep({ policies: { p: 'permit (principal is AiFirst::Person, action, resource);' }, principals: [anAgent('robo')] }, aStep('aws.s3.putObject')).outcome).toBe('deny');
  });
  it('of a built-in runs on the connection `aifirst`, which roles need not list', () => {
    expect(decideStep({ ...CLERK, roles: { clerk: aRole(['noop'], []) } }, aStep('noop')).outcome).toBe('allow');
    expect(decideStep({ ...CLERK, policies: { p: 'forbid (principal, action, resource == AiFirst::Connection::"aifirst");' }, roles: { clerk: aRole(['noop'], ['*']) } }, aStep('noop')).outcome).toBe('deny');
  });
  it('is denied where a `forbid` is satisfied, whatever is permitted', () => {
    expect(decideStep(forbidding('context.risk.level == "low"'), aStep('fs.write'))).toMatchObject({ outcome: 'deny', code: 'POLICY_DENIED', policies: ['guard@1'], reason: 'forbidden by guard@1' });
  });
  it('is denied where any policy errs, whatever is permitted', () => {
    expect(decideStep(forbidding('context.input.nowhere == 1'), aStep('fs.write'))).toMatchObject({ outcome: 'deny', code: 'POLICY_ERROR', policies: ['guard@1'], reason: expect.stringMatching(/guard@1 failed.*`nowhere`/) });
    expect(decideStep(forbidding('context.budget > 1'), aStep('fs.write')).code).toBe('POLICY_ERROR');
  });
  it('is denied where the engine breaks down', () => {
    const broken = Object.assign(Object.create(engine) as CedarEngine, { authorize: () => { throw new OperationalError('CEDAR_FAILED', 'memory access out of bounds'); } });
    expect(decide(CLERK, aQuestion([aStep('fs.write')]), broken)[0]).toMatchObject({ outcome: 'deny', code: 'POLICY_ERROR' });
  });
  it('is denied where its input can not be shown, whether policies look or not', () => {
    const input = { path: 'a', x: [{ __extn: { fn: 'ip', arg: '1.1.1.1' } }] };
    expect(decideStep(CLERK, aStep('fs.write', { input }))).toMatchObject({ outcome: 'deny', code: 'POLICY_ERROR', reason: expect.stringMatching(/starts with `__`/) });
    expect(decideStep(CLERK, aStep('fs.write', { input, unresolved: true })).code).toBe('POLICY_ERROR');
    expect(decideStep(HOLE, aStep('fs.write', { input: { path: '\ud800' } })).code).toBe('POLICY_ERROR');
  });
  it('is judged by its input, resources, plan and time', () => {
    const asked = (condition: string) => decide(forbidding(condition), aQuestion([aStep('fs.write', { input: { path: 'secret/a', content: { $sealed: 'v1.a.b.c', class: 'content' } }, resources: ['file://docs/secret/a'] })],
      { plan: { steps: 2, capabilities: ['fs.write', 'mail.send'], resources: ['file://docs/secret/a'] } }))[0]!.code;
    for (const condition of ['context.input.path like "secret/*"', 'context.input.content.sealed', 'context.resources.contains("file://docs/secret/a")', 'context.workflow.steps > 1',
      'context.workflow.capabilities.contains("mail.send")', 'context.workflow.resources.contains("file://docs/secret/a")', 'context.tenant == "acme"', `context.time == ${NOW}`, 'context.chain.contains("robo")',
      'context.risk == {"level": "low", "score": 20}', 'context has input']) expect([condition, asked(condition)]).toEqual([condition, 'POLICY_DENIED']);
    expect(asked('context.input.path like "public/*"')).toBeUndefined();
  });
  it('can not get round a policy by padding its input', () => {
    const pad = Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`k${i}`, 'x'.repeat(10)]));
    for (const input of [{ ...pad, danger: true }, { options: { ...pad, danger: true } }]) {
      const condition = 'context.input has danger || (context.input has options && context.input.options has danger)';
      expect(decideStep(forbidding(condition), aStep('mail.send', { connection: 'docs', input })).outcome).toBe('deny');
      expect(decideStep({ ...forbidding(condition), roles: { clerk: aRole(['mail.send']) } }, aStep('mail.send', { connection: 'docs', input })).code).toBe('POLICY_ERROR');
    }
  });
});

describe('a step with unresolved references', () => {
  const unresolved = aStep('fs.write', { unresolved: true, input: { path: { $ref: '#/steps/x/output/path' } } });
  it.each<[string, GivenTenant, string, string | undefined]>([
    ['is deferred where it may be allowed', CLERK, 'defer', undefined],
    ['is deferred where it depends on the input', HOLE, 'defer', undefined],
    ['is deferred where it depends on resources', forbidding('context.resources.contains("file://docs/a")'), 'defer', undefined],
    ['is deferred where it depends on input and might err', forbidding('context.input.a.b.c == 1'), 'defer', undefined],
    ['is denied where nothing can permit it', { principals: [anAgent('robo', { roles: [] })] }, 'deny', 'POLICY_DENIED'],
    ['is denied where nothing can permit it, whatever else looks at its input', { ...HOLE, roles: {} }, 'deny', 'POLICY_DENIED'],
    ['is denied where a forbid holds whatever the input', { ...CLERK, policies: { ...HOLE.policies, always: '@id("always") forbid (principal, action, resource) when { context.risk.score < 50 };' } }, 'deny', 'POLICY_DENIED'],
  ])('%s', (_, given, outcome, code) => {
    const decision = decideStep(given, unresolved);
    expect(decision.outcome).toBe(outcome);
    expect(decision.code).toBe(code);
    expect(decision.lease ?? decision.undoLease).toBeUndefined();
  });
  it('does not show what stands in for the input', () => { expect(decideStep(forbidding('context.input.path has "$ref"'), unresolved).outcome).toBe('defer'); });
});

describe('the one who asks', () => {
  const step = aStep('fs.write');
  it.each<[string, GivenTenant, Partial<DecidePlan>, string, string | undefined]>([
    ['unknown is denied', CLERK, { principal: { kind: 'agent', id: 'nobody', tenant: 'acme' } }, 'deny', 'POLICY_DENIED'],
    ['deleted is denied', { ...CLERK, principals: [anAgent('robo', { deleted: true })] }, {}, 'deny', 'POLICY_DENIED'],
    ['suspended waits', { ...CLERK, principals: [anAgent('robo', { suspended: true })] }, {}, 'defer', 'AGENT_SUSPENDED'],
    ['a service is denied', CLERK, { principal: { kind: 'service', id: 'orchestrator', tenant: 'acme' } }, 'deny', 'POLICY_DENIED'],
    ['under a kill switch for all waits', { ...CLERK, killSwitches: [{ tenant: 'other', id: 'stop', scope: { kind: 'all' }, reason: 'fire', rollback: false, includeUndo: false }] }, {}, 'defer', 'KILL_SWITCH'],
    ['under a kill switch of its own waits', { ...CLERK, killSwitches: [{ tenant: 'acme', id: 'stop', scope: { kind: 'agent', id: 'robo' }, reason: 'fire', rollback: false, includeUndo: false }] }, {}, 'defer', 'KILL_SWITCH'],
    ['under another one\'s goes on', { ...CLERK, killSwitches: [{ tenant: 'acme', id: 'stop', scope: { kind: 'agent', id: 'other' }, reason: 'fire', rollback: false, includeUndo: false }] }, {}, 'allow', undefined],
    ['the administrator needs permission like anyone', CLERK, { principal: ADMIN }, 'deny', 'POLICY_DENIED'],
    ['the administrator may be permitted', { ...CLERK, policies: { p: 'permit (principal == AiFirst::Person::"admin", action, resource);' } }, { principal: ADMIN }, 'allow', undefined],
    ['an agent called admin is not the administrator', { ...CLERK, policies: { p: 'permit (principal == AiFirst::Person::"admin", action, resource);' }, principals: [anAgent('admin', { roles: [] })] }, { principal: { kind: 'agent', id: 'admin', tenant: 'acme' } }, 'deny', 'POLICY_DENIED'],
  ])('%s', (_, given, changes, outcome, code) => {
    expect(decide(given, aQuestion([step], changes))).toEqual([expect.objectContaining({ outcome, ...(code === undefined ? {} : { code }) })]);
  });
});

describe('a rollback', () => {
  const asked = (changes: Partial<DecidePlan> = {}) => aQuestion([], { action: 'rollback', ...changes });
  const rolesWith = (...capabilities: string[]): GivenTenant => ({ ...CLERK, roles: { clerk: aRole(capabilities) } });
  const stop = (includeUndo: boolean): GivenTenant => ({ ...rolesWith('rollback'), killSwitches: [{ tenant: 'acme', id: 'stop', scope: { kind: 'all' }, reason: 'fire', rollback: false, includeUndo }] });
  it.each<[string, GivenTenant, Partial<DecidePlan>, string]>([
    ['is one decision for the whole workflow', rolesWith('rollback'), { steps: [aStep('fs.read'), aStep('fs.write')] }, 'allow'],
    ['is denied to an agent whose roles do not list it', rolesWith('fs.*'), {}, 'deny'],
    ['is permitted by a role that permits everything', rolesWith('*'), {}, 'allow'],
    ['is always the administrator\'s', {}, { principal: ADMIN }, 'allow'],
    ['is not any other person\'s', { principals: [anAgent('ana', { kind: 'person', roles: [] })] }, { principal: { kind: 'person', id: 'ana', tenant: 'acme' } }, 'deny'],
    ['is denied to a suspended agent', { ...rolesWith('rollback'), principals: [anAgent('robo', { suspended: true })] }, {}, 'deny'],
    ['goes on under a kill switch', stop(false), {}, 'allow'],
    ['waits under one that includes undo', stop(true), {}, 'defer'],
  ])('%s', (_, given, changes, outcome) => {
    const decisions = decide(given, asked(changes));
    expect(decisions).toEqual([expect.objectContaining({ step: '', generation: 0, outcome })]);
    expect(decisions[0]!.lease ?? decisions[0]!.undoLease).toBeUndefined();
  });
});

describe('the leases of an allow', () => {
  const step = aStep('fs.write', { step: 'letter', generation: 2, input: { b: 1, path: 'a', content: { $sealed: 'v1.a.b.c', class: 'content' } } });
  const decision = decideStep(CLERK, step);
  const fields = { tenant: 'acme', workflow: WORKFLOW, step: 'letter', index: 0, generation: 2, agent: 'robo', capability: 'fs.write', connection: 'docs', inputDigest: digestOf(step.input), policyVersion: decision.policyVersion };
  it('fit the command alone, for a minute and an epoch', () => {
    const { mac, ...rest } = decision.lease!;
    expect(rest).toEqual({ policyVersion: decision.policyVersion, controlEpoch: 5, expiresAt: NOW + LEASE_MS });
    const sealed = { direction: 'forward', ...fields, controlEpoch: 5, expiresAt: NOW + 60_000 } as const;
    expect(leaseIsSealed(SERVICE_KEY, sealed, mac)).toBe(true);
    for (const change of [{ direction: 'undo' as const }, { generation: 3 }, { index: 1 }, { agent: 'other' }, { inputDigest: digestOf({}) }, { expiresAt: 0 }, { controlEpoch: 6 }, { connection: null }]) expect(leaseIsSealed(SERVICE_KEY, { ...sealed, ...change }, mac)).toBe(false);
  });
  it('let undo be done at any time', () => {
    const { mac, ...rest } = decision.undoLease!;
    expect(rest).toEqual({ policyVersion: decision.policyVersion, controlEpoch: 0, expiresAt: 0 });
    expect(leaseIsSealed(SERVICE_KEY, { direction: 'undo', ...fields, controlEpoch: 0, expiresAt: 0 }, mac)).toBe(true);
  });
  it('are given for nothing else', () => {
    for (const given of [HOLE, forbidding('true'), forbidding('context.a.b')]) {
      const { outcome, lease, undoLease } = decideStep(given, aStep('fs.write', { unresolved: given === HOLE }));
      expect([outcome === 'allow', lease, undoLease]).toEqual([false, undefined, undefined]);
    }
  });
});

it('a policy that errs denies, whatever permits and forbids stand beside it', () => {
  const condition = fc.constantFrom('true', 'false', 'context.risk.score < 50', 'context.input.path == "a"', 'context.workflow.steps > 0');
  const error = fc.constantFrom('context.nowhere == 1', 'context.input.nowhere', 'context.input.path < 3', 'ip(context.input.path).isIpv4()', 'context.risk.score + 9223372036854775807 > 0', 'principal.age > 3', 'context.input.path has x');
  const policy = fc.tuple(fc.constantFrom('permit', 'forbid'), condition);
  fc.assert(fc.property(fc.array(policy, { maxLength: 4 }), fc.constantFrom('permit', 'forbid'), error, fc.nat(4), (others, effect, bad, at) => {
    const policies = others.map(([kind, body]) => `${kind} (principal, action, resource) when { ${body} };`);
    policies.splice(at, 0, `@id("bad") ${effect} (principal, action, resource) when { ${bad} };`);
    const decision = decideStep({ ...CLERK, policies: { mix: policies.join('\n') } }, aStep('fs.write', { input: { path: 'a' } }));
    expect(decision).toMatchObject({ outcome: 'deny', code: 'POLICY_ERROR', policies: ['bad@1'] });
  }), { numRuns: 300 });
});

describe('a step of the engine\'s own that ends a transaction', () => {
  const ending = (phase: 'prepare' | 'commit') => aStep(`sql.${phase}`, { connection: 'crm', phase });
  it('needs no permission of its own', () => {
    for (const phase of ['prepare', 'commit'] as const) expect(decideStep(CLERK, ending(phase))).toMatchObject({ outcome: 'allow', policies: [], lease: {}, undoLease: {} });
  });
  it('is held by a suspension before it is decided, never after', () => {
    const suspended = { ...CLERK, principals: [anAgent('robo', { suspended: true })] };
    expect(decideStep(suspended, ending('prepare'))).toMatchObject({ outcome: 'defer', code: 'AGENT_SUSPENDED' });
    expect(decideStep(suspended, ending('commit'))).toMatchObject({ outcome: 'allow' });
  });
  it('has a lease that fits no step outside of the transaction', () => {
    const work = aStep('sql.execute', { connection: 'docs', phase: 'work' });
    const { lease } = decideStep(CLERK, work);
    const fields = {
      direction: 'forward' as const, tenant: 'acme', workflow: WORKFLOW, step: work.step, index: work.index, generation: 1, agent: 'robo', capability: 'sql.execute', connection: 'docs', inputDigest: digestOf(work.input),
      policyVersion: lease!.policyVersion, controlEpoch: lease!.controlEpoch, expiresAt: lease!.expiresAt,
    };
    expect([leaseIsSealed(SERVICE_KEY, { ...fields, phase: 'work' }, lease!.mac), leaseIsSealed(SERVICE_KEY, fields, lease!.mac), leaseIsSealed(SERVICE_KEY, { ...fields, phase: 'commit' }, lease!.mac)]).toEqual([true, false, false]);
  });
});
