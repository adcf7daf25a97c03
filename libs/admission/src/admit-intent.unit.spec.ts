import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Json } from '@aifirst/kernel';
import { admitIntent } from './admit-intent';
import { canonicalDigest } from './digest';
import { STEPS_MAX } from './limits';
import { parseStrictJson } from './strict-json';
import { aCapability, aContext, anIntent } from './testing';

const context = aContext();
const findings = (body: unknown, within = context): [string, string | undefined][] => {
  const admission = admitIntent(body, within);
  return admission.ok ? [] : admission.problems.map(({ code, pointer }) => [code, pointer]);
};
const admitted = (body: unknown, within = context) => {
  const admission = admitIntent(body, within);
  if (!admission.ok) throw new Error(JSON.stringify(admission.problems));
  return admission;
};
const step = (id: string, over: Record<string, unknown> = {}) => ({ id, capability: 'noop', input: {}, ...over });
const steps = (...all: unknown[]) => anIntent({ steps: all });
const fs = (input: Record<string, unknown>) => steps({ id: 'w', capability: 'fs.write', input: { connection: 'docs', path: 'a.txt', content: '', ...input } });
const ref = (text: string) => ({ $ref: text });

describe('an intent is refused whole', () => {
  const many = (count: number, over: (index: number) => Record<string, unknown> = () => ({})) => steps(...Array.from({ length: count }, (_, index) => step(`s${index}`, over(index))));

  it.each<[string, unknown, [string, string][]]>([
    ['no object', [], [['INVALID_FIELD', '']]],
    ['null', null, [['INVALID_FIELD', '']]],
    ['nothing in it', {}, [['INVALID_FIELD', '/goal'], ['INVALID_FIELD', '/steps']]],
    ['an empty goal', anIntent({ goal: '' }), [['INVALID_FIELD', '/goal']]],
    ['a goal that is no text', anIntent({ goal: 1 }), [['INVALID_FIELD', '/goal']]],
    ['a goal of 4 KiB and a byte', anIntent({ goal: 'ä'.repeat(2048) + 'a' }), [['INVALID_FIELD', '/goal']]],
    ['a NUL in the goal', anIntent({ goal: 'a\u0000' }), [['INVALID_FIELD', '/goal']]],
    ['an unknown field', anIntent({ goals: 1, 'a/b': 2 }), [['UNKNOWN_FIELD', '/goals'], ['UNKNOWN_FIELD', '/a~1b']]],
    ['another mode', anIntent({ mode: 'fast' }), [['INVALID_FIELD', '/mode']]],
    ['a plan', { planId: 'p' }, [['INVALID_FIELD', '/planId']]],
    ['a parent that is no token', anIntent({ parent: 7 }), [['INVALID_FIELD', '/parent']]],
    ['an empty parent', anIntent({ parent: '' }), [['INVALID_FIELD', '/parent']]],
    ['a parent longer than any token', anIntent({ parent: 't'.repeat(201) }), [['INVALID_FIELD', '/parent']]],
    ['another onFailure', anIntent({ onFailure: 'shrug' }), [['INVALID_FIELD', '/onFailure']]],
    ['a deadline of nothing', anIntent({ deadlineMs: 0 }), [['INVALID_FIELD', '/deadlineMs']]],
    ['a deadline beyond 30 days', anIntent({ deadlineMs: 30 * 86_400_000 + 1 }), [['INVALID_FIELD', '/deadlineMs']]],
    ['a broken deadline', anIntent({ deadlineMs: 1.5 }), [['INVALID_FIELD', '/deadlineMs']]],
    ['a deadline in words', anIntent({ deadlineMs: '1000' }), [['INVALID_FIELD', '/deadlineMs']]],
    ['labels that are a list', anIntent({ labels: [] }), [['INVALID_FIELD', '/labels']]],
    ['a label that is no text', anIntent({ labels: { 'a/b': 1 } }), [['INVALID_FIELD', '/labels/a~1b']]],
    ['a label without a name', anIntent({ labels: { '': 'x' } }), [['INVALID_FIELD', '/labels/']]],
    ['65 labels', anIntent({ labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, ''])) }), [['INVALID_FIELD', '/labels']]],
    ['subjects that are none', anIntent({ subjects: 'x' }), [['INVALID_FIELD', '/subjects']]],
    ['an empty subject', anIntent({ subjects: ['x', ''] }), [['INVALID_FIELD', '/subjects/1']]],
    ['a tenant that is no name', anIntent({ tenant: 7 }), [['INVALID_FIELD', '/tenant']]],
    ['no steps', steps(), [['INVALID_FIELD', '/steps']]],
    ['steps that are no list', anIntent({ steps: {} }), [['INVALID_FIELD', '/steps']]],
    ['1,001 steps', many(STEPS_MAX + 1), [['INVALID_FIELD', '/steps']]],
    ['a step that is none', steps(step('a'), null), [['INVALID_FIELD', '/steps/1']]],
    ['a step without anything', steps({}), [['INVALID_FIELD', '/steps/0/id'], ['INVALID_FIELD', '/steps/0/capability']]],
    ['an id with a space', steps(step('a b')), [['INVALID_FIELD', '/steps/0/id']]],
    ['an id of 65', steps(step('a'.repeat(65))), [['INVALID_FIELD', '/steps/0/id']]],
    ['an id with a line feed after it', steps(step('a\n')), [['INVALID_FIELD', '/steps/0/id']]],
    ['an unknown field of a step', steps(step('a', { wait: 1 })), [['UNKNOWN_FIELD', '/steps/0/wait']]],
    ['a repeated id', steps(step('a'), step('b'), step('a')), [['DUPLICATE_STEP', '/steps/2/id']]],
    ['an unknown capability', steps(step('a', { capability: 'fs.shred' })), [['UNKNOWN_CAPABILITY', '/steps/0/capability']]],
    ['a capability that is no name', steps(step('a', { capability: {} })), [['INVALID_FIELD', '/steps/0/capability']]],
    ['dependence on nobody', steps(step('a', { dependsOn: ['a1'] })), [['UNKNOWN_STEP', '/steps/0/dependsOn/0']]],
    ['dependence on no id', steps(step('a', { dependsOn: [1] })), [['INVALID_FIELD', '/steps/0/dependsOn']]],
    ['dependence on itself', steps(step('a', { dependsOn: ['a'] })), [['CYCLE', '/steps/0']]],
    ['a cycle by dependsOn', steps(step('a', { dependsOn: ['c'] }), step('b', { dependsOn: ['a'] }), step('c', { dependsOn: ['b'] })), [['CYCLE', '/steps/0']]],
    ['a cycle by reference', steps(step('a', { input: { value: ref('#/steps/b/output') } }), step('b', { dependsOn: ['a'] })), [['CYCLE', '/steps/0']]],
    ['two cycles', steps(step('a', { dependsOn: ['b'] }), step('b', { dependsOn: ['a'] }), step('c', { dependsOn: ['c', 'a'] })), [['CYCLE', '/steps/0'], ['CYCLE', '/steps/2']]],
    ['a timeout of a day and more', steps(step('a', { timeoutMs: 86_400_001 })), [['INVALID_FIELD', '/steps/0/timeoutMs']]],
    ['a retry that is a number', steps(step('a', { retry: 3 })), [['INVALID_FIELD', '/steps/0/retry']]],
    ['21 attempts', steps(step('a', { retry: { attemptsMax: 21 } })), [['INVALID_FIELD', '/steps/0/retry/attemptsMax']]],
    ['no attempt', steps(step('a', { retry: { attemptsMax: 0 } })), [['INVALID_FIELD', '/steps/0/retry/attemptsMax']]],
    ['an unknown field of retry', steps(step('a', { retry: { max: 2 } })), [['UNKNOWN_FIELD', '/steps/0/retry/max']]],
    ['an input that is a list', steps(step('a', { input: [] })), [['INVALID_INPUT', '/steps/0/input']]],
    ['an unknown field of an input', steps(step('a', { input: { valeu: 1 } })), [['UNKNOWN_FIELD', '/steps/0/input/valeu']]],
    ['an input outside its values', steps(step('a', { input: { fail: 'dirty' } })), [['INVALID_INPUT', '/steps/0/input/fail']]],
    ['an input without what it needs', steps(step('a', { capability: 'timer.sleep' })), [['INVALID_INPUT', '/steps/0/input/ms']]],
    ['a missing input where one is needed', steps({ id: 'a', capability: 'timer.sleep' }), [['INVALID_INPUT', '/steps/0/input/ms']]],
    ['an input of another type, deep inside', steps(step('a', { capability: 'sql.execute', input: { connection: 'crm', sql: '', params: [1, true] } })), [['INVALID_INPUT', '/steps/0/input/params/1']]],
    ['a connection where none belongs', steps(step('a', { input: { connection: 'docs' } })), [['UNKNOWN_FIELD', '/steps/0/input/connection']]],
    ['an unknown connection', fs({ connection: 'docz' }), [['UNKNOWN_CONNECTION', '/steps/0/input/connection']]],
    ['a missing connection', fs({ connection: undefined }), [['UNKNOWN_CONNECTION', '/steps/0/input/connection']]],
    ['a connection that is a number', fs({ connection: 1 }), [['UNKNOWN_CONNECTION', '/steps/0/input/connection']]],
    ["another adapter's connection", fs({ connection: 'crm' }), [['UNKNOWN_CONNECTION', '/steps/0/input/connection']]],
    ['a connection by reference', steps(step('a'), step('b', { capability: 'fs.write', input: { connection: ref('#/steps/a/output'), path: 'a', content: '' } })), [['INVALID_REFERENCE', '/steps/1/input/connection']]],
    ['a reference with company', steps(step('a'), step('b', { input: { value: { x: [{ $ref: '#/steps/a/output', or: 1 }] } } })), [['INVALID_REFERENCE', '/steps/1/input/value/x/0']]],
    ['a reference of another form', steps(step('a'), step('b', { input: { value: ref('#/steps/a') } })), [['INVALID_REFERENCE', '/steps/1/input/value']]],
    ['a reference with a bad escape', steps(step('a'), step('b', { input: { value: ref('#/steps/a/output/~2') } })), [['INVALID_REFERENCE', '/steps/1/input/value']]],
    ['a reference that is no text', steps(step('a', { input: { value: { $ref: 1 } } })), [['INVALID_REFERENCE', '/steps/0/input/value']]],
    ['a reference to nobody', steps(step('a', { input: { value: ref('#/steps/b/output') } })), [['UNKNOWN_STEP', '/steps/0/input/value']]],
    ['a reference to itself', steps(step('a', { input: { value: ref('#/steps/a/output') } })), [['INVALID_REFERENCE', '/steps/0/input/value']]],
    ['a reference in place of the input', steps(step('a'), step('b', { input: ref('#/steps/a/output') })), [['INVALID_REFERENCE', '/steps/1/input/$ref']]],
    ['a literal in place of the input', steps(step('a', { input: { $literal: {} } })), [['INVALID_REFERENCE', '/steps/0/input/$literal']]],
    ['a literal with company', steps(step('a', { input: { value: { $literal: 1, x: 2 } } })), [['INVALID_REFERENCE', '/steps/0/input/value']]],
    ['what only the vault may make', steps(step('a', { input: { value: [{ $sealed: 'v1', class: 'x' }] } })), [['INVALID_INPUT', '/steps/0/input/value/0']]],
    ['the same in a literal', steps(step('a', { input: { value: { $literal: { x: { $sealed: 'v1' } } } } })), [['INVALID_INPUT', '/steps/0/input/value']]],
    ['a wrong value beside a reference', steps(step('a'), step('b', { capability: 'fs.write', input: { connection: 'docs', path: ref('#/steps/a/output'), content: 3, more: 1 } })), [['INVALID_INPUT', '/steps/1/input/content'], ['UNKNOWN_FIELD', '/steps/1/input/more']]],
    ['a reference as an unknown field', steps(step('a'), step('b', { input: { more: ref('#/steps/a/output') } })), [['UNKNOWN_FIELD', '/steps/1/input/more']]],
    ['a reference beside what is missing', steps(step('a'), step('b', { capability: 'fs.write', input: { connection: 'docs', content: ref('#/steps/a/output') } })), [['INVALID_INPUT', '/steps/1/input/path']]],
    ['too many where one is a reference', steps(step('a'), step('b', { capability: 'sql.execute', input: { connection: 'crm', sql: '', params: [ref('#/steps/a/output'), 1, 2, 3] } })), [['INVALID_INPUT', '/steps/1/input/params']]],
    ['a literal against its schema', steps(step('a', { capability: 'sql.execute', input: { connection: 'crm', sql: 'x', params: { $literal: [1, true] } } })), [['INVALID_INPUT', '/steps/0/input/params/$literal/1']]],
  ])('%s', (_, body, expected) => expect(findings(JSON.parse(JSON.stringify(body)) as unknown).sort()).toEqual(expected.sort()));

  it.each(['', '/', '/etc/passwd', '..', '../a', 'a/..', 'a/../b', '.', './a', 'a/.', 'a//b', 'a/', 'a\u0000b', '.aifirst', '.aifirst/x', '.AIFirst/x', 'a/.aifirst/x', 'ä'.repeat(128), 'a/'.repeat(2048) + 'a', '\ud800'])('the path %j', path => {
    expect(findings(fs({ path }))).toEqual([['INVALID_PATH', '/steps/0/input/path']]);
    expect(findings(fs({ path: { $literal: path } }))).toEqual([['INVALID_PATH', '/steps/0/input/path/$literal']]);
  });

  it('with everything that is wrong, and nothing else', () => {
    const body = anIntent({ goal: '', surprise: 1, steps: [step('a', { capability: 'none', dependsOn: ['x'] }), step('a', { input: { more: 1 }, timeoutMs: 0 })] });
    expect(findings(body)).toEqual([
      ['UNKNOWN_FIELD', '/surprise'], ['INVALID_FIELD', '/goal'], ['UNKNOWN_CAPABILITY', '/steps/0/capability'], ['UNKNOWN_FIELD', '/steps/1/input/more'], ['INVALID_FIELD', '/steps/1/timeoutMs'],
      ['DUPLICATE_STEP', '/steps/1/id'], ['UNKNOWN_STEP', '/steps/0/dependsOn/0'],
    ]);
  });

  it('with a hundred findings at most', () => expect(findings(many(200, () => ({ capability: 'none' })))).toHaveLength(100));

  it('naming the steps of a cycle', () => {
    const admission = admitIntent(steps(step('x'), step('a', { dependsOn: ['b', 'x'] }), step('b', { dependsOn: ['a'] }), step('after', { dependsOn: ['a'] })), context);
    expect(admission).toEqual({ ok: false, problems: [{ code: 'CYCLE', pointer: '/steps/1', detail: 'these steps wait for one another: `a` → `b` → `a`' }] });
  });
});

describe('an intent is admitted', () => {
  it('with the defaults of the contract', () => {
    expect(admitted({ goal: 'g', steps: [{ id: 'a', capability: 'noop' }] })).toEqual({
      ok: true, tenant: null, parent: null,
      intent: { goal: 'g', mode: 'saga', onFailure: 'rollback', deadlineMs: 600_000, labels: {}, subjects: [], steps: [{ id: 'a', capability: 'noop', input: {}, dependsOn: [], timeoutMs: 30_000, retry: { attemptsMax: 1 } }] },
      plan: [{ id: 'a', capability: 'noop', adapter: 'builtin', reversibility: 'reversible', connection: null, input: {}, after: [], hasReferences: false, resources: [], risk: { level: 'low', score: 20 }, timeoutMs: 30_000, attemptsMax: 1 }],
    });
  });

  it('with what it says itself', () => {
    const { intent, plan, tenant } = admitted(anIntent({
      mode: 'saga', onFailure: 'keep', deadlineMs: 30 * 86_400_000, labels: { team: 'credit', none: '' }, subjects: ['customer:42'], tenant: 'acme',
      steps: [
        step('w', { capability: 'fs.write', dependsOn: ['s'], input: { connection: 'docs', path: 'Äpfel/x y\\.txt', content: ref('#/steps/q/output/rows/0/name') } }),
        step('q', { capability: 'sql.execute', input: { connection: 'crm', sql: 'SELECT 1', params: [ref('#/steps/s/output'), { $literal: 'x' }] }, retry: { attemptsMax: 20 }, timeoutMs: 86_400_000 }),
        step('s', { dependsOn: [] }),
      ],
    }));
    expect(tenant).toBe('acme');
    expect(intent).toMatchObject({ onFailure: 'keep', deadlineMs: 30 * 86_400_000, labels: { team: 'credit', none: '' }, subjects: ['customer:42'] });
    expect(intent).not.toHaveProperty('tenant');
    expect(plan.map(({ after, connection, hasReferences, risk, attemptsMax, timeoutMs }) => ({ after, connection, hasReferences, risk: risk.score, attemptsMax, timeoutMs }))).toEqual([
      { after: [1, 2], connection: 'docs', hasReferences: true, risk: 20, attemptsMax: 1, timeoutMs: 30_000 },
      { after: [2], connection: 'crm', hasReferences: true, risk: 50, attemptsMax: 20, timeoutMs: 86_400_000 },
      { after: [], connection: null, hasReferences: false, risk: 20, attemptsMax: 1, timeoutMs: 30_000 },
    ]);
  });

  it('with 1,000 steps in a chain, in a fan, and as dense as they come', () => {
    const ids = Array.from({ length: STEPS_MAX }, (_, index) => `s${index}`);
    const dependent = (dependsOn: (index: number) => string[]) => steps(...ids.map((id, index) => step(id, { dependsOn: dependsOn(index) })));
    expect(admitted(dependent(index => ids.slice(Math.max(0, index - 1), index))).plan.at(-1)!.after).toEqual([998]);
    expect(admitted(dependent(index => (index === 0 ? [] : ['s0', 's0']))).plan.at(-1)!.after).toEqual([0]);
    expect(admitted(dependent(index => ids.slice(0, Math.min(index, 50)))).plan.at(-1)!.after).toHaveLength(50);
    expect(findings(dependent(index => [ids[(index + 1) % STEPS_MAX]!]))).toEqual([['CYCLE', '/steps/0']]);
  });

  it('with a literal where a reference would be read, which counts against the schema as it is', () => {
    const { plan } = admitted(steps(step('a', { input: { value: { $literal: { $ref: 'anything' } } } })));
    expect(plan[0]).toMatchObject({ after: [], hasReferences: true, input: { value: { $literal: { $ref: 'anything' } } } });
    expect(findings(fs({ content: { $literal: { $ref: '#/steps/w/output' } } }))).toEqual([['INVALID_INPUT', '/steps/0/input/content/$literal']]);
  });

  it('when a schema declares no connection of its own', () => {
    const bare = aCapability('os.touch', { path: { type: 'string' } }, { adapter: 'os' });
    const within = aContext([bare]);
    expect(admitted(steps(step('a', { capability: 'os.touch', input: { connection: 'docs', path: 'x' } })), within).plan[0]!.connection).toBe('docs');
    expect(findings(steps(step('a', { capability: 'os.touch', input: { path: 'x' } })), within)).toEqual([['UNKNOWN_CONNECTION', '/steps/0/input/connection']]);
  });

  it('with one digest, however it was spelled', () => {
    const digest = (text: string) => {
      const parsed = parseStrictJson(new TextEncoder().encode(text));
      return canonicalDigest(admitted(parsed.ok ? parsed.value : null).intent);
    };
    const plain = digest('{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":10}}]}');
    expect(plain).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(digest('{ "steps": [{"input":{"value":1.0e1},"capability":"n\\u006fop","id":"a","timeoutMs":30000}],"mode":"saga", "goal":"g", "tenant":"t" }')).toBe(plain);
    expect(digest('{"goal":"g","steps":[{"id":"a","capability":"noop","input":{"value":11}}]}')).not.toBe(plain);
  });

  it('in random graphs without a cycle, but not once an edge leads back', () => {
    const graph = fc.integer({ min: 2, max: 25 }).chain(size => fc.tuple(
      fc.constant(size), fc.shuffledSubarray(Array.from({ length: size }, (_, i) => i), { minLength: size }),
      fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1), fc.boolean()).filter(([a, b]) => a < b), { minLength: 1, maxLength: 80 }), fc.nat(),
    ));
    fc.assert(fc.property(graph, ([size, places, edges, pick]) => {
      const build = (all: readonly (readonly [number, number, boolean])[]) => steps(...places.map(node => {
        const before = all.filter(([, to]) => to === node);
        return step(`s${node}`, {
          dependsOn: before.filter(([, , byReference]) => !byReference).map(([from]) => `s${from}`),
          input: { value: before.filter(([, , byReference]) => byReference).map(([from]) => ref(`#/steps/s${from}/output/x`)) },
        });
      }));
      const { plan } = admitted(build(edges));
      plan.forEach((one, index) => {
        const from = new Set(edges.filter(([, to]) => to === places[index]).map(([node]) => places.indexOf(node)));
        expect(one.after).toEqual([...from].sort((a, b) => a - b));
      });
      expect(size).toBe(plan.length);
      const [from, to] = edges[pick % edges.length]!;
      const codes = findings(build([...edges, [to, from, pick % 2 === 0]])).map(([code]) => code);
      expect(codes.length).toBeGreaterThan(0);
      expect(new Set(codes)).toEqual(new Set(['CYCLE']));
    }), { numRuns: 200 });
  });

  it('or refused, but never thrown at, whatever it is', () => {
    const key = fc.constantFrom('goal', 'steps', 'id', 'capability', 'input', 'dependsOn', 'retry', 'labels', 'subjects', '$ref', '$literal', '$sealed', 'connection', 'path', 'x', 'constructor', 'toString');
    const leaf = fc.constantFrom<Json>('noop', 'fs.write', 'docs', 'a', '#/steps/a/output', '', 0, 1, null, true, '../x');
    const { body } = fc.letrec<{ body: Json }>(tie => ({ body: fc.oneof({ maxDepth: 6, withCrossShrink: true }, leaf, fc.dictionary(key, tie('body')), fc.array(tie('body'), { maxLength: 4 })) }));
    fc.assert(fc.property(body, value => {
      const admission = admitIntent(value, context);
      if (!admission.ok) for (const problem of admission.problems) expect(problem).toEqual({ code: expect.any(String), detail: expect.any(String), pointer: expect.any(String) });
    }), { numRuns: 1000 });
  });
});

const blns = join(__dirname, '../../../../shared/data/strings/blns.json');
const naughty = existsSync(blns) ? (JSON.parse(readFileSync(blns, 'utf8')) as string[]) : [];
if (naughty.length === 0) console.log('naughty strings: not here, skipped');
/** By code points: a cut through a surrogate pair would make it naughtier than it is. */
const first = (text: string, count: number) => Array.from(text).slice(0, count).join('');
(naughty.length === 0 ? describe.skip : describe)('naughty strings', () => {
  it('pass as goal, label, subject, key and value, unchanged', () => {
    for (const text of naughty) {
      if (text === '' || text === '__proto__') continue;
      const body = anIntent({ goal: text, labels: { label: first(text, 200) }, subjects: [first(text, 60)], steps: [step('a', { input: { value: { [text]: [text] } } })] });
      const parsed = parseStrictJson(new TextEncoder().encode(JSON.stringify(body)));
      const { intent } = admitted(parsed.ok ? parsed.value : parsed);
      expect([intent.goal, intent.steps[0]!.input]).toEqual([text, { value: { [text]: [text] } }]);
    }
  });
});

describe('what is told of a step beside its input', () => {
  const recursing = (reversibility: 'reversible' | 'readOnly') => aCapability('os.clear', { path: { type: 'string' }, recursive: { type: 'boolean' } }, { adapter: 'os', reversibility });
  const hintsOf = (recursive: unknown, reversibility: 'reversible' | 'readOnly' = 'reversible') => {
    const clear = { id: 'a', capability: 'os.clear', input: { connection: 'docs', path: 'x', ...(recursive === undefined ? {} : { recursive }) }, dependsOn: ['b'] };
    return admitted(steps(clear as never, step('b')), aContext([recursing(reversibility)])).plan[0]!.hints;
  };
  it.each([[true, { recursive: true }], [{ $literal: true }, { recursive: true }], [{ $ref: '#/steps/b/output/value' }, { recursive: true }], [false, undefined], [{ $literal: false }, undefined], [undefined, undefined]])('recursive %j gives %j', (recursive, hints) => {
    expect(hintsOf(recursive)).toEqual(hints);
  });
  it('is nothing of a step that only reads', () => { expect(hintsOf(true, 'readOnly')).toBeUndefined(); });
});
