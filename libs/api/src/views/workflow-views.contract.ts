import type { WorkflowView } from '@aifirst/contracts';
import { aView } from '../testing/a-view';
import { boundedName } from './touches';
import type { WorkflowViews } from './workflow-views';

/** What every store of views does. Each test has a tenant of its own. */
export function workflowViewsContract(views: () => WorkflowViews): void {
  let tenants = 0;
  let tenant: string;
  beforeEach(() => { tenant = `tenant-${++tenants}`; });
  const view = (over: Partial<WorkflowView> = {}) => aView({ tenant, ...over });
  const save = (list: readonly WorkflowView[], sequence = 1) => views().save(list.map(one => ({ view: one, sequence, facts: sequence })), {});
  const ids = async (filter: Partial<Parameters<WorkflowViews['list']>[0]> = {}) => (await views().list({ tenant, limit: 50, ...filter })).map(({ id }) => id);

  it('gives back what was stored, to its tenant alone', async () => {
    const one = view({ goal: 'ümläut "quoted" \\ {}', labels: { team: 'credit' } });
    await save([one]);
    expect(await views().find(tenant, one.id)).toEqual(one);
    expect(await views().find('another', one.id)).toBeNull();
    expect(await views().read([one.id, aView().id])).toEqual([{ view: one, sequence: 1, facts: 1 }]);
    expect(await views().list({ tenant: 'another', limit: 50 })).toEqual([]);
  });

  it('keeps positions with the views, each source for itself', async () => {
    await views().save([{ view: view(), sequence: 1, facts: 1 }], { 'orchestrator/0': 7, 'gateway/0': 3 });
    await views().save([], { 'orchestrator/0': 9 });
    expect(await views().positions()).toMatchObject({ 'orchestrator/0': 9, 'gateway/0': 3 });
  });

  it('does not let an older view overwrite a newer one', async () => {
    const one = view();
    await save([{ ...one, status: 'completed' }], 5);
    await save([{ ...one, status: 'running' }], 4);
    expect(await views().read([one.id])).toMatchObject([{ view: { status: 'completed' }, sequence: 5 }]);
    await save([{ ...one, status: 'rollingBack' }], 5);
    expect(await views().find(tenant, one.id)).toMatchObject({ status: 'rollingBack' });
  });

  it('finds what is open page by page, and what has ended where that is in doubt', async () => {
    const [open, ended, doubted] = [view(), view({ status: 'completed', endedAt: '2026-01-01T00:00:01.000Z' }), view({ status: 'completed', endedAt: '2026-01-01T00:00:01.000Z' })];
    await save([open, ended, doubted]);
    await views().doubt([doubted.id]);
    const found = async (): Promise<string[]> => {
      const all: string[] = [];
      for (let after: string | null = null; ;) {
        const page: readonly { view: WorkflowView }[] = await views().open(after, 1);
        if (page.length === 0) return all;
        after = page[0]!.view.id;
        if (page[0]!.view.tenant === tenant) all.push(after);
      }
    };
    expect(await found()).toEqual([open.id, doubted.id].sort());
    expect(await views().find(tenant, doubted.id)).toEqual(doubted);
    await save([doubted]);
    expect(await found()).toEqual([open.id]);
  });

  it('lists newest first, page by page, those of one millisecond by id', async () => {
    const made = [1, 2, 2, 2, 3].map((second, at) => view({ id: `019c0000-0000-7000-8000-${tenants.toString().padStart(6, '0')}${at.toString().padStart(6, '0')}`, createdAt: `2026-01-01T00:00:0${second}.000Z` }));
    await save(made);
    const expected = [...made].reverse().map(({ id }) => id);
    expect(await ids()).toEqual(expected);
    const seen: string[] = [];
    for (let after: { createdAt: string; id: string } | undefined; ;) {
      const page = await views().list({ tenant, limit: 2, ...(after === undefined ? {} : { after }) });
      seen.push(...page.map(({ id }) => id));
      if (page.length < 2) break;
      after = page[1]!;
    }
    expect(seen).toEqual(expected);
  });

  it('filters by status, agent, labels and time', async () => {
    const [open, done] = [view({ status: 'running', agent: 'ana', labels: { team: 'credit', env: 'test' }, createdAt: '2026-01-01T00:00:00.000Z' }), view({ status: 'completed', agent: 'bob', labels: { team: 'credit' }, createdAt: '2026-01-02T00:00:00.000Z', endedAt: '2026-01-02T00:00:01.000Z' })];
    await save([open, done]);
    expect(await ids({ status: 'running' })).toEqual([open.id]);
    expect(await ids({ status: 'completed' })).toEqual([done.id]);
    expect(await ids({ agent: 'bob' })).toEqual([done.id]);
    expect(await ids({ labels: { team: 'credit' } })).toEqual([done.id, open.id]);
    expect(await ids({ labels: { team: 'credit', env: 'test' } })).toEqual([open.id]);
    expect(await ids({ labels: { team: 'other' } })).toEqual([]);
    expect(await ids({ createdFrom: '2026-01-02T00:00:00.000Z' })).toEqual([done.id]);
    expect(await ids({ createdTo: '2026-01-02T00:00:00.000Z' })).toEqual([open.id]);
    expect(await ids({ status: 'running', agent: 'bob' })).toEqual([]);
  });

  it('forgets what ended long ago and nothing else', async () => {
    const [old, young, open] = [view({ endedAt: '2020-01-01T00:00:00.000Z', status: 'completed' }), view({ endedAt: '2026-01-01T00:00:00.000Z', status: 'completed' }), view()];
    await save([old, young, open]);
    expect(await views().forget('2021-01-01T00:00:00.000Z')).toBe(1);
    expect(await views().forget('2021-01-01T00:00:00.000Z')).toBe(0);
    expect((await ids()).sort()).toEqual([young.id, open.id].sort());
  });

  describe('touches', () => {
    const touch = (name: string, at = 5, step = 0) => ({ step, name, at });
    const found = async (names: string[], over: Partial<Parameters<WorkflowViews['touching']>[0]> = {}) =>
      (await views().touching({ tenant, names, since: 0, except: aView().id, limit: 50, ...over })).map(({ name, step, at }) => `${name} ${step} ${at}`).sort();
    const touched = async (...touches: { step: number; name: string; at: number }[]) => {
      const one = view();
      await views().save([{ view: one, sequence: 1, facts: 1, touches }], {});
      return one;
    };

    it('are found by what is the same, beneath or above, and by nothing that only looks alike', async () => {
      await touched(touch('file:///r/a'), touch('file:///r/a/b/c', 6, 1), touch('file:///r/ab'), touch('file:///r/a b'), touch('file:///r'), touch('file:///r/ä/ö'), touch('sql://crm'));
      expect(await found(['file:///r/a'])).toEqual(['file:///r 0 5', 'file:///r/a 0 5', 'file:///r/a/b/c 1 6']);
      expect(await found(['file:///r/a/b'])).toEqual(['file:///r 0 5', 'file:///r/a 0 5', 'file:///r/a/b/c 1 6']);
      expect(await found(['file:///r/ä'])).toEqual(['file:///r 0 5', 'file:///r/ä/ö 0 5']);
      expect(await found(['sql://crm/public.customer'])).toEqual(['sql://crm 0 5']);
      expect(await found(['file:///other', 'file:///r/a0'])).toEqual(['file:///r 0 5']);
    });
    it('are those of the tenant, since then, of others', async () => {
      const one = await touched(touch('x://a', 5), touch('x://b', 7));
      expect(await found(['x://a', 'x://b'], { since: 6 })).toEqual(['x://b 0 7']);
      expect(await found(['x://a', 'x://b'], { except: one.id })).toEqual([]);
      expect(await found(['x://a'], { tenant: 'another' })).toEqual([]);
      expect(await found(['x://a', 'x://b'], { limit: 1 })).toHaveLength(1);
    });
    it('stand for their last start, whatever is stored again', async () => {
      const one = await touched(touch('x://a', 7));
      await views().save([{ view: one, sequence: 2, facts: 2, touches: [touch('x://a', 5)] }], {});
      await views().save([{ view: one, sequence: 3, facts: 3 }], {});
      expect(await found(['x://a'])).toEqual(['x://a 0 7']);
    });
    it('take names of any length, those that are too long as what lies above them', async () => {
      await touched(touch(boundedName(`x://a/${'é'.repeat(300)}/${'b'.repeat(3_000)}`)));
      expect(await found([`x://a/${'é'.repeat(300)}`])).toHaveLength(1);
      expect(await found(['x://a/c'])).toHaveLength(0);
    });
    it('go with their view', async () => {
      const old = view({ endedAt: '2020-01-01T00:00:00.000Z', status: 'completed' });
      await views().save([{ view: old, sequence: 1, facts: 1, touches: [touch('x://a')] }], {});
      expect(await views().forget('2021-01-01T00:00:00.000Z')).toBe(1);
      expect(await found(['x://a'])).toEqual([]);
    });
  });

  it('stores thousands at once', async () => {
    const many = Array.from({ length: 2_500 }, () => view());
    await save(many);
    expect(await views().read(many.map(({ id }) => id))).toHaveLength(2_500);
  });
}
