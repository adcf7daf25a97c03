import { randomUUID } from 'node:crypto';
import type { PolicyText } from '@aifirst/contracts';
import { setCrashHook } from '@aifirst/kernel';
import { MemoryStore } from '@aifirst/store/testing';
import { ADMIN, anAgent, aQuestion, aRole, aRunningService, aStep, NOW, WORKFLOW } from '../testing';
import { answerQuestions } from '../infrastructure/policy-module';
import { ANSWER_HOLDS_MS } from './decide-plans';

const open = (store: MemoryStore) => store.open({ log: 'policy', shard: 0, owner: 'test', takeOver: true });
async function running(store = new MemoryStore({ serviceName: 'policy' })) {
  const log = await open(store);
  return { store, log, ...(await aRunningService(log)) };
}
/** With role `clerk` (fs.* on docs), agent `robo` that holds it. */
async function settled() {
  const all = await running();
  await all.ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(['fs.*']), by: ADMIN });
  await all.ask.applyPrincipal(anAgent('robo'));
  return all;
}
type Running = Awaited<ReturnType<typeof settled>>;
const epochOf = async ({ ask }: Pick<Running, 'ask'>, tenant = 'acme') => (await ask.controlState({ tenant })).tenants[0]!.epoch;
const outcomes = async (all: Running, capability = 'fs.write') => {
  await all.bring(all.messages.length, aQuestion([aStep(capability)], { workflow: randomUUID() }));
  return all.answers().at(-1)!.decisions.map(({ outcome, code }) => code ?? outcome);
};
const put = (all: Running, name: string, cedar: string) => all.ask.putPolicy({ tenant: 'acme', name, value: { cedar }, by: ADMIN });
const activate = (all: Running, name: string, version = 1) => all.ask.activatePolicy({ tenant: 'acme', name, version, by: ADMIN });
const FORBID_ALL = 'forbid (principal, action, resource);';
const engage = (all: Pick<Running, 'ask'>, scope: { kind: string; id?: string }, tenant = 'acme') =>
  all.ask.putKillSwitch({ tenant, name: 'stop', value: { scope: scope as { kind: 'all' }, reason: 'fire', rollback: false, includeUndo: false }, by: ADMIN });

describe('a question', () => {
  it('is answered once, with its cause and trace, and its position is kept', async () => {
    const all = await settled();
    await all.bring(7, aQuestion([aStep('fs.write'), aStep('mail.send', { step: 'b' })]));
    expect(all.decided()).toEqual([expect.objectContaining({
      type: 'aifirst.policy.plan-decided.v1', subject: WORKFLOW, tenant: 'acme', causationid: `asked-${WORKFLOW}-1`, traceparent: expect.stringMatching(/^00-/), producer: 'policy/0',
      data: expect.objectContaining({ workflow: WORKFLOW, question: 1, action: 'execute', controlEpoch: 0, decisions: [expect.objectContaining({ step: 'a', outcome: 'allow' }), expect.objectContaining({ step: 'b', outcome: 'deny' })] }),
    })]);
    expect(all.log.positions()).toEqual({ 'orchestrator/0': 7 });
    await all.bring(8, aQuestion([aStep('fs.write')]));
    expect([all.decided().length, all.log.positions()]).toEqual([1, { 'orchestrator/0': 8 }]);
  });
  it('that repeats within a batch, or beside new ones, disturbs none', async () => {
    const all = await settled();
    const others = Array.from({ length: 5 }, () => aQuestion([aStep('fs.read')], { workflow: randomUUID() }));
    await all.bring(1, others[0]!, others[0]!, others[1]!);
    await all.bring(2, others[1]!, others[2]!, others[0]!, others[3]!, others[3]!, others[4]!);
    expect(all.answers().map(({ workflow }) => workflow)).toEqual(others.map(({ workflow }) => workflow));
  });
  it('that repeats a second after its answer is answered anew, and does not take the next one\'s place', async () => {
    const all = await settled();
    const ask = (position: number, question: number) => all.bring(position, aQuestion([aStep('fs.write')], { question }));
    await ask(1, 1);
    all.clock.ms += ANSWER_HOLDS_MS - 1;
    await ask(2, 1);
    expect(all.decided()).toHaveLength(1);
    all.clock.ms += 1;
    await ask(3, 1);
    await ask(4, 1);
    await ask(5, 2);
    all.clock.ms += ANSWER_HOLDS_MS;
    await ask(6, 1);
    expect(all.answers().map(({ question, decisions }) => [question, decisions[0]!.lease!.expiresAt - NOW])).toEqual([[1, 60_000], [1, 61_000], [2, 61_000], [1, 62_000]]);
  });
  it('that is none fails without taking effect, so that the bus parks it', async () => {
    const all = await settled();
    await expect(all.bring(1, aQuestion([aStep('fs.read')]), { ...aQuestion([]), workflow: 'no uuid' })).rejects.toThrow(/names no workflow/);
    await expect(all.bring(1, aQuestion([], { question: -1 }))).rejects.toThrow(/no number/);
    expect(all.decided()).toEqual([]);
    await all.bring(1, aQuestion([aStep('fs.read')]));
    expect(all.decided()).toHaveLength(1);
  });
  it('about a tenant that nobody knows is denied', async () => {
    const all = await running();
    await all.bring(1, aQuestion([aStep('fs.read')]));
    expect(all.answers()[0]!.decisions[0]).toMatchObject({ outcome: 'deny', code: 'POLICY_DENIED' });
  });
  it('whose answer was stored though the commit said it did not know is not answered twice', async () => {
    const all = await settled();
    let fate: 'unknownStored' | 'stored' = 'unknownStored';
    all.store.fate = () => { const now = fate; fate = 'stored'; return now; };
    await all.bring(1, aQuestion([aStep('fs.write')]));
    await all.bring(2, aQuestion([aStep('fs.write')], { question: 2 }));
    expect(all.answers().map(({ question }) => question)).toEqual([1, 2]);
  });
  it.each(['policy.commit.before', 'policy.commit.after'] as const)('is answered once whatever a crash at %s cuts off', async point => {
    const all = await settled();
    setCrashHook(name => { if (name === point) { setCrashHook(undefined); throw new Error('killed'); } });
    await expect(all.bring(1, aQuestion([aStep('fs.write')]))).rejects.toThrow('killed');
    const again = await running(all.store);
    await again.bring(1, aQuestion([aStep('fs.write')]));
    expect((await again.log.readStreams([WORKFLOW])).map(({ version }) => version)).toEqual([256]);
  });
  it('of a rollback is answered and recorded at once', async () => {
    const all = await settled();
    const by = { kind: 'agent', id: 'robo', tenant: 'acme' } as const;
    expect(await all.ask.decideRollback({ tenant: 'acme', workflow: WORKFLOW, by })).toMatchObject({ outcome: 'deny', code: 'POLICY_DENIED' });
    await all.ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(['fs.*', 'rollback']), by: ADMIN });
    expect(await all.ask.decideRollback({ tenant: 'acme', workflow: WORKFLOW, by })).toMatchObject({ step: '', outcome: 'allow', policies: ['role/clerk@2'] });
    expect(await all.ask.decideRollback({ tenant: 'acme', workflow: WORKFLOW, by: ADMIN })).toMatchObject({ outcome: 'allow' });
    expect(all.answers().map(({ action, workflow }) => [action, workflow])).toEqual(Array(3).fill(['rollback', WORKFLOW]));
  });
});

describe('roles', () => {
  it('hold for the next decision, and move the epoch when they take away', async () => {
    const all = await settled();
    const putRole = (...capabilities: string[]) => all.ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(capabilities), by: ADMIN });
    expect([await outcomes(all), await epochOf(all)]).toEqual([['allow'], 0]);
    await putRole('fs.*', 'noop');
    expect([await outcomes(all, 'noop'), await epochOf(all)]).toEqual([['allow'], 0]);
    await putRole('noop');
    expect([await outcomes(all), await epochOf(all)]).toEqual([['POLICY_DENIED'], 1]);
    expect(all.facts()).toEqual(['role-put clerk', 'principal-applied robo', 'role-put clerk', 'role-put clerk', 'control-epoch-moved acme']);
  });
  it('keep revisions, and count on when a name comes back', async () => {
    const all = await running();
    const putRole = (expectedRevision?: number) => all.ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(['fs.*']), by: ADMIN, ...(expectedRevision === undefined ? {} : { expectedRevision }) });
    expect(await putRole(0)).toMatchObject({ created: true, role: { name: 'clerk', revision: 1, value: aRole(['fs.*']) } });
    await expect(putRole(0)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED', extra: { revision: 1 } });
    await expect(putRole(2)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    expect(await putRole(1)).toMatchObject({ created: false, role: { revision: 2 } });
    await expect(all.ask.deleteRole({ tenant: 'acme', name: 'clerk', by: ADMIN, expectedRevision: 1 })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    expect(await all.ask.deleteRole({ tenant: 'acme', name: 'clerk', by: ADMIN })).toEqual({ deleted: true });
    expect(await all.ask.deleteRole({ tenant: 'acme', name: 'clerk', by: ADMIN })).toEqual({ deleted: false });
    expect(await all.ask.getRole({ tenant: 'acme', name: 'clerk' })).toBeNull();
    expect(await putRole(0)).toMatchObject({ created: true, role: { revision: 4 } });
  });
  it('are refused with the place of what is wrong', async () => {
    const { ask } = await running();
    await expect(ask.putRole({ tenant: 'acme', name: 'a/b', value: aRole(['fs.*']), by: ADMIN })).rejects.toMatchObject({ code: 'INVALID_FIELD', problems: [{ pointer: '/name' }] });
    await expect(ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(['fs.*', 'fs.nope', 'nope']), by: ADMIN })).rejects.toMatchObject({ problems: [{ code: 'INVALID_FIELD', pointer: '/capabilities/1' }, { pointer: '/capabilities/2' }] });
  });
  it('that someone holds stay', async () => {
    const all = await settled();
    await expect(all.ask.deleteRole({ tenant: 'acme', name: 'clerk', by: ADMIN })).rejects.toMatchObject({ code: 'IN_USE' });
    await all.ask.applyPrincipal(anAgent('robo', { deleted: true, revision: 2 }));
    expect(await all.ask.deleteRole({ tenant: 'acme', name: 'clerk', by: ADMIN })).toEqual({ deleted: true });
  });
  it('are listed by name, a tenant\'s own', async () => {
    const { ask } = await running();
    for (const name of ['c', 'a', 'B', 'b']) await ask.putRole({ tenant: 'acme', name, value: aRole(['fs.*']), by: ADMIN });
    await ask.putRole({ tenant: 'other', name: 'x', value: aRole(['fs.*']), by: ADMIN });
    const names = async (limit: number, after?: string) => (await ask.listRoles({ tenant: 'acme', limit, ...(after === undefined ? {} : { after }) })).items.map(({ name }) => name);
    expect([await names(3), await names(3, 'b'), await names(9)]).toEqual([['B', 'a', 'b'], ['c'], ['B', 'a', 'b', 'c']]);
    expect(await ask.missingRoles({ tenant: 'acme', roles: ['a', 'x', 'y', 'x'] })).toEqual({ missing: ['x', 'y'] });
  });
});

describe('policies', () => {
  it('count once they are activated, version by version, and move the epoch', async () => {
    const all = await settled();
    expect(await put(all, 'guard', FORBID_ALL)).toMatchObject({ created: true, policy: { revision: 1, value: { cedar: FORBID_ALL, version: 1, active: null } } });
    expect([await outcomes(all), await epochOf(all)]).toEqual([['allow'], 0]);
    expect(await activate(all, 'guard')).toMatchObject({ revision: 2, value: { version: 1, active: 1 } });
    expect([await outcomes(all), await epochOf(all)]).toEqual([['POLICY_DENIED'], 1]);
    expect(all.answers().at(-1)!.decisions[0]!.policies).toEqual(['guard@1']);
    const relaxed = 'forbid (principal, action == AiFirst::Action::"fs.delete", resource);';
    expect(await put(all, 'guard', relaxed)).toMatchObject({ created: false, policy: { revision: 3, value: { version: 2, active: 1 } } });
    expect(await outcomes(all)).toEqual(['POLICY_DENIED']);
    await activate(all, 'guard', 2);
    expect([await outcomes(all), await outcomes(all, 'fs.delete'), await epochOf(all)]).toEqual([['allow'], ['POLICY_DENIED'], 2]);
    await activate(all, 'guard', 1);
    expect([await outcomes(all), await epochOf(all)]).toEqual([['POLICY_DENIED'], 3]);
    const shown = async (version?: number) => (await all.ask.getPolicy({ tenant: 'acme', name: 'guard', ...(version === undefined ? {} : { version }) }))?.value;
    expect([await shown(), await shown(1), await shown(9)]).toEqual([{ cedar: relaxed, version: 2, active: 1 }, { cedar: FORBID_ALL, version: 1, active: 1 }, undefined] satisfies (PolicyText | undefined)[]);
    expect(await all.ask.deletePolicy({ tenant: 'acme', name: 'guard', by: ADMIN })).toEqual({ deleted: true });
    expect([await outcomes(all), await epochOf(all)]).toEqual([['allow'], 4]);
    expect(await put(all, 'guard', FORBID_ALL)).toMatchObject({ created: true, policy: { value: { version: 3, active: null } } });
    expect(all.facts().slice(2)).toEqual(['policy-put guard', 'policy-activated guard', 'control-epoch-moved acme', 'policy-put guard', ...Array(2).fill(['policy-activated guard', 'control-epoch-moved acme']).flat(), 'policy-deleted guard', 'control-epoch-moved acme', 'policy-put guard']);
  });
  it('change the policy version with every activation and role, and with nothing else', async () => {
    const all = await settled();
    const version = async () => { await outcomes(all); return all.answers().at(-1)!.decisions[0]!.policyVersion; };
    const seen = [await version()];
    await put(all, 'guard', FORBID_ALL);
    await all.ask.applyPrincipal(anAgent('rita'));
    expect(await version()).toBe(seen[0]);
    for (const next of [() => activate(all, 'guard'), () => activate(all, 'guard'), () => all.ask.putRole({ tenant: 'acme', name: 'clerk', value: aRole(['fs.*']), by: ADMIN }), () => all.ask.deletePolicy({ tenant: 'acme', name: 'guard', by: ADMIN })]) {
      await next();
      seen.push(await version());
    }
    expect(new Set(seen).size).toBe(5);
  });
  it('that do not parse are refused at once, others when they are validated or activated', async () => {
    const all = await running() as Running;
    await expect(put(all, 'p', 'permit (')).rejects.toMatchObject({ code: 'POLICY_INVALID', problems: [{ pointer: '/cedar' }] });
    await put(all, 'p', '@approval("1 of boss") permit (principal, action == AiFirst::Action::"fs.nope", resource); @later permit (principal, action, resource);');
    const refused = { code: 'POLICY_INVALID', problems: [expect.objectContaining({ detail: expect.stringMatching(/approvals are not there yet/) }), expect.objectContaining({ detail: expect.stringMatching(/`@later`/) }), expect.objectContaining({ detail: expect.stringMatching(/unrecognized action/) })] };
    await expect(activate(all, 'p')).rejects.toMatchObject(refused);
    await expect(all.ask.validatePolicy({ tenant: 'acme', name: 'p' })).rejects.toMatchObject(refused);
    await expect(all.ask.validatePolicy({ tenant: 'acme', cedar: 'permit (' })).rejects.toMatchObject({ code: 'POLICY_INVALID' });
    expect(await all.ask.validatePolicy({ tenant: 'acme', cedar: 'permit (principal in AiFirst::Role::"clrek", action, resource);' })).toEqual({ valid: true, warnings: ['there is no role `clrek` (yet)'] });
    expect(await epochOf(all)).toBe(0);
    await expect(activate(all, 'q')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(activate(all, 'p', 2)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(activate(all, 'p', 0)).rejects.toMatchObject({ code: 'INVALID_FIELD' });
  });
  it('may not be in force twice under one id', async () => {
    const all = await settled();
    await put(all, 'one', `@id("night") ${FORBID_ALL}`);
    await put(all, 'night', FORBID_ALL);
    await activate(all, 'one');
    await activate(all, 'one');
    await expect(activate(all, 'night')).rejects.toMatchObject({ code: 'POLICY_INVALID', message: expect.stringMatching(/in force already, in policy `one`/) });
  });
  it('are listed, with a schema of the tenant beside', async () => {
    const all = await settled();
    await put(all, 'b', FORBID_ALL);
    await put(all, 'a', FORBID_ALL);
    expect((await all.ask.listPolicies({ tenant: 'acme', limit: 5 })).items.map(({ name, value }) => [name, value.cedar])).toEqual([['a', FORBID_ALL], ['b', FORBID_ALL]]);
    expect(await all.ask.policySchema({ tenant: 'acme' })).toMatchObject({ AiFirst: { entityTypes: { Role: { annotations: { known: 'clerk' } }, Connection: { annotations: { known: 'aifirst, docs' } } } } });
  });
});

describe('controls', () => {
  it('hold an agent from the next decision on, and let it go on', async () => {
    const all = await settled();
    expect(await engage(all, { kind: 'agent', id: 'robo' })).toMatchObject({ created: true, killSwitch: { name: 'stop', revision: 1, value: { scope: { kind: 'agent', id: 'robo' } } } });
    expect([await outcomes(all), await epochOf(all)]).toEqual([['KILL_SWITCH'], 1]);
    expect(await engage(all, { kind: 'agent', id: 'robo' })).toMatchObject({ created: false, killSwitch: { revision: 2 } });
    await expect(all.ask.deleteKillSwitch({ tenant: 'acme', name: 'stop', by: ADMIN, expectedRevision: 1 })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    expect(await all.ask.deleteKillSwitch({ tenant: 'acme', name: 'stop', by: ADMIN, expectedRevision: 2 })).toEqual({ deleted: true });
    expect([await outcomes(all), await epochOf(all)]).toEqual([['allow'], 3]);
    expect(all.facts().slice(2).filter(fact => !fact.startsWith('control'))).toEqual(['kill-switch-engaged stop', 'kill-switch-engaged stop', 'kill-switch-lifted stop']);
  });
  it('of scope `all` hold every tenant', async () => {
    const all = await settled();
    await all.ask.applyPrincipal(anAgent('rita', { tenant: 'other' }));
    await engage(all, { kind: 'all' }, 'other');
    expect([await outcomes(all), await epochOf(all), await epochOf(all, 'other')]).toEqual([['KILL_SWITCH'], 1, 1]);
    expect(await all.ask.controlState({ tenant: null })).toEqual({ at: NOW, tenants: ['acme', 'other'].map(tenant => ({
      tenant, epoch: 1, suspendedAgents: [], killSwitches: [{ id: 'stop', kind: 'all', target: null, reason: 'fire', includeUndo: false, rollback: false }],
    })) });
    expect((await all.ask.listKillSwitches({ tenant: 'acme', limit: 9 })).items).toEqual([]);
    await all.ask.deleteKillSwitch({ tenant: 'other', name: 'stop', by: ADMIN });
    expect([await outcomes(all), await epochOf(all), await epochOf(all, 'other')]).toEqual([['allow'], 2, 2]);
  });
  it.each([
    [{ kind: 'tenant' }, 'NOT_IMPLEMENTED', '/scope/kind'], [{ kind: 'capability', id: 'fs.write' }, 'NOT_IMPLEMENTED', '/scope/kind'], [{ kind: 'connection', id: 'docs' }, 'NOT_IMPLEMENTED', '/scope/kind'],
    [{ kind: 'moon' }, 'INVALID_FIELD', '/scope/kind'], [{ kind: 'agent' }, 'INVALID_FIELD', '/scope/id'], [{ kind: 'agent', id: 'nobody' }, 'INVALID_FIELD', '/scope/id'], [{ kind: 'all', id: 'x' }, 'INVALID_FIELD', '/scope/id'],
  ])('of scope %j are refused', async (scope, code, pointer) => {
    await expect(engage(await settled(), scope)).rejects.toMatchObject({ code, problems: [{ pointer }] });
  });
  it('follow principals, an older change never overwriting a newer', async () => {
    const all = await settled();
    const apply = async (changes: Parameters<typeof anAgent>[1]) => (await all.ask.applyPrincipal(anAgent('robo', changes))).controlEpoch;
    expect(await apply({ suspended: true, revision: 3 })).toBe(1);
    expect([await outcomes(all), (await all.ask.controlState({ tenant: 'acme' })).tenants[0]!.suspendedAgents]).toEqual([['AGENT_SUSPENDED'], ['robo']]);
    expect(await apply({ revision: 2 })).toBe(1);
    expect(await apply({ revision: 3 })).toBe(1);
    expect(await outcomes(all)).toEqual(['AGENT_SUSPENDED']);
    expect(await apply({ revision: 4 })).toBe(2);
    expect(await outcomes(all)).toEqual(['allow']);
    expect(await apply({ revision: 5, roles: ['clerk', 'boss'] })).toBe(2);
    expect(await apply({ revision: 6, roles: ['boss'] })).toBe(3);
    expect(await outcomes(all)).toEqual(['POLICY_DENIED']);
    expect(await apply({ revision: 7, deleted: true })).toBe(4);
    expect(all.facts().filter(fact => fact === 'principal-applied robo')).toHaveLength(6);
  });
});

describe('what is stored', () => {
  const everything = async (all: Pick<Running, 'ask'>) => ({
    control: await all.ask.controlState({ tenant: null }), roles: await all.ask.listRoles({ tenant: 'acme', limit: 99 }), policies: await all.ask.listPolicies({ tenant: 'acme', limit: 99 }), switches: await all.ask.listKillSwitches({ tenant: 'acme', limit: 99 }),
  });
  it('is all there after a restart, and decides the same', async () => {
    const all = await settled();
    await put(all, 'guard', 'forbid (principal, action == AiFirst::Action::"fs.delete", resource);');
    await activate(all, 'guard');
    await put(all, 'guard', FORBID_ALL);
    await all.ask.applyPrincipal(anAgent('rita', { suspended: true }));
    await engage(all, { kind: 'agent', id: 'rita' });
    const before = [await outcomes(all), await outcomes(all, 'fs.delete'), all.answers().at(-1)!.decisions[0]!.policyVersion, await everything(all)];
    const again = { ...all, ...(await running(all.store)) };
    expect([await outcomes(again), await outcomes(again, 'fs.delete'), again.answers().at(-1)!.decisions[0]!.policyVersion, await everything(again)]).toEqual(before);
  });
  it('is what holds, also when a write failed in between', async () => {
    const all = await settled();
    all.store.fate = () => 'unknownAbsent';
    await expect(engage(all, { kind: 'all' })).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
    all.store.fate = () => 'stored';
    expect([await outcomes(all), await epochOf(all)]).toEqual([['allow'], 0]);
    let lost = 0;
    all.store.fate = () => (lost++ < 3 ? 'unknownStored' : 'stored');
    await engage(all, { kind: 'all' }).catch(() => undefined);
    expect([await outcomes(all), await epochOf(all)]).toEqual([['KILL_SWITCH'], 1]);
  });
  it('is not decided without where an active policy can not be read', async () => {
    const all = await settled();
    await put(all, 'guard', FORBID_ALL);
    await activate(all, 'guard');
    await all.log.commit({ documents: [{ kind: 'policy-version', tenant: 'acme', id: 'guard/1', data: { cedar: 'forbid (', by: 'x', createdAt: '' } }] });
    await expect(running(all.store)).rejects.toMatchObject({ code: 'POLICY_UNREADABLE' });
  });
  it('changes one write after another, however many come at once', async () => {
    const all = await settled();
    const results = await Promise.allSettled([...Array.from({ length: 5 }, () => all.ask.putRole({ tenant: 'acme', name: 'new', value: aRole(['fs.*']), by: ADMIN, expectedRevision: 0 })), outcomes(all), engage(all, { kind: 'all' }), outcomes(all)]);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(4);
    expect(all.answers().map(({ decisions }) => decisions[0]!.outcome)).toEqual(['allow', 'defer']);
  });
});

it('answers every question of policy\'s', async () => {
  const { service } = await running();
  const answered: string[] = [];
  answerQuestions(service, { ask: () => { throw new Error('asks nobody'); }, answer: (owner, question) => { answered.push(`${owner}.${question}`); } });
  expect(answered).toHaveLength(20);
  expect(answered).toEqual(expect.arrayContaining(['policy.putRole', 'policy.controlState', 'policy.decideRollback']));
});

afterEach(() => { setCrashHook(undefined); });
