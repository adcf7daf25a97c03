import { aConnection, describeAdapter, FakeAdapter, FakeTarget, type AdapterHarness } from './testing';

interface FakeHarness extends AdapterHarness { readonly target: FakeTarget }
const CASES = [['a new key', undefined], ['a key that is there', 'before']] as const;

describeAdapter<FakeHarness>('to a fake target', async () => {
  const target = new FakeTarget();
  const adapter = new FakeAdapter(target);
  return {
    target, adapter, connection: aConnection(),
    snapshot: async () => Object.fromEntries(target.values),
    reopen: async () => new FakeAdapter(target),
    interrupt: changes => {
      adapter.before = method => { if (changes === 0 && (method === 'execute' || method === 'undo')) throw new Error('killed'); };
      adapter.after = method => { if (changes === 1 && (method === 'execute' || method === 'undo')) throw new Error('killed'); };
    },
    close: async () => undefined,
  };
}, CASES.map(([title, value]) => ({
  title,
  of: ({ target }) => ({
    title, capability: 'fake.put', input: { connection: 'docs', key: 'k', value: 1 },
    arrange: async () => { if (value !== undefined) target.values.set('k', value); },
    disturb: async () => { target.values.set('k', 'theirs'); },
  }),
})));
