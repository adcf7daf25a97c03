import { lockName, overlap, type CapabilityDescriptor, type StepView, type WorkflowView } from '@aifirst/contracts';
import { aDoneStep } from '../testing/a-done-step';
import { aStepView, aView } from '../testing/a-view';
import type { FoundTouch } from '../views/touches';
import { asTargetsTell, dependentsOf, type Dependent } from './dependents';

const CAPABILITIES: Readonly<Record<string, Pick<CapabilityDescriptor, 'reversibility' | 'adapter'>>> = {
  'fs.write': { reversibility: 'reversible', adapter: 'os' }, 'fs.read': { reversibility: 'readOnly', adapter: 'os' }, noop: { reversibility: 'reversible', adapter: 'builtin' },
};
const LATER = '2026-01-01T00:00:05.000Z';
const ACTED = Date.parse('2026-01-01T00:00:01.000Z');
const other = (capability: string, path: string, over: Partial<StepView> = {}): StepView =>
  aStepView({ id: capability.split('.')[1] ?? capability, capability, status: 'succeeded', endedAt: LATER, resources: path === '' ? [] : [`file://docs/${path}`], ...over });
const workflow = (steps: readonly StepView[], over: Partial<WorkflowView> = {}) => aView({ status: 'completed', agent: 'bob', steps, endedAt: LATER, ...over });

/** Of a workflow that has written `d` (or what it is told to). */
async function found(views: readonly WorkflowView[], own = [aDoneStep({ path: 'd', actedAt: ACTED })], base?: string) {
  const touches = views.flatMap(view => view.steps.flatMap((step, index) => step.resources.map((uri): FoundTouch => ({ workflow: view.id, step: index, name: lockName(uri, base), at: Date.parse(LATER) }))));
  return dependentsOf({
    touching: async ({ names, except, limit }) => touches.filter(({ workflow: id, name }) => id !== except && names.some(mine => overlap(mine, name))).slice(0, limit),
    all: async (_, ids) => views.filter(({ id }) => ids.includes(id)), capability: name => CAPABILITIES[name] as CapabilityDescriptor | undefined, baseOf: () => base,
  }, 'default', aView().id, own);
}

describe('who came after', () => {
  it('is named with what it did, where, when and for whom', async () => {
    const writer = workflow([other('fs.write', 'd/f')]);
    expect(await found([writer])).toEqual({ items: [{ workflow: writer.id, step: 'write', agent: 'bob', kind: 'overwrote', resource: 'file://docs/d/f', at: LATER, blocks: true }], truncated: false });
  });
  it('met it where both were: the narrower of the two', async () => {
    const { items } = await found([workflow([other('fs.read', '')])]);
    expect(items).toEqual([]);
    const above = await found([workflow([other('fs.write', 'a')])], [aDoneStep({ path: 'a/b/c', actedAt: ACTED })]);
    expect(above.items).toMatchObject([{ resource: 'file://docs/a/b/c' }]);
  });
  it('blocks where it has had effects, be it elsewhere; a mere reader does not', async () => {
    expect((await found([workflow([other('fs.read', 'd')])])).items).toMatchObject([{ kind: 'read', blocks: false }]);
    expect((await found([workflow([other('fs.read', 'd'), other('noop', '')])])).items).toMatchObject([{ kind: 'read', blocks: false }]);
    expect((await found([workflow([other('fs.read', 'd'), other('fs.write', 'elsewhere')])])).items).toMatchObject([{ kind: 'read', blocks: true }]);
    expect((await found([workflow([other('fs.read', 'd'), other('fs.write', 'elsewhere', { status: 'failed' })])])).items).toMatchObject([{ kind: 'read', blocks: false }]);
    expect((await found([workflow([other('gone', 'd')])])).items).toMatchObject([{ kind: 'overwrote', blocks: true }]);
  });
  it.each(['rolledBack', 'cancelled', 'rejected'] as const)('is nobody who was %s', async status => { expect((await found([workflow([other('fs.read', 'd')], { status })])).items).toEqual([]); });
  it('is somebody of whom a step stands although the rest was rolled back', async () => {
    const left = other('fs.write', 'd', { undo: { status: 'skipped', verified: false, reason: 'changed' }, statusReason: { code: 'TARGET_CHANGED', detail: '', since: LATER, actions: [] } });
    expect((await found([workflow([left], { status: 'rolledBack' })])).items).toMatchObject([{ blocks: true }]);
  });
  it.each(['failed', 'skipped', 'undone', 'pending'] as const)('is nobody whose step is %s', async status => { expect((await found([workflow([other('fs.write', 'd', { status })])])).items).toEqual([]); });
  it('is nobody who was there before it', async () => {
    expect((await found([workflow([other('fs.write', 'd', { endedAt: '2026-01-01T00:00:00.999Z' })])])).items).toEqual([]);
    // Why: of two own steps it may have come after the first alone.
    const both = [aDoneStep({ path: 'd', actedAt: ACTED }), aDoneStep({ index: 1, path: 'd', actedAt: Date.parse(LATER) + 1 })];
    expect((await found([workflow([other('fs.write', 'd')])], both)).items).toHaveLength(1);
  });
  it('is nobody where it only read, or only took from, or what it wrote is undone', async () => {
    const after = [workflow([other('fs.write', 'd')])];
    expect((await found(after, [aDoneStep({ path: 'd', actedAt: ACTED, reversibility: 'readOnly' })])).items).toEqual([]);
    expect((await found(after, [aDoneStep({ path: 'd', actedAt: ACTED, status: 'undone' })])).items).toEqual([]);
    const copy = aDoneStep({ actedAt: ACTED });
    const from = { ...copy, resources: ['file://docs/d', 'file://docs/e'], plan: { ...copy.plan, input: { path: 'd', to: 'e' }, resources: [{ uri: 'file://{connection}/{path}', access: 'read' as const }, { uri: 'file://{connection}/{to}', access: 'write' as const }] } };
    expect((await found(after, [from])).items).toEqual([]);
    expect((await found([workflow([other('fs.write', 'e')])], [from])).items).toHaveLength(1);
  });
  it('is nobody while its step still runs, or nobody knows whether it happened', async () => {
    for (const status of ['running', 'unknown'] as const) expect((await found([workflow([other('fs.write', 'd')])], [aDoneStep({ path: 'd', status, actedAt: 0 })])).items).toEqual([]);
  });
  it('is found by what the connection leads to', async () => {
    const elsewhere = workflow([other('fs.write', 'x', { resources: ['file://same/d/f'] })]);
    expect((await found([elsewhere], [aDoneStep({ path: 'd', actedAt: ACTED, lockBase: 'file:///srv' })], 'file:///srv')).items).toMatchObject([{ resource: 'file://same/d/f' }]);
    expect((await found([elsewhere], [aDoneStep({ path: 'd', actedAt: ACTED })])).items).toEqual([]);
  });
  it('are named by time, and said to be more than are named', async () => {
    const many = Array.from({ length: 1_002 }, (_, index) => workflow([other('fs.read', 'd', { endedAt: new Date(Date.parse(LATER) + (1_002 - index)).toISOString() })]));
    const { items, truncated } = await found(many);
    expect(truncated).toBe(true);
    expect([...items].sort((a, b) => (a.at < b.at ? -1 : 1))).toEqual(items);
  });
});

describe('who came after in the same table', () => {
  const item = (over: Partial<Dependent> = {}): Dependent => ({ workflow: 'w', step: 's', agent: 'bob', kind: 'overwrote', resource: 'sql://crm/public.customer', at: LATER, blocks: true, ...over });
  const told = (outcome: 'wouldUndo' | 'wouldBlock') => new Map([[0, { preview: { outcome, summary: '', conflicts: [], truncated: false } as const, digest: 'd' }]]);
  const own = [{ ...aDoneStep({ path: 'x', actedAt: ACTED }), resources: ['sql://crm/public.customer'] }];
  const blocks = (items: readonly Dependent[], answers: Parameters<typeof asTargetsTell>[2]) => asTargetsTell({ items, truncated: false }, own, answers).items.map(one => one.blocks);

  it('is in the way where a row was changed, or nobody can tell', () => {
    expect(blocks([item()], told('wouldBlock'))).toEqual([true]);
    expect(blocks([item()], new Map([[0, { error: { code: 'TIMEOUT', detail: '', passing: true } }]]))).toEqual([true]);
    expect(blocks([item()], new Map())).toEqual([true]);
  });
  it('is not where every row is as it was left; a reader that acted, and files, are as before', () => {
    expect(blocks([item(), item({ kind: 'read' }), item({ resource: 'file://docs/d' }), item({ blocks: false })], told('wouldUndo'))).toEqual([false, true, true, false]);
  });
});
