import type { Json, JsonObject } from '@aifirst/kernel';
import type { Connection } from '@aifirst/contracts';
import Ajv2020 from 'ajv/dist/2020';
import type { ExecutionAdapter, Image, StepCall } from './execution-adapter';

/** One call that the adapter can make on its target. */
export interface AdapterCase {
  readonly title: string;
  readonly capability: string;
  readonly input: JsonObject;
  /** Makes the target such that the call succeeds. */
  arrange?(): Promise<void>;
  /** Somebody else changes what the call has changed. Absent: the call changes nothing that anybody could. */
  disturb?(): Promise<void>;
  /** Absent: true. What a probe after an act whose answer was lost can't always prove. */
  readonly probeKnows?: boolean;
}

export interface AdapterHarness {
  readonly adapter: ExecutionAdapter;
  readonly connection: Connection | null;
  /** All that an undo must put back. Equal (toEqual) means: exactly as before. */
  snapshot(): Promise<Json>;
  /** An adapter on the same target that remembers nothing, as after a kill. Absent: `adapter` holds no state. */
  reopen?(): Promise<ExecutionAdapter>;
  /** Has the adapter throw in place of its change number `changes` (from 0) of the target, and of all after it, as if killed there; null: no more. */
  interrupt?(changes: number | null): void;
  close(): Promise<void>;
}

/** More changes than one call makes. */
const CHANGES_MAX = 200;

/**
 * What every adapter promises the journal. Each test has a target of its own.
 * @param cases names of cases must be known before `open` runs; `of` gives the case on the target opened
 */
export function describeAdapter<H extends AdapterHarness>(name: string, open: () => Promise<H>, cases: readonly { readonly title: string; of(harness: H): AdapterCase | Promise<AdapterCase> }[]): void {
  describe(`adapter ${name}`, () => {
    let harness: H;
    let calls = 0;
    beforeEach(async () => { harness = await open(); });
    afterEach(async () => { await harness?.close(); });

    const callOf = ({ capability, input }: AdapterCase, signal = new AbortController().signal): StepCall => {
      const workflow = `019c0000-0000-7000-8000-${(++calls).toString(16).padStart(12, '0')}`;
      return { key: `${workflow}/s/1/forward`, tenant: 'acme', workflow, step: 's', agent: { kind: 'agent', id: 'a', tenant: 'acme' }, capability, connection: harness.connection, input, timeoutMs: 30_000, signal };
    };
    /** As a process that was killed starts again: images have been through the journal. */
    const afterKill = async (): Promise<ExecutionAdapter> => harness.reopen?.() ?? harness.adapter;
    const kept = (image: Image): Image => JSON.parse(JSON.stringify(image)) as Image;
    const descriptorOf = (capability: string) => harness.adapter.capabilities().find(offered => offered.name === capability)!;
    const isReversible = (capability: string): boolean => descriptorOf(capability).undo === 'exact';

    it('declares capabilities of its own name, with schemas that compile', () => {
      const ajv = new Ajv2020({ strict: false });
      const names = harness.adapter.capabilities().map(descriptor => {
        expect(descriptor.adapter).toBe(harness.adapter.name);
        ajv.compile(descriptor.inputSchema);
        ajv.compile(descriptor.outputSchema);
        return descriptor.name;
      });
      expect(new Set(names).size).toBe(names.length);
    });

    describe.each(cases)('$title', ({ of }) => {
      let given: AdapterCase;
      let call: StepCall;
      let before: Json;
      beforeEach(async () => {
        given = await of(harness);
        await given.arrange?.();
        call = callOf(given);
        before = await harness.snapshot();
      });
      const prepared = async (): Promise<Image> => kept(await harness.adapter.prepare(call));
      const executed = async (image: Image): Promise<Image> => {
        const result = await harness.adapter.execute(call, image);
        expect(result).toMatchObject({ outcome: 'succeeded' });
        return kept((result as { after: Image }).after);
      };

      it('takes an input and gives an output as its schemas say', async () => {
        const ajv = new Ajv2020({ strict: false });
        const descriptor = descriptorOf(given.capability);
        expect(ajv.validate(descriptor.inputSchema, given.input)).toBe(true);
        const result = await harness.adapter.execute(call, await prepared());
        expect(result.outcome).toBe('succeeded');
        expect([ajv.validate(descriptor.outputSchema, (result as { output: Json }).output), ajv.errorsText()]).toEqual([true, 'No errors']);
      });

      it('changes nothing that shows by being prepared, however often', async () => {
        await prepared();
        await prepared();
        expect(await harness.snapshot()).toEqual(before);
      });

      it('is proven not to have happened when it was only prepared, and can be done under another key', async () => {
        const image = await prepared();
        expect(await (await afterKill()).probe(call, image)).toEqual({ outcome: 'didNotHappen' });
        expect(await harness.snapshot()).toEqual(before);
        call = callOf(given);
        await executed(await prepared());
      });

      it('is proven to have happened when its answer was lost, and the proof is as good as the answer', async () => {
        if (given.probeKnows === false) return;
        const image = await prepared();
        await executed(image);
        const done = await harness.snapshot();
        const adapter = await afterKill();
        const found = await adapter.probe(call, image);
        expect(found.outcome).toBe('succeeded');
        expect(await harness.snapshot()).toEqual(done);
        expect((await adapter.probe(call, image)).outcome).toBe('succeeded');
        if (!isReversible(given.capability)) return;
        expect(await adapter.undo(call, image, kept((found as { after: Image }).after))).toMatchObject({ outcome: 'undone' });
        expect(await harness.snapshot()).toEqual(before);
      });

      it('is undone exactly, and undone twice is undone once', async () => {
        if (!isReversible(given.capability)) return;
        const image = await prepared();
        const after = await executed(image);
        expect(await harness.adapter.undo(call, image, after)).toEqual({ outcome: 'undone', verified: true, reason: null });
        expect(await harness.snapshot()).toEqual(before);
        expect(await (await afterKill()).undo(call, image, after)).toMatchObject({ outcome: 'undone' });
        expect(await harness.snapshot()).toEqual(before);
      });

      it('is not undone over somebody else\'s change, which stays untouched', async () => {
        if (given.disturb === undefined || !isReversible(given.capability)) return;
        const image = await prepared();
        const after = await executed(image);
        await given.disturb();
        const disturbed = await harness.snapshot();
        const result = await harness.adapter.undo(call, image, after);
        expect(result).toMatchObject({ outcome: 'blocked', conflict: { resource: expect.any(String), what: expect.any(String) } });
        expect(await harness.snapshot()).toEqual(disturbed);
      });

      it('says beforehand that it can be undone, and leaves no trace', async () => {
        if (harness.adapter.previewUndo === undefined) return;
        const image = await prepared();
        const after = await executed(image);
        const done = await harness.snapshot();
        const preview = await harness.adapter.previewUndo({ ...call, key: call.key.replace('/forward', '/undo') }, image, after);
        expect(preview).toEqual({ outcome: expect.stringMatching(/^(wouldUndo|nothingToDo)$/) as string, summary: expect.any(String) as string, conflicts: [], truncated: false });
        expect(await harness.snapshot()).toEqual(done);
        if (isReversible(given.capability)) expect(await harness.adapter.undo(call, image, after)).toMatchObject({ outcome: 'undone', verified: true });
      });

      it('says beforehand what its undo then says of somebody else\'s change', async () => {
        if (harness.adapter.previewUndo === undefined || given.disturb === undefined || !isReversible(given.capability)) return;
        const image = await prepared();
        const after = await executed(image);
        await given.disturb();
        const disturbed = await harness.snapshot();
        const preview = await harness.adapter.previewUndo(call, image, after);
        expect(preview).toMatchObject({ outcome: 'wouldBlock' });
        expect(await harness.snapshot()).toEqual(disturbed);
        const result = await harness.adapter.undo(call, image, after) as { conflict: { resource: string } };
        const [{ before: _before, after: _after, current: _current, ...first }] = preview.conflicts as [(typeof preview.conflicts)[number]];
        expect(result).toEqual({ outcome: 'blocked', conflict: first });
      });

      it('lets go of what it kept, more than once, and the target stays as it is', async () => {
        const image = await prepared();
        const after = await executed(image);
        const done = await harness.snapshot();
        const { key, tenant, connection, capability } = call;
        await harness.adapter.forget({ key, tenant, connection, capability }, image, after);
        await (await afterKill()).forget({ key, tenant, connection, capability }, image, after);
        expect(await harness.snapshot()).toEqual(done);
      });

      it('is either whole or taken back by its probe when it is cut off before any of its changes', async () => {
        await cutOff(async (adapter, image) => { await adapter.execute(call, image); }, async (adapter, image) => {
          const found = await adapter.probe(call, image);
          expect(found.outcome).not.toBe('cannotTell');
          if (found.outcome !== 'succeeded') return;
          expect(await adapter.undo(call, image, kept(found.after))).toMatchObject({ outcome: 'undone' });
        });
      });

      it('is undone by a second try when its undo is cut off before any of its changes', async () => {
        let after: Image = {};
        await cutOff(async (adapter, image) => {
          harness.interrupt!(null);
          after = await executed(image);
          harness.interrupt!(changes);
          await adapter.undo(call, image, after);
        }, async (adapter, image) => {
          expect(await adapter.undo(call, image, after)).toMatchObject({ outcome: 'undone', verified: true });
        });
      });

      let changes = 0;
      /** Runs `work` again and again, cut off before its first, second, … change, until it gets through. */
      async function cutOff(work: (adapter: ExecutionAdapter, image: Image) => Promise<void>, mended: (adapter: ExecutionAdapter, image: Image) => Promise<void>): Promise<void> {
        if (harness.interrupt === undefined || !isReversible(given.capability)) return;
        for (changes = 0; ; changes++) {
          call = callOf(given);
          const image = await prepared();
          harness.interrupt(changes);
          const isCutOff = await work(harness.adapter, image).then(() => false, () => true);
          harness.interrupt(null);
          await mended(await afterKill(), image);
          expect(await harness.snapshot()).toEqual(before);
          if (!isCutOff) return;
          expect(changes).toBeLessThan(CHANGES_MAX);
        }
      }
    });
  });
}

