import type { AskedPreview, StepPreview } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';
import { MemoryVault } from '@aifirst/vault/testing';
import { CannotDo, type StepCall } from './execution-adapter';
import { Previewer, type PreviewerOptions } from './previewer';
import { aConnection, FakeAdapter, ManualClock, settled } from './testing';

const PLAN = '01890a5d-ac96-774b-bcce-b302099a8057';
const SCOPE = { tenant: 'acme', workflow: PLAN };
const asked = (over: Partial<AskedPreview> = {}): AskedPreview => ({
  plan: PLAN, step: 'a', index: 0, agent: { kind: 'agent', id: 'robo', tenant: 'acme' }, capability: 'fake.put', adapter: 'os', connection: 'docs', input: { connection: 'docs', key: 'k', value: 'v' }, timeoutMs: 1_000, ...over,
});
const aPreview = (over: Partial<StepPreview> = {}): StepPreview => ({ summary: 'sets `k`', footprint: ['file://docs/k'], changes: [], truncated: false, ...over });

class Previewing extends FakeAdapter {
  show: (call: StepCall) => Promise<StepPreview> | StepPreview = () => aPreview();
  async preview(call: StepCall): Promise<StepPreview> { return this.show(call); }
}
function given(adapter: FakeAdapter = new Previewing(), more: Partial<PreviewerOptions> = {}) {
  const clock = new ManualClock();
  const vault = new MemoryVault();
  const previewer = new Previewer({ adapters: [adapter], vault, clock, connections: { resolve: async () => aConnection({ tenant: 'acme', name: 'docs' }) }, ...more });
  return { adapter: adapter as Previewing, clock, vault, previewer };
}
const file = (before: string, diff = 'd') => ({ kind: 'file', resource: 'file://docs/k', action: 'change', diff, before: { type: 'file', size: 1, mode: '0644', digest: before }, after: { type: 'file', size: 1, mode: '0644', digest: 'x' } }) as const;
const rows = (before: string, after: string) => ({ kind: 'rows', resource: 'sql://crm/public.t', inserted: 0, updated: 3, deleted: 1, rows: [{ before: { id: before }, after: { id: after } }] }) as const;

describe('a preview', () => {
  it('is made of the unsealed input, and leaves sealed', async () => {
    const { adapter, previewer, vault } = given();
    let seen: unknown;
    adapter.show = call => { seen = call.input; return aPreview({ changes: [file('sha256:1', '-secret')] }); };
    const value = await vault.seal(SCOPE, 'content', 'secret');
    const answer = await previewer.preview(asked({ input: { connection: 'docs', key: 'k', value: { ...value } } }));
    expect(seen).toEqual({ connection: 'docs', key: 'k', value: 'secret' });
    expect(answer).toMatchObject({ preview: { summary: 'sets `k`', footprint: ['file://docs/k'], changes: { $sealed: expect.any(String) as string, class: 'preview' }, truncated: false }, digest: expect.stringMatching(/^hmac-sha256:/) as string, reach: 1 });
    expect(JSON.stringify(answer)).not.toContain('secret');
    expect(await vault.unsealAll(SCOPE, (answer as unknown as { preview: { changes: never } }).preview.changes)).toEqual([file('sha256:1', '-secret')]);
  });

  it('has a digest of what was found, not of what would be', async () => {
    const { adapter, previewer } = given();
    const digestOf = async (preview: StepPreview): Promise<string> => { adapter.show = () => preview; return (await previewer.preview(asked()) as { digest: string }).digest; };
    const first = await digestOf(aPreview({ changes: [rows('1', 'at noon')] }));
    expect(await digestOf(aPreview({ changes: [rows('1', 'at one')] }))).toBe(first);
    for (const other of [{ changes: [rows('2', 'at noon')] }, { changes: [{ ...rows('1', 'at noon'), updated: 4 }] }, { changes: [rows('1', 'at noon')], footprint: [] }, { changes: [rows('1', 'at noon')], truncated: true }]) expect(await digestOf(aPreview(other))).not.toBe(first);
    expect(await digestOf(aPreview({ changes: [file('sha256:1')] }))).not.toBe(await digestOf(aPreview({ changes: [file('sha256:2')] })));
  });

  it('tells how many things it would touch', async () => {
    const { adapter, previewer } = given();
    const reachOf = async (preview: StepPreview): Promise<number> => { adapter.show = () => preview; return (await previewer.preview(asked()) as { reach: number }).reach; };
    expect([await reachOf(aPreview()), await reachOf(aPreview({ changes: [rows('1', '2'), rows('3', '4')] })), await reachOf(aPreview({ footprint: ['a', 'b', 'c'] }))]).toEqual([1, 8, 3]);
  });
});

describe('what can not be shown', () => {
  const errorOf = async (show: (call: StepCall) => never, over: Partial<AskedPreview> = {}) => { const { adapter, previewer } = given(); adapter.show = show; return previewer.preview(asked(over)); };
  it('says why, as the step itself would fail', async () => {
    expect(await errorOf(() => { throw new CannotDo('EXISTS', 'it is there already'); })).toEqual({ error: { code: 'EXISTS', detail: 'it is there already', passing: false } });
    expect(await errorOf(() => { throw new OperationalError('AWAY', 'the target is away', { retryable: true }); })).toEqual({ error: { code: 'AWAY', detail: "it can't be shown: `AWAY`: the target is away", passing: true } });
  });
  it('says no more of a bug than its kind', async () => {
    expect(await errorOf(() => { throw new TypeError('cannot read secret'); })).toEqual({ error: { code: 'ADAPTER_ERROR', detail: "it can't be shown: a `TypeError`", passing: false } });
  });
  it('is an adapter that shows nothing, another capability, an input that does not fit, a connection that is not there', async () => {
    const codeOf = async (previewer: Previewer, over: Partial<AskedPreview> = {}) => (await previewer.preview(asked(over)) as { error: { code: string } }).error.code;
    expect(await codeOf(given(new FakeAdapter()).previewer)).toBe('NOT_PREVIEWABLE');
    expect(await codeOf(given().previewer, { capability: 'fake.none' })).toBe('UNKNOWN_CAPABILITY');
    expect(await codeOf(given().previewer, { input: { connection: 'docs', key: 7, value: '' } })).toBe('INVALID_INPUT');
    expect(await codeOf(given(new Previewing(), { connections: { resolve: async () => null } }).previewer)).toBe('UNKNOWN_CONNECTION');
    expect(await codeOf(given(new Previewing(), { connections: { resolve: async () => aConnection({ tenant: 'other' }) } }).previewer)).toBe('UNKNOWN_CONNECTION');
  });
});

describe('a target that takes long', () => {
  const never = (): Promise<never> => new Promise(() => undefined);
  it('is given up when the time is over, whether it hears of that or not', async () => {
    const { adapter, previewer, clock } = given();
    const timeOut = { error: { code: 'TIMEOUT', detail: 'not shown within 1000 ms', passing: true } };
    adapter.show = ({ signal }) => new Promise((_, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error); }); });
    const heard = previewer.preview(asked());
    await clock.advance(1_000);
    expect(await heard).toEqual(timeOut);
    adapter.show = never;
    const deaf = previewer.preview(asked());
    await clock.advance(2_000);
    expect(await deaf).toEqual(timeOut);
  });
  it('lets others wait for a place, within their own time', async () => {
    const { adapter, previewer, clock } = given(new Previewing(), { concurrency: 1 });
    let free: (preview: StepPreview) => void = () => undefined;
    const shown: string[] = [];
    adapter.show = ({ step }) => { shown.push(step); return step === 'slow' ? new Promise(resolve => { free = resolve; }) : aPreview(); };
    const slow = previewer.preview(asked({ step: 'slow', timeoutMs: 10_000 }));
    const impatient = previewer.preview(asked({ step: 'impatient', timeoutMs: 100 }));
    const patient = previewer.preview(asked({ step: 'patient', timeoutMs: 10_000 }));
    await clock.advance(1_100);
    expect(await impatient).toMatchObject({ error: { code: 'TIMEOUT' } });
    free(aPreview());
    await settled();
    expect([await slow, await patient].map(answer => 'preview' in answer)).toEqual([true, true]);
    expect(shown).toEqual(['slow', 'patient']);
  });
});
