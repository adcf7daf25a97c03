import type { Draft } from '@aifirst/contracts';
import { isFactTopic } from '@aifirst/contracts';
import { InvariantViolation } from '@aifirst/kernel';
import type { JsonObject } from '@aifirst/kernel';
import fc from 'fast-check';
import { Fenced, LeaseHeld, VersionConflict } from './store';
import { describeTrimming } from './trim.contract';
import type { Append, DocumentPut, Log, OpenOptions, Store, StoredRow, Unit } from './store';

/** A store of service `orchestrator` as the suite needs it. Each test uses logs and documents of its own. */
export interface StoreHarness {
  readonly store: Store;
  /** Opens a log whose lease nothing but commits renews, as if its process slept. */
  openAsleep(options: OpenOptions): Promise<Log>;
  /** On the database's clock. */
  passTime(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const FACTS = 'aifirst.workflow.events.v1';
const COMMANDS = 'aifirst.adapter-os.step.commands.v1';
let names = 0;
const uniqueName = (): string => `log-${++names}`;
const uuid = (number: number): string => `019c0000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
const [A, B] = [uuid(1), uuid(2)];

function aDraft(more: Partial<Draft> = {}): Draft {
  return { topic: FACTS, key: A, id: uuid(900), type: 'aifirst.workflow.step-started.v1', time: '2026-01-02T03:04:05.678Z', subject: A, tenant: 'default', data: { step: 'a' }, ...more };
}
function anAppend(more: Partial<Append> = {}): Append {
  return { tenant: 'default', stream: A, version: 1, messages: [aDraft()], ...more };
}
const versions = (rows: readonly StoredRow[]): string[] => rows.map(row => `${row.stream}/${row.version}`);
const sequences = (rows: readonly StoredRow[]): (number | undefined)[] => rows.flatMap(row => row.messages.map(message => message.event.sequence));

export function describeStore(name: string, start: () => Promise<StoreHarness>): void {
  describe(`store on ${name}`, () => {
    let harness: StoreHarness;
    beforeAll(async () => { harness = await start(); });
    afterAll(async () => { await harness?.stop(); });
    const open = (log: string, more: Partial<OpenOptions> = {}) => harness.store.open({ log, shard: 0, owner: 'test', takeOver: true, ...more });

    describe('an append', () => {
      it('comes back as it went in, numbered and stamped', async () => {
        const log = await open('shape');
        const rows = await log.commit({
          appends: [
            anAppend({ key: 'a/b', state: { before: [1, null, 'ü'] }, messages: [aDraft({ traceparent: '00-1', causationid: uuid(7) }), aDraft({ topic: COMMANDS, tenant: 'other' })] }),
            anAppend({ version: 5, messages: [] }),
          ],
        });
        const stamp = { specversion: '1.0', source: '/aifirst/orchestrator', producer: 'shape/0' };
        const { topic: _, key: __, ...attributes } = aDraft();
        expect(rows).toEqual([
          {
            position: 1, tenant: 'default', stream: A, version: 1, key: 'a/b', state: { before: [1, null, 'ü'] },
            messages: [
              { topic: FACTS, key: A, event: { ...attributes, ...stamp, traceparent: '00-1', causationid: uuid(7), sequence: 1 } },
              { topic: COMMANDS, key: A, event: { ...attributes, ...stamp, tenant: 'other' } },
            ],
          },
          { position: 2, tenant: 'default', stream: A, version: 5, key: null, state: null, messages: [] },
        ]);
        expect(await log.read(0, 10)).toEqual(rows);
        expect(JSON.stringify((await log.read(0, 10))[0])).toBe(JSON.stringify(rows[0]));
      });

      it('keeps a mebibyte, and text that no text column could hold', async () => {
        const log = await open(uniqueName());
        const data: JsonObject = { large: 'ab€😀'.repeat(128 * 1024), odd: '\u0000 \ud800 \udc00 "\\', ['__proto__']: 1, big: Number.MAX_SAFE_INTEGER };
        const rows = await log.commit({ appends: [anAppend({ state: ['\ud800'], messages: [aDraft({ data })] }), anAppend({ version: 2 })] });
        expect(await log.read(0, 10)).toEqual(rows);
      });

      it.each(['\u0000', '\ud800', 'x\udc00y'])('is refused, and nothing stored, where a column would damage its text (%j)', async text => {
        const log = await open(uniqueName());
        const refused = { code: 'NOT_STORABLE', retryable: false };
        await expect(log.commit({ appends: [anAppend(), anAppend({ version: 2, key: text })] })).rejects.toMatchObject(refused);
        await expect(log.commit({ appends: [anAppend({ tenant: text })] })).rejects.toMatchObject(refused);
        await expect(log.commit({ documents: [{ kind: text, tenant: 'default', id: 'a', data: {} }] })).rejects.toMatchObject(refused);
        await expect(log.commit({ documents: [{ kind: 'k', tenant: 'default', id: text, data: {} }] })).rejects.toMatchObject(refused);
        expect(log.head()).toBe(0);
        expect(await log.readStreams([A])).toEqual([]);
      });

      it.each(['', '*', 'a/b'])('is refused for a tenant that stands for something else (%j)', async tenant => {
        const log = await open(uniqueName());
        await expect(log.commit({ appends: [anAppend({ tenant })] })).rejects.toMatchObject({ code: 'NOT_STORABLE' });
      });

      it('is refused with a key that no index takes, and taken with the longest that one does', async () => {
        const log = await open(uniqueName());
        const longest = Array.from({ length: 500 }, (_, i) => String.fromCodePoint(0x10000 + ((i * 7919) % 0xfffff))).join('');
        await expect(log.commit({ appends: [anAppend({ key: `${longest}x` })] })).rejects.toMatchObject({ code: 'NOT_STORABLE' });
        await log.commit({ appends: [anAppend({ key: longest })] });
        expect(versions(await log.readKeys([longest]))).toEqual([`${A}/1`]);
      });

      it('with a malformed stream or version is a bug', async () => {
        const log = await open(uniqueName());
        for (const wrong of [{ stream: 'x' }, { stream: A.toUpperCase() }, { version: -1 }, { version: 1.5 }, { version: 2 ** 53 }]) {
          await expect(log.commit({ appends: [anAppend(wrong)] })).rejects.toThrow(InvariantViolation);
        }
        await log.commit({ appends: [anAppend({ version: Number.MAX_SAFE_INTEGER })] });
        expect((await log.read(0, 1))[0]!.version).toBe(Number.MAX_SAFE_INTEGER);
      });
    });

    describe('a conflict', () => {
      it('stores nothing and names all that exists', async () => {
        const log = await open(uniqueName());
        const kind = uniqueName();
        await log.commit({ appends: [anAppend({ key: 'k1' }), anAppend({ version: 2, key: 'k2' })], documents: [{ kind, tenant: 'default', id: 'd', data: { n: 1 } }] });
        const error = await log.commit({
          appends: [anAppend({ stream: B, version: 1 }), anAppend({ version: 2, key: 'k1' }), anAppend({ version: 1 }), anAppend({ version: 3, key: 'new' })],
          documents: [{ kind, tenant: 'default', id: 'e', data: {} }, { kind, tenant: 'default', id: 'd', data: { n: 2 }, expectedRevision: 0 }],
          positions: { 'gateway/0': 9 }, lowWater: 1,
        }).catch((e: unknown) => e);
        expect(error).toBeInstanceOf(VersionConflict);
        expect(error).toMatchObject({ retryable: true, streams: [{ stream: A, version: 1 }, { stream: A, version: 2 }], keys: ['k1'], documents: [`${kind}/default/d`] });
        expect([log.head(), log.positions(), log.lowWater()]).toEqual([2, {}, 0]);
        expect(await log.readStreams([B])).toEqual([]);
        expect(await log.listDocuments(kind, null, { limit: 9 })).toEqual([{ kind, tenant: 'default', id: 'd', revision: 1, data: { n: 1 } }]);
      });

      it('of a version alone, of a key alone, and none with another log', async () => {
        const [log, other] = [await open(uniqueName()), await open(uniqueName())];
        await log.commit({ appends: [anAppend({ key: 'k' })] });
        await expect(log.commit({ appends: [anAppend()] })).rejects.toMatchObject({ code: 'VERSION_CONFLICT', keys: [], streams: [{ stream: A, version: 1 }] });
        await expect(log.commit({ appends: [anAppend({ version: 2, key: 'k' })] })).rejects.toMatchObject({ code: 'VERSION_CONFLICT', keys: ['k'], streams: [] });
        await other.commit({ appends: [anAppend({ key: 'k' })] });
        expect(versions(await other.readKeys(['k']))).toEqual([`${A}/1`]);
      });

      it('within one unit is a bug', async () => {
        const log = await open(uniqueName());
        await expect(log.commit({ appends: [anAppend(), anAppend()] })).rejects.toThrow(InvariantViolation);
        await expect(log.commit({ appends: [anAppend({ key: 'k' }), anAppend({ version: 2, key: 'k' })] })).rejects.toThrow(InvariantViolation);
        expect(log.head()).toBe(0);
      });

      it('leaves no gap in positions and sequences, nor does opening again', async () => {
        const name = uniqueName();
        let log = await open(name);
        await log.commit({ appends: [anAppend({ messages: [aDraft(), aDraft()] })] });
        await expect(log.commit({ appends: [anAppend()] })).rejects.toThrow(VersionConflict);
        await log.commit({ appends: [anAppend({ version: 2, messages: [aDraft({ topic: COMMANDS }), aDraft()] })] });
        await log.close();
        log = await open(name, { takeOver: false });
        await log.commit({ appends: [anAppend({ version: 3 }), anAppend({ version: 4, messages: [] }), anAppend({ version: 5 })] });
        const rows = await log.read(0, 100);
        expect(rows.map(row => row.position)).toEqual([1, 2, 3, 4, 5]);
        expect(sequences(rows)).toEqual([1, 2, undefined, 3, 4, 5]);
      });
    });

    describe('the writer', () => {
      it('has a higher epoch at each opening, and shards do not touch', async () => {
        const name = uniqueName();
        const first = await open(name);
        const second = await open(name);
        const shard = await open(name, { shard: 1 });
        expect([first.epoch, second.epoch, shard.epoch, shard.producer]).toEqual([1, 2, 1, `${name}/1`]);
      });

      it('that was replaced stores nothing, ever', async () => {
        const name = uniqueName();
        const kind = uniqueName();
        const zombie = await open(name);
        await zombie.commit({ appends: [anAppend()] });
        const log = await open(name);
        for (const unit of [{ appends: [anAppend({ version: 2 })] }, { positions: { x: 1 } }, { documents: [{ kind, tenant: 't', id: 'i', data: {} }] }, { appends: [anAppend()] }, {}] satisfies Unit[]) {
          await expect(zombie.commit(unit)).rejects.toThrow(Fenced);
        }
        await log.commit({ appends: [anAppend({ version: 2 })] });
        expect(versions(await log.read(0, 10))).toEqual([`${A}/1`, `${A}/2`]);
        expect(await log.listDocuments(kind, null, { limit: 1 })).toEqual([]);
        await zombie.close();
        await expect(open(name, { takeOver: false })).rejects.toThrow(LeaseHeld);
      });

      it('keeps others out while its lease lasts, and not when it is over', async () => {
        const name = uniqueName();
        await harness.openAsleep({ log: name, shard: 0, owner: 'ana', leaseMs: 60_000, takeOver: true });
        await expect(open(name, { takeOver: false })).rejects.toMatchObject({ code: 'LEASE_HELD', retryable: true, message: `log \`${name}/0\` is being written by \`ana\`` });
        const asleep = await harness.openAsleep({ log: name, shard: 0, owner: 'bob', leaseMs: 20, takeOver: true });
        await harness.passTime(40);
        const log = await open(name, { takeOver: false });
        expect(log.epoch).toBe(3);
        await expect(asleep.commit({ appends: [anAppend()] })).rejects.toThrow(Fenced);
        expect(await log.readStreams([A])).toEqual([]);
      });

      it('may go on after its lease if nobody has come', async () => {
        const name = uniqueName();
        const asleep = await harness.openAsleep({ log: name, shard: 0, owner: 'ana', leaseMs: 20, takeOver: true });
        await harness.passTime(40);
        await asleep.commit({ appends: [anAppend()] });
        expect(asleep.head()).toBe(1);
      });

      it('keeps its lease while it is idle, and gives it up when it closes', async () => {
        const name = uniqueName();
        const log = await open(name, { leaseMs: 900 });
        await harness.passTime(1_200);
        await expect(open(name, { takeOver: false })).rejects.toThrow(LeaseHeld);
        await log.close();
        await expect(log.commit({})).rejects.toMatchObject({ code: 'LOG_CLOSED' });
        expect((await open(name, { takeOver: false })).epoch).toBe(2);
      });

      it('makes one commit at a time', async () => {
        const log = await open(uniqueName());
        const first = log.commit({ appends: [anAppend()] });
        await expect(log.commit({ appends: [anAppend({ version: 2 })] })).rejects.toThrow(InvariantViolation);
        await first;
      });
    });

    describe('positions and the low-water mark', () => {
      it('are merged, kept, and the mark never goes back', async () => {
        const name = uniqueName();
        const log = await open(name);
        expect([log.positions(), log.lowWater(), log.head()]).toEqual([{}, 0, 0]);
        await log.commit({ positions: { 'gateway/0': 3, 'policy/0': 1 }, lowWater: 7 });
        await log.commit({ appends: [anAppend()], positions: { 'gateway/0': 4 }, lowWater: 5, durable: false });
        await log.commit({});
        const again = await open(name);
        for (const each of [log, again]) expect([each.positions(), each.lowWater(), each.head()]).toEqual([{ 'gateway/0': 4, 'policy/0': 1 }, 7, 1]);
      });
    });

    describe('reads', () => {
      it('page through the log, by stream, by version, by key', async () => {
        const log = await open(uniqueName());
        await log.commit({ appends: [anAppend({ stream: B, version: 3 }), anAppend({ version: 2, key: 'b' }), anAppend({ stream: B, version: 1, key: 'a' })] });
        await log.commit({ appends: [anAppend({ version: 1 }), anAppend({ stream: uuid(3), version: 1 })] });
        expect((await log.read(0, 2)).map(row => row.position)).toEqual([1, 2]);
        expect((await log.read(2, 100)).map(row => row.position)).toEqual([3, 4, 5]);
        expect(await log.read(5, 10)).toEqual([]);
        expect(await log.read(99, 10)).toEqual([]);
        expect(versions(await log.readStreams([B, A, B, uuid(77)]))).toEqual([`${A}/1`, `${A}/2`, `${B}/1`, `${B}/3`]);
        expect(versions(await log.readVersions([{ stream: B, version: 3 }, { stream: B, version: 2 }, { stream: A, version: 1 }]))).toEqual([`${A}/1`, `${B}/3`]);
        expect((await log.readKeys(['a', 'b', 'c'])).map(row => row.key)).toEqual(['b', 'a']);
        expect([await log.readStreams([]), await log.readVersions([]), await log.readKeys([])]).toEqual([[], [], []]);
      });
    });

    describeTrimming(open);

    describe('listeners', () => {
      it('hear of each commit that appends, in order, the very objects, before it resolves', async () => {
        const log = await open(uniqueName());
        const heard: (readonly StoredRow[])[] = [];
        const off = log.onCommitted(rows => { heard.push(rows); expect(log.head()).toBe(rows.at(-1)!.position); });
        const first = await log.commit({ appends: [anAppend()] });
        await expect(log.commit({ appends: [anAppend()] })).rejects.toThrow(VersionConflict);
        await log.commit({ positions: { x: 1 } });
        const second = await log.commit({ appends: [anAppend({ version: 2 })] });
        off();
        await log.commit({ appends: [anAppend({ version: 3 })] });
        expect(heard).toHaveLength(2);
        expect(heard[0]![0]).toBe(first[0]);
        expect(heard[1]![0]).toBe(second[0]);
      });
    });

    describe('documents', () => {
      const put = (kind: string, id: string, data: JsonObject | null, more: Partial<DocumentPut> = {}): DocumentPut => ({ kind, tenant: 'default', id, data, ...more });

      it('count their revisions, and are checked against the one expected', async () => {
        const log = await open(uniqueName());
        const kind = uniqueName();
        const revision = async () => (await log.getDocument(kind, 'default', 'a'))?.revision ?? 0;
        await log.commit({ documents: [put(kind, 'a', { n: 1 }, { expectedRevision: 0 })] });
        expect(await log.getDocument(kind, 'default', 'a')).toEqual({ kind, tenant: 'default', id: 'a', revision: 1, data: { n: 1 } });
        await log.commit({ documents: [put(kind, 'a', { n: 2 })] });
        await log.commit({ documents: [put(kind, 'a', { n: 3 }, { expectedRevision: 2 })] });
        for (const expectedRevision of [0, 2, 4]) {
          await expect(log.commit({ documents: [put(kind, 'a', null, { expectedRevision }), put(kind, 'b', {})] })).rejects.toMatchObject({ documents: [`${kind}/default/a`] });
        }
        await expect(log.commit({ documents: [put(kind, 'b', {}, { expectedRevision: 1 })] })).rejects.toThrow(VersionConflict);
        expect([await revision(), await log.getDocument(kind, 'default', 'b')]).toEqual([3, null]);
        await log.commit({ documents: [put(kind, 'a', null, { expectedRevision: 3 }), put(kind, 'never', null)] });
        expect(await revision()).toBe(0);
        await log.commit({ documents: [put(kind, 'a', { n: 4 }, { expectedRevision: 0 })] });
        expect(await revision()).toBe(1);
      });

      it('put several times in one unit end as if put one after the other', async () => {
        const log = await open(uniqueName());
        const kind = uniqueName();
        await log.commit({ documents: [put(kind, 'a', { n: 1 }, { expectedRevision: 0 }), put(kind, 'a', { n: 2 }, { expectedRevision: 1 }), put(kind, 'b', { n: 1 }), put(kind, 'b', null)] });
        expect(await log.getDocument(kind, 'default', 'a')).toMatchObject({ revision: 2, data: { n: 2 } });
        expect(await log.getDocument(kind, 'default', 'b')).toBeNull();
        await log.commit({ documents: [put(kind, 'a', null), put(kind, 'a', { n: 3 }, { expectedRevision: 0 }), put(kind, 'b', null), put(kind, 'b', { n: 5 })] });
        expect(await log.getDocument(kind, 'default', 'a')).toMatchObject({ revision: 1, data: { n: 3 } });
        expect(await log.getDocument(kind, 'default', 'b')).toMatchObject({ revision: 1, data: { n: 5 } });
        await expect(log.commit({ documents: [put(kind, 'c', {}, { expectedRevision: 0 }), put(kind, 'c', {}, { expectedRevision: 0 })] })).rejects.toThrow(VersionConflict);
      });

      it('are stored with the appends of their unit or not at all', async () => {
        const log = await open(uniqueName());
        const kind = uniqueName();
        await log.commit({ appends: [anAppend()], documents: [put(kind, 'a', { n: 1 })] });
        await expect(log.commit({ appends: [anAppend({ version: 2 })], documents: [put(kind, 'a', {}, { expectedRevision: 7 })] })).rejects.toThrow(VersionConflict);
        await expect(log.commit({ appends: [anAppend()], documents: [put(kind, 'a', {}), put(kind, 'b', {})] })).rejects.toThrow(VersionConflict);
        expect([log.head(), (await log.getDocument(kind, 'default', 'a'))?.revision, await log.getDocument(kind, 'default', 'b')]).toEqual([1, 1, null]);
      });

      it('are paged by id, of one tenant or of all, in the order of their bytes', async () => {
        const log = await open(uniqueName());
        const kind = uniqueName();
        const ids = ['B', 'a', 'b/c', 'é', '\uffee', '😀'];
        await log.commit({ documents: ids.toReversed().flatMap(id => ['t-2', 't', 'T'].map(tenant => put(kind, id, { id }, { tenant }))) });
        await log.commit({ documents: [put(`${kind}-other`, 'a', {}, { tenant: 't' })] });
        const pages: string[] = [];
        for (let after: string | undefined; ;) {
          const page = await log.listDocuments(kind, 't', { limit: 4, ...(after === undefined ? {} : { after }) });
          if (page.length === 0) break;
          pages.push(...page.map(document => document.id));
          after = page.at(-1)!.id;
        }
        expect(pages).toEqual(ids);
        const all: string[] = [];
        for (let after: string | undefined; ;) {
          const page = await log.listDocuments(kind, null, { limit: 5, ...(after === undefined ? {} : { after }) });
          if (page.length === 0) break;
          all.push(...page.map(document => `${document.tenant}/${document.id}`));
          after = all.at(-1)!;
        }
        expect(all).toEqual(['T', 't', 't-2'].flatMap(tenant => ids.map(id => `${tenant}/${id}`)));
      });
    });

    it('does with any units what a plain list of rows would do', async () => {
      await fc.assert(fc.asyncProperty(fc.array(anyStep, { maxLength: 12 }), async steps => { await agreesWithModel(open, steps); }), { numRuns: 25 });
    });
  });
}

interface Trim { readonly upTo: number; readonly rowsMax: number; readonly keep: readonly string[] }
type Step = 'reopen' | Trim | { readonly appends: Append[]; readonly documents: DocumentPut[]; readonly positions: Record<string, number>; readonly lowWater: number; readonly durable: boolean };

const anyAppend: fc.Arbitrary<Append> = fc.record({
  tenant: fc.constantFrom('default', 'acme'), stream: fc.constantFrom(A, B), version: fc.nat(5), key: fc.option(fc.constantFrom('k0', 'k1', 'k2', 'k3'), { nil: undefined }),
  state: fc.jsonValue() as fc.Arbitrary<JsonObject>,
  messages: fc.array(fc.record({ topic: fc.constantFrom(FACTS, COMMANDS), text: fc.string({ unit: 'binary' }) }).map(({ topic, text }) => aDraft({ topic, data: { text } })), { maxLength: 3 }),
}).map(({ key, ...rest }) => (key === undefined ? rest : { ...rest, key }));

const anyPut: fc.Arbitrary<DocumentPut> = fc.record({
  kind: fc.constant('k'), tenant: fc.constantFrom('default', 'acme'), id: fc.constantFrom('a', 'b'), data: fc.option(fc.record({ n: fc.nat(9) })), expected: fc.option(fc.nat(2), { nil: undefined }),
}).map(({ expected, ...rest }) => (expected === undefined ? rest : { ...rest, expectedRevision: expected }));

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant('reopen' as const) },
  { weight: 2, arbitrary: fc.record({ upTo: fc.nat(30), rowsMax: fc.integer({ min: 1, max: 10 }), keep: fc.subarray([A, B]) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      appends: fc.uniqueArray(anyAppend, { maxLength: 4, selector: append => `${append.stream}/${append.version}` })
        .map(appends => appends.filter((append, i) => append.key === undefined || appends.findIndex(other => other.key === append.key) === i)),
      documents: fc.uniqueArray(anyPut, { maxLength: 3, selector: document => `${document.tenant}/${document.id}` }),
      positions: fc.dictionary(fc.constantFrom('gateway/0', 'policy/0'), fc.nat(100)), lowWater: fc.nat(20), durable: fc.boolean(),
    }),
  },
);

async function agreesWithModel(open: (log: string) => Promise<Log>, steps: readonly Step[]): Promise<void> {
  const name = uniqueName();
  let rows: StoredRow[] = [];
  const documents = new Map<string, { revision: number; data: JsonObject }>();
  let positions: Record<string, number> = {};
  let [head, sequence, lowWater, heard, trimmed] = [0, 0, 0, 0, 0];
  let log = await open(name);
  const listen = () => log.onCommitted(more => { heard += more.length; });
  listen();
  for (const step of steps) {
    if (step === 'reopen') { log = await open(name); listen(); continue; }
    if ('upTo' in step) {
      const goal = Math.min(step.upTo, lowWater - 1, head);
      const from = trimmed;
      trimmed = Math.max(from, Math.min(goal, from + step.rowsMax));
      const ends = (stream: string): boolean => !step.keep.includes(stream) && rows.some(row => row.stream === stream && row.position > from && row.position <= trimmed)
        && rows.every(row => row.stream !== stream || row.position <= trimmed);
      const left = rows.filter(row => !ends(row.stream));
      expect(await log.trim(step.upTo, step.rowsMax, step.keep)).toEqual({ removed: rows.length - left.length, more: trimmed < goal });
      rows = left;
      continue;
    }
    const unit: Unit = { ...step, documents: step.documents.map(document => ({ ...document, kind: name })) };
    const idOf = (document: DocumentPut) => `${document.kind}/${document.tenant}/${document.id}`;
    const conflicts = {
      streams: unit.appends!.filter(append => rows.some(row => row.stream === append.stream && row.version === append.version)).map(append => `${append.stream}/${append.version}`).sort(),
      keys: unit.appends!.flatMap(append => (rows.some(row => row.key === (append.key ?? '')) ? [append.key!] : [])).sort(),
      documents: unit.documents!.filter(document => document.expectedRevision !== undefined && document.expectedRevision !== (documents.get(idOf(document))?.revision ?? 0)).map(idOf).sort(),
    };
    const outcome = await log.commit(unit).catch((error: unknown) => error);
    if (conflicts.streams.length + conflicts.keys.length + conflicts.documents.length > 0) {
      expect(outcome).toBeInstanceOf(VersionConflict);
      const conflict = outcome as VersionConflict;
      expect({ streams: conflict.streams.map(pair => `${pair.stream}/${pair.version}`).sort(), keys: [...conflict.keys].sort(), documents: [...conflict.documents].sort() }).toEqual(conflicts);
      continue;
    }
    for (const append of unit.appends!) {
      rows.push({
        position: ++head, tenant: append.tenant, stream: append.stream, version: append.version, key: append.key ?? null, state: append.state ?? null,
        messages: append.messages.map(({ topic, key, ...draft }) => ({
          topic, key,
          event: { specversion: '1.0', source: '/aifirst/orchestrator', producer: `${name}/0`, ...draft, ...(isFactTopic(topic) ? { sequence: ++sequence } : {}) },
        })),
      } as StoredRow);
    }
    for (const document of unit.documents!) {
      if (document.data === null) documents.delete(idOf(document));
      else documents.set(idOf(document), { revision: (documents.get(idOf(document))?.revision ?? 0) + 1, data: document.data });
    }
    positions = { ...positions, ...step.positions };
    lowWater = Math.max(lowWater, step.lowWater);
    expect(outcome).toEqual(unit.appends!.length === 0 ? [] : rows.slice(-unit.appends!.length));
    expect([log.head(), log.positions(), log.lowWater()]).toEqual([head, positions, lowWater]);
  }
  expect(heard).toBe(head);
  expect(await log.read(0, 1_000)).toEqual(rows);
  const stored = await log.listDocuments(name, null, { limit: 100 });
  expect(Object.fromEntries(stored.map(({ kind, tenant, id, revision, data }) => [`${kind}/${tenant}/${id}`, { revision, data }]))).toEqual(Object.fromEntries(documents));
  await log.close();
}
