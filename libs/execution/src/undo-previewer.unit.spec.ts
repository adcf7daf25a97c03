import type { AskedUndoPreview, UndoPreview, UndoPreviewAnswer } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';
import { CannotDo, type DoneCall, type Image, type StepCall } from './execution-adapter';
import { aConnection, FakeAdapter, FakeTarget, JournalStand, settled, TENANT, UNDO_WINDOW_MS, workflowId, type CommandOptions } from './testing';
import { UndoPreviewer, type UndoPreviewerOptions } from './undo-previewer';

const SCOPE = { tenant: TENANT, workflow: workflowId(1) };
const asked = (over: Partial<AskedUndoPreview> = {}): AskedUndoPreview => ({
  workflow: workflowId(1), step: 's0', index: 0, generation: 1, agent: { kind: 'agent', id: 'a1', tenant: TENANT }, capability: 'fake.put', adapter: 'os', connection: 'docs', timeoutMs: 1_000, ...over,
});

/** Says beforehand what its undo would find. */
class Previewing extends FakeAdapter {
  show: ((call: StepCall, before: Image, after: Image) => Promise<UndoPreview>) | null = null;
  seen: (DoneCall & { readonly first: readonly DoneCall[] }) | null = null;
  async previewUndo(call: StepCall, before: Image, after: Image, first: readonly DoneCall[] = []): Promise<UndoPreview> {
    this.seen = { call, before, after, first };
    if (this.show !== null) return this.show(call, before, after);
    const key = String(call.input['key']);
    let now: Image = this.target.values.has(key) ? { has: true, value: this.target.values.get(key)! } : { has: false };
    for (const one of first) if (one.call.input['key'] === key && JSON.stringify(now) === JSON.stringify(one.after)) now = one.before;
    if (JSON.stringify(now) === JSON.stringify(before)) return { outcome: 'nothingToDo', summary: 'as before', conflicts: [], truncated: false };
    if (JSON.stringify(now) === JSON.stringify(after)) return { outcome: 'wouldUndo', summary: `puts \`${key}\` back`, conflicts: [], truncated: false };
    return { outcome: 'wouldBlock', summary: 'one conflict', truncated: false, conflicts: [{ resource: key, what: 'it was changed since', expected: 'ours', found: 'another', before, after, current: now }] };
  }
}

async function given(more: Partial<UndoPreviewerOptions> = {}, adapter: FakeAdapter = new Previewing(new FakeTarget(), true), stand = new JournalStand()) {
  await stand.start([adapter]);
  const connections = { resolve: async (tenant: string, name: string) => (tenant === TENANT ? stand.connections.get(name) ?? null : null) };
  const previewer = new UndoPreviewer({ log: stand.log, adapters: [adapter], vault: stand.vault, clock: stand.clock, connections, ...more });
  const shown = async (over: Partial<AskedUndoPreview> = {}) => (await previewer.preview(asked(over)) as { preview: UndoPreview }).preview;
  const done = async (over: CommandOptions = {}) => { await stand.send(stand.execute(over)); expect(await stand.outcomes()).toContain('s0 forward succeeded'); };
  return { stand, adapter: adapter as Previewing, previewer, shown, done };
}
const codeOf = (answer: UndoPreviewAnswer): string | null => ('error' in answer ? answer.error.code : null);

describe('an undo preview', () => {
  it('is made of the call that was done and its images, as an undo has them', async () => {
    const { adapter, previewer, done } = await given();
    adapter.target.values.set('k', 'old');
    await done({ input: { connection: 'docs', key: 'k', value: 'new' } });
    const answer = await previewer.preview(asked());
    expect(adapter.seen).toMatchObject({ call: { key: `${workflowId(1)}/s0/1/undo`, input: { key: 'k', value: 'new' }, timeoutMs: 1_000 }, before: { has: true, value: 'old' }, after: { has: true, value: 'new' } });
    expect(answer).toEqual({ preview: { outcome: 'wouldUndo', summary: 'puts `k` back', conflicts: [], truncated: false }, digest: expect.stringMatching(/^hmac-sha256:/) as string });
  });

  it('leaves with its conflicts sealed under the workflow, and another digest whenever the target is another', async () => {
    const { adapter, previewer, done, stand } = await given();
    await done({ input: { connection: 'docs', key: 'k', value: 'ours' } });
    const free = await previewer.preview(asked());
    adapter.target.values.set('k', 'theirs');
    const answer = await previewer.preview(asked()) as Extract<UndoPreviewAnswer, { preview: unknown }>;
    expect(answer).toMatchObject({ preview: { outcome: 'wouldBlock', conflicts: { $sealed: expect.any(String) as string, class: 'preview' } } });
    expect(JSON.stringify(answer)).not.toContain('theirs');
    expect(await stand.vault.unsealAll(SCOPE, answer.preview.conflicts as never)).toMatchObject([{ before: { has: false }, after: { value: 'ours' }, current: { value: 'theirs' } }]);
    expect((await previewer.preview(asked()) as { digest: string }).digest).toBe(answer.digest);
    adapter.target.values.set('k', 'theirs again');
    const digests = [free, answer, await previewer.preview(asked())].map(one => (one as { digest: string }).digest);
    expect(new Set(digests).size).toBe(3);
  });

  it('writes nothing to the journal', async () => {
    const { previewer, done, stand } = await given();
    await done();
    const before = (await stand.rows()).length;
    for (const over of [{}, { step: 'other' }, { index: 3 }, { generation: 2 }]) await previewer.preview(asked(over));
    expect((await stand.rows()).length).toBe(before);
  });

  it('says of every state of the target what the undo then says', async () => {
    for (const disturb of [null, 'theirs', 'back'] as const) {
      const { adapter, shown, done, stand } = await given();
      await done({ input: { connection: 'docs', key: 'k', value: 'ours' } });
      if (disturb === 'theirs') adapter.target.values.set('k', 'theirs');
      if (disturb === 'back') adapter.target.values.delete('k');
      const { outcome } = await shown();
      await stand.send(stand.undo());
      expect([disturb, outcome, (await stand.outcomes()).at(-1)]).toEqual([disturb, { null: 'wouldUndo', theirs: 'wouldBlock', back: 'nothingToDo' }[String(disturb)], `s0 undo ${disturb === 'theirs' ? 'blocked' : 'succeeded'}`]);
    }
  });
});

describe('what the same workflow did later', () => {
  const input = (value: string) => ({ connection: 'docs', key: 'k', value });
  it('is taken back before it, and stands in nobody\'s way: only at the same connection, and unless it is taken back already', async () => {
    const { adapter, shown, done, stand } = await given();
    stand.connections.set('other', aConnection({ name: 'other', digest: 'sha256:other' }));
    await done({ input: input('one') });
    await stand.send(stand.execute({ step: 's1', index: 1, input: input('two') }), stand.execute({ step: 'read', index: 2, connection: 'other', input: { ...input('x'), key: 'elsewhere' } }));
    await stand.send(stand.execute({ step: 's3', index: 3, generation: 2, input: input('three') }), stand.execute({ workflow: 2, input: { ...input('x'), key: 'theirs' } }));
    expect(await shown()).toMatchObject({ outcome: 'wouldUndo' });
    expect(adapter.seen!.first.map(({ call }) => call.step)).toEqual(['s3', 's1']);
    expect(adapter.seen!.first).toMatchObject([{ call: { key: `${workflowId(1)}/s3/2/undo` }, before: { value: 'two' }, after: { value: 'three' } }, { before: { value: 'one' }, after: { value: 'two' } }]);
    expect(await shown({ step: 's1', index: 1 })).toMatchObject({ outcome: 'wouldUndo' });
    await stand.send(stand.undo({ step: 's3', index: 3, generation: 2, input: input('three') }));
    expect(await shown()).toMatchObject({ outcome: 'wouldUndo' });
    expect(adapter.seen!.first.map(({ call }) => call.step)).toEqual(['s1']);
    adapter.target.values.set('k', 'theirs');
    expect(await shown()).toMatchObject({ outcome: 'wouldBlock' });
  });
});

describe('a step without anything to take back', () => {
  it('is one that was never done, failed, or is undone by whichever attempt', async () => {
    const { adapter, shown, done, stand } = await given();
    expect(await shown()).toMatchObject({ outcome: 'nothingToDo', summary: 'nothing had been done' });
    await stand.send(stand.execute({ step: 'bad', index: 1, input: { connection: 'docs', key: 'k', value: 'impossible' } }));
    expect(await shown({ step: 'bad', index: 1 })).toMatchObject({ outcome: 'nothingToDo' });
    await done();
    adapter.target.values.set('k', 'theirs');
    for (let attempt = 1; attempt < 40; attempt++) await stand.send(stand.undo({ attempt }));
    expect(await shown()).toMatchObject({ outcome: 'wouldBlock' });
    adapter.target.values.set('k', 1);
    await stand.send(stand.undo({ attempt: 40 }));
    expect(await shown()).toMatchObject({ outcome: 'nothingToDo', summary: 'it is undone already' });
    expect((await stand.outcomes()).at(-1)).toBe('s0 undo succeeded');
  });
});

describe('what the journal refuses to undo', () => {
  it('would be blocked: kept no longer, or leading somewhere else', async () => {
    const { adapter, shown, done, stand } = await given();
    await done();
    stand.connections.set('docs', aConnection({ digest: 'sha256:elsewhere' }));
    const elsewhere = await shown();
    expect(elsewhere).toMatchObject({ outcome: 'wouldBlock', summary: 'the connection leads somewhere else by now' });
    stand.connections.delete('docs');
    expect(await shown()).toMatchObject({ outcome: 'wouldBlock', summary: 'there is no connection `docs`' });
    stand.connections.set('docs', aConnection());
    expect(await shown()).toMatchObject({ outcome: 'wouldUndo' });
    await stand.clock.advance(UNDO_WINDOW_MS + 1);
    adapter.seen = null;
    expect(await shown()).toMatchObject({ outcome: 'wouldBlock', summary: 'the images are kept no longer' });
    expect(adapter.seen).toBeNull();
  });
  it('would be blocked: forgotten with age', async () => {
    const { shown } = await given({ forgottenBefore: () => Date.parse('2100-01-01') });
    expect(await shown()).toMatchObject({ outcome: 'wouldBlock', summary: 'what was recorded so long ago is kept no longer' });
  });
});

describe('what can not be said beforehand', () => {
  it('is a step of another name, of another tenant, under way, or of an adapter that does not say', async () => {
    const { adapter, previewer, done, stand } = await given();
    adapter.answer = method => (method === 'execute' ? { outcome: 'unknown', error: { code: 'LOST', detail: 'lost', clean: false } } : undefined);
    await stand.send(stand.execute({ workflow: 2 }));
    expect(await previewer.preview(asked({ workflow: workflowId(2) }))).toMatchObject({ error: { code: 'OUTCOME_UNKNOWN', passing: true } });
    adapter.answer = () => undefined;
    await done();
    expect(codeOf(await previewer.preview(asked({ step: 'other' })))).toBe('WRONG_STEP');
    expect(codeOf(await previewer.preview(asked({ agent: { kind: 'agent', id: 'a1', tenant: 'other' } })))).toBe('UNKNOWN_STEP');
    const silent = await given({}, new FakeAdapter());
    await silent.done();
    expect(codeOf(await silent.previewer.preview(asked()))).toBe('NOT_PREVIEWABLE');
  });

  it('is told as the adapter tells it, within its time, and of a bug no more than its kind', async () => {
    const { adapter, previewer, done, stand } = await given();
    await done();
    adapter.show = async () => { throw new CannotDo('CONNECTION_UNUSABLE', 'the root is gone'); };
    expect(await previewer.preview(asked())).toEqual({ error: { code: 'CONNECTION_UNUSABLE', detail: 'the root is gone', passing: false } });
    adapter.show = async () => { throw new OperationalError('LOCKED', 'others work there', { retryable: true }); };
    expect(await previewer.preview(asked())).toMatchObject({ error: { code: 'LOCKED', passing: true } });
    adapter.show = async () => { throw new TypeError('cannot read secret'); };
    expect(await previewer.preview(asked())).toEqual({ error: { code: 'ADAPTER_ERROR', detail: "it can't be shown: a `TypeError`", passing: false } });
    adapter.show = () => new Promise(() => undefined);
    const deaf = previewer.preview(asked());
    await settled();
    await stand.clock.advance(2_000);
    expect(await deaf).toEqual({ error: { code: 'TIMEOUT', detail: 'not shown within 1000 ms', passing: true } });
  });
});
