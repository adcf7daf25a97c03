import { carryOut } from './carry-out';
import { PlanMaker } from './plan-maker';
import { PlanStale } from './proposal';
import { FakeModel, FakeRuntime } from './testing';

const PROPOSED = { goal: 'g', steps: [{ id: 'a', capability: 'fs.write', input: {} }] };
const STALE = { stale: [{ code: 'PLAN_STALE', detail: 'its target has changed' }] };

describe('a goal that is carried out', () => {
  let runtime: FakeRuntime;
  let planner: PlanMaker;
  beforeEach(() => { runtime = new FakeRuntime(); planner = new PlanMaker(runtime, new FakeModel(PROPOSED)); });

  it('is done after a person has said yes to what was shown', async () => {
    const asked: string[] = [];
    const carried = await carryOut(planner, 'g', { ask: async ({ planId }) => { asked.push(planId); return true; } });
    expect([carried.outcome, asked, runtime.applied.map(({ planId }) => planId)]).toEqual(['applied', ['plan-1'], ['plan-1']]);
  });

  it.each([['no', false], ['something that looks like yes', 'yes' as unknown as boolean], ['nothing', undefined as unknown as boolean], ['1', 1 as unknown as boolean]])('is not done where they say %s', async (_, said) => {
    expect((await carryOut(planner, 'g', { ask: async () => said })).outcome).toBe('declined');
    expect(runtime.applied).toEqual([]);
  });

  it('is not done where they can not be asked, or have gone', async () => {
    await expect(carryOut(planner, 'g', { ask: () => Promise.reject(new Error('nobody is there')) })).rejects.toThrow('nobody is there');
    const gone = new AbortController();
    planner = new PlanMaker(runtime, new FakeModel(PROPOSED));
    await expect(carryOut(planner, 'g', { ask: async () => { gone.abort(new Error('gone')); return true; }, signal: gone.signal })).rejects.toThrow('gone');
    expect(runtime.applied).toEqual([]);
  });

  it('is shown and asked for again where something has moved by then', async () => {
    runtime.applying.push(STALE, STALE);
    const asked: unknown[] = [];
    const carried = await carryOut(planner, 'g', { ask: async ({ planId }, moved) => { asked.push([planId, moved?.[0]?.detail ?? null]); return true; } });
    expect([carried.outcome, asked]).toEqual(['applied', [['plan-1', null], ['plan-2', 'its target has changed'], ['plan-3', 'its target has changed']]]);
    expect(runtime.applied.map(({ planId }) => planId)).toEqual(['plan-1', 'plan-2', 'plan-3']);
  });

  it('is not done after a no to what it has become', async () => {
    runtime.applying.push(STALE);
    expect((await carryOut(planner, 'g', { ask: async (_, moved) => moved === null })).outcome).toBe('declined');
    expect(runtime.applied).toHaveLength(1);
  });

  it('is given up where it never holds still', async () => {
    runtime.applying.push(...Array.from({ length: 9 }, () => STALE));
    await expect(carryOut(planner, 'g', { ask: async () => true, renewalsMax: 2 })).rejects.toThrow(PlanStale);
    expect(runtime.applied).toHaveLength(3);
  });
});
