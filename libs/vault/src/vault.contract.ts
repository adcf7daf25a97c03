import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { isSealed, type Sealed } from '@aifirst/contracts';
import type { Json, JsonObject } from '@aifirst/kernel';
import type { KeyScope, Vault } from './vault';

const CANARY = 'canary-7c1f';
const json = (sealed: Sealed): Json => sealed as unknown as Json;
export const aScope = (over: Partial<KeyScope> = {}): KeyScope => ({ tenant: 'acme', workflow: randomUUID(), ...over });

const schema: JsonObject = {
  type: 'object',
  properties: {
    path: { type: 'string' }, content: { type: 'string', 'x-sensitive': 'content' }, params: { type: 'array', 'x-sensitive': 'params' },
    rows: { type: 'array', items: { $ref: '#/$defs/row' } }, either: { anyOf: [{ type: 'string' }, { properties: { secret: { 'x-sensitive': 'either' } } }] },
    deep: { type: 'object', additionalProperties: { type: 'array', prefixItems: [{}, { 'x-sensitive': 'deep' }] } }, self: { $ref: '#' }, dotted: { patternProperties: { '^pin': { 'x-sensitive': 'pin' } }, additionalProperties: true },
  },
  $defs: { row: { properties: { name: { 'x-sensitive': 'name' }, id: { type: 'number' } } } },
};

/** What every vault holds to. `vault()` is called in each test. */
export function vaultContract(vault: () => Vault): void {
  const failure = async (work: Promise<unknown>): Promise<Record<string, unknown>> => {
    try { await work; } catch (error) {
      expect(String(error) + JSON.stringify(error) + ((error as Error).stack ?? '')).not.toContain(CANARY);
      return { ...(error as object) };
    }
    throw new Error('it succeeded');
  };

  it('opens what it sealed, whatever it was', async () => {
    const scope = aScope();
    const value = fc.jsonValue({ stringUnit: 'grapheme' }).map(one => JSON.parse(JSON.stringify(one)) as Json);
    await fc.assert(fc.asyncProperty(value, fc.string(), async (clear, sensitivityClass) => {
      const sealed = await vault().seal(scope, sensitivityClass, clear);
      expect(sealed.class).toBe(sensitivityClass);
      expect(sealed.$sealed).toMatch(/^v1\.[\w-]{8}\.[\w-]{16}\.[\w-]{22,}$/);
      expect(await vault().unsealAll(scope, { a: [json(sealed), 1], b: json(sealed) })).toEqual({ a: [clear, 1], b: clear });
    }), { numRuns: 50 });
  });

  it('opens a value of a megabyte', async () => {
    const scope = aScope();
    const clear = 'x'.repeat(1_000_000);
    expect(await vault().unsealAll(scope, json(await vault().seal(scope, 'c', clear)))).toBe(clear);
  });

  const naughty = join(__dirname, '../../../../shared/data/strings/blns.json');
  (existsSync(naughty) ? it : it.skip)('opens naughty strings (skipped where they are not at hand)', async () => {
    const scope = aScope();
    for (const clear of JSON.parse(readFileSync(naughty, 'utf8')) as string[]) expect(await vault().unsealAll(scope, json(await vault().seal(scope, clear, clear)))).toBe(clear);
  });

  it('seals one value differently each time, and shows nothing of it', async () => {
    const scope = aScope();
    const [one, other] = [await vault().seal(scope, 'c', CANARY), await vault().seal(scope, 'c', CANARY)];
    expect(one.$sealed).not.toBe(other.$sealed);
    expect(Buffer.from(one.$sealed.split('.')[3]!, 'base64url').toString('latin1')).not.toContain(CANARY);
  });

  it('seals what its schema marks, and that alone', async () => {
    const scope = aScope();
    const clear: JsonObject = {
      path: 'a.txt', content: CANARY, params: [CANARY, 1], rows: [{ name: CANARY, id: 1 }, { id: 2 }], either: { secret: CANARY, open: 1 },
      deep: { x: ['open', CANARY, 'open'] }, self: { content: CANARY, path: 'b' }, dotted: { pin1: CANARY, other: 'open' },
    };
    const sealed = await vault().sealFields(scope, schema, clear) as Record<string, Json>;
    expect(JSON.stringify(sealed)).not.toContain(CANARY);
    expect(sealed).toMatchObject({
      path: 'a.txt', content: { class: 'content' }, params: { class: 'params' }, rows: [{ name: { class: 'name' }, id: 1 }, { id: 2 }], either: { secret: { class: 'either' }, open: 1 },
      deep: { x: ['open', { class: 'deep' }, 'open'] }, self: { content: { class: 'content' }, path: 'b' }, dotted: { pin1: { class: 'pin' }, other: 'open' },
    });
    expect(await vault().unsealAll(scope, sealed)).toEqual(clear);
    expect(await vault().sealFields(scope, schema, sealed)).toBe(sealed);
  });

  it('leaves references in an input, seals around them, and unwraps literals', async () => {
    const scope = aScope();
    const reference = { $ref: '#/steps/a/output' };
    const sealed = await vault().sealFields(scope, schema, {
      content: reference, params: [reference, CANARY, { k: [reference], l: { $literal: reference } }, { $literal: [1] }], rows: [reference, { name: { $literal: { $ref: CANARY } } }], deep: { $literal: { x: [reference, CANARY] } },
    }) as Record<string, Json>;
    expect(sealed).toMatchObject({ content: reference, params: [reference, { class: 'params' }, { k: [reference], l: { class: 'params' } }, { class: 'params' }], rows: [reference, { name: { class: 'name' } }], deep: { $literal: { x: [reference, { class: 'deep' }] } } });
    expect(JSON.stringify(sealed)).not.toContain(CANARY);
    expect(await vault().unsealAll(scope, sealed)).toEqual({ content: reference, params: [reference, CANARY, { k: [reference], l: reference }, [1]], rows: [reference, { name: { $ref: CANARY } }], deep: { $literal: { x: [reference, CANARY] } } });
  });

  it('takes an output for data, whatever it looks like', async () => {
    const scope = aScope();
    const output: JsonObject = { content: { $ref: CANARY }, params: [{ $sealed: CANARY }, { $literal: 1 }], rows: [{ name: { $literal: CANARY } }] };
    const sealed = await vault().sealFields(scope, schema, output, 'output');
    expect(JSON.stringify(sealed)).not.toContain(CANARY);
    expect(await vault().unsealAll(scope, sealed)).toEqual(output);
  });

  it('returns the very value, and wants no key, where nothing is marked', async () => {
    const scope = aScope();
    const value: JsonObject = { path: 'a', content: { $ref: '#/steps/a/output' }, deep: { x: [1] }, unknown: CANARY };
    expect(await vault().sealFields(scope, schema, value)).toBe(value);
    expect(await vault().sealFields(scope, {}, value)).toBe(value);
    expect(await vault().unsealAll(scope, value)).toBe(value);
    expect(await failure(vault().unsealAll(scope, { $sealed: `v1.${'a'.repeat(8)}.${'a'.repeat(16)}.${'a'.repeat(22)}`, class: 'c' }))).toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('applies the pointer of a reference into a sealed value', async () => {
    const scope = aScope();
    const sealed = await vault().seal(scope, 'rows', [{ 'a/b': { '~': [CANARY] } }]);
    expect(await vault().unsealAll(scope, { x: { ...sealed, pointer: '/0/a~1b/~0/0' } })).toEqual({ x: CANARY });
    expect(await failure(vault().unsealAll(scope, { x: { ...sealed, pointer: '/1' } }))).toMatchObject({ code: 'REFERENCE_UNRESOLVED', retryable: false });
  });

  it('finds every change to a sealed value', async () => {
    const scope = aScope();
    const sealed = await vault().seal(scope, 'content', CANARY);
    for (let i = 0; i < sealed.$sealed.length; i++) {
      const changed = sealed.$sealed[i] === 'A' ? 'B' : 'A';
      expect(await failure(vault().unsealAll(scope, { ...sealed, $sealed: sealed.$sealed.slice(0, i) + changed + sealed.$sealed.slice(i + 1) }))).toMatchObject({ code: 'SEAL_BROKEN', retryable: false });
    }
    for (const text of ['', 'v1', `${sealed.$sealed}A`, ` ${sealed.$sealed}`, `${sealed.$sealed}=`, sealed.$sealed.slice(0, -1), sealed.$sealed.split('.').slice(0, 3).join('.')]) {
      expect(await failure(vault().unsealAll(scope, { ...sealed, $sealed: text }))).toMatchObject({ code: 'SEAL_BROKEN' });
    }
    expect(await failure(vault().unsealAll(scope, { ...sealed, class: 'path' }))).toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('opens nothing for another workflow or tenant', async () => {
    const scope = aScope();
    const other = aScope();
    const sealed = json(await vault().seal(scope, 'content', CANARY));
    await vault().seal(other, 'content', 'x');
    expect(await failure(vault().unsealAll(other, sealed))).toMatchObject({ code: 'SEAL_BROKEN' });
    expect(await failure(vault().unsealAll(aScope(), sealed))).toMatchObject({ code: 'SEAL_BROKEN' });
    expect(await failure(vault().unsealAll({ ...scope, tenant: 'other' }, sealed))).toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('digests a value under the key of its workflow, whatever the order of its fields', async () => {
    const scope = aScope();
    const digest = await vault().keyedDigest(scope, { a: 1, b: [CANARY] });
    expect(digest).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
    expect(await vault().keyedDigest(scope, { b: [CANARY], a: 1 })).toBe(digest);
    expect(await vault().keyedDigest(scope, { b: [CANARY], a: 2 })).not.toBe(digest);
    expect(await vault().keyedDigest(aScope(), { a: 1, b: [CANARY] })).not.toBe(digest);
  });

  it('has nothing left after an erasure, for good, and only there', async () => {
    const [scope, other, never] = [aScope(), aScope(), aScope()];
    const sealed = json(await vault().seal(scope, 'content', CANARY));
    const kept = json(await vault().seal(other, 'content', 'kept'));
    await vault().erase(scope);
    await vault().erase(scope);
    await vault().erase(never);
    for (const gone of [scope, never]) {
      expect(await failure(vault().unsealAll(gone, sealed))).toMatchObject({ code: 'ERASED', retryable: false });
      expect(await failure(vault().seal(gone, 'content', CANARY))).toMatchObject({ code: 'ERASED' });
      expect(await failure(vault().sealFields(gone, schema, { content: CANARY }))).toMatchObject({ code: 'ERASED' });
      expect(await failure(vault().keyedDigest(gone, CANARY))).toMatchObject({ code: 'ERASED' });
    }
    expect(await vault().unsealAll(scope, { clear: 1 })).toEqual({ clear: 1 });
    expect(await vault().unsealAll(other, kept)).toBe('kept');
  });

  it('gives one key to all who ask for it at once', async () => {
    const scopes = Array.from({ length: 40 }, () => aScope({ tenant: `t${randomBytes(1)[0]! % 3}` }));
    const sealed = await Promise.all(scopes.flatMap(scope => [0, 1, 2].map(async copy => ({ scope, copy, sealed: await vault().seal(scope, 'c', copy) }))));
    for (const one of sealed) expect(await vault().unsealAll(one.scope, json(one.sealed))).toBe(one.copy);
    for (const scope of scopes) expect(new Set(sealed.filter(one => one.scope === scope).map(one => one.sealed.$sealed.split('.')[1])).size).toBe(1);
    expect(isSealed(sealed[0]!.sealed)).toBe(true);
  });

  it.each([{ workflow: 'not a uuid' }, { tenant: '' }, { tenant: '*' }, { tenant: 'a\0' }])('takes %j for a bug', async over => {
    await expect(vault().seal(aScope(over), 'c', 1)).rejects.toThrow(/workflow's id|tenant/);
  });
}
