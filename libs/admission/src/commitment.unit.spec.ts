import fc from 'fast-check';
import type { PlannedStep } from '@aifirst/contracts';
import { admitIntent } from './admit-intent';
import { cyclesOf } from './graph';
import { withCommitment } from './commitment';
import { aCapability, aContext, anIntent } from './testing';

const twoPhase = { prepare: 'db.prepare', commit: 'db.commit' };
const input = { connection: { type: 'string' }, value: true } as const;
const CAPABILITIES = [
  aCapability('db.write', input, { adapter: 'sql', twoPhase }), aCapability('db.read', input, { adapter: 'sql', reversibility: 'readOnly', twoPhase }),
  aCapability('mail.send', {}, { reversibility: 'irreversible' }), aCapability('shop.order', {}, { reversibility: 'compensable' }),
];
const context = { ...aContext(CAPABILITIES), connections: (name: string) => (/^(crm|erp|c\d+)$/.test(name) ? { adapter: 'sql' } : undefined) };
const find = (name: string) => CAPABILITIES.find(capability => capability.name === name);

type Sent = { readonly id: string; readonly capability: string; readonly dependsOn?: readonly string[]; readonly input?: object };
const write = (id: string, connection = 'crm', dependsOn: readonly string[] = []): Sent => ({ id, capability: 'db.write', input: { connection }, dependsOn });
const read = (id: string, connection = 'crm', dependsOn: readonly string[] = []): Sent => ({ id, capability: 'db.read', input: { connection }, dependsOn });
const noop = (id: string, dependsOn: readonly string[] = []): Sent => ({ id, capability: 'noop', dependsOn });
const admit = (steps: readonly Sent[], over: object = {}) => admitIntent(anIntent({ mode: 'atomic', steps, ...over }), context);
const problems = (steps: readonly Sent[], over: object = {}) => { const admission = admit(steps, over); return admission.ok ? [] : admission.problems.map(({ code, pointer }) => [code, pointer]); };
const planOf = (steps: readonly Sent[]): readonly PlannedStep[] => {
  const admission = admit(steps);
  if (!admission.ok) throw new Error(JSON.stringify(admission.problems));
  return withCommitment(admission.plan, find);
};
const shown = (plan: readonly PlannedStep[]) => plan.map(({ id, phase, after }) => [id, phase, after.map(index => plan[index]!.id)]);

describe('an intent of mode `atomic` is refused', () => {
  it('with what can neither prepare nor be undone', () => {
    expect(problems([write('w'), { id: 'm', capability: 'mail.send' }, { id: 'o', capability: 'shop.order' }])).toEqual([['INVALID_FIELD', '/steps/1/capability'], ['INVALID_FIELD', '/steps/2/capability']]);
  });
  it('where what prepares would rest on what runs last, at whatever distance', () => {
    expect(problems([noop('n'), read('r', 'erp', ['n']), write('w', 'crm', ['r'])])).toEqual([['INVALID_FIELD', '/steps/2']]);
  });
  it.each(['pause', 'keep'])('with `onFailure` %s', onFailure => { expect(problems([write('w')], { onFailure })).toEqual([['INVALID_FIELD', '/onFailure']]); });
  it('on more connections than can commit together', () => {
    expect(problems(Array.from({ length: 11 }, (_, index) => write(`w${index}`, `c${index}`)))).toEqual([['INVALID_FIELD', '/steps']]);
  });
});

describe('the plan of an intent of mode `atomic`', () => {
  it('prepares each connection when all that prepares is done, runs the rest, and commits at the end', () => {
    expect(shown(planOf([noop('n'), write('a'), write('b', 'erp', ['a']), read('r', 'crm', ['a']), { id: 's', capability: 'timer.sleep', input: { ms: 1 } }]))).toEqual([
      ['n', undefined, ['a', 'b', 'r', '~prepare-1', '~prepare-2']], ['a', 'work', []], ['b', 'work', ['a']], ['r', 'work', ['a']], ['s', undefined, []],
      ['~prepare-1', 'prepare', ['a', 'b', 'r']], ['~prepare-2', 'prepare', ['a', 'b', 'r']],
      ['~commit-1', 'commit', ['n', 'a', 'b', 'r', 's', '~prepare-1', '~prepare-2']], ['~commit-2', 'commit', ['n', 'a', 'b', 'r', 's', '~prepare-1', '~prepare-2']],
    ]);
  });
  it('has no transaction where a connection is only read', () => { expect(shown(planOf([read('r', 'erp'), noop('n')]))).toEqual([['r', undefined, []], ['n', undefined, []]]); });
  it('is a saga\'s where nothing can prepare', () => { expect(shown(planOf([noop('a'), noop('b', ['a'])]))).toEqual([['a', undefined, []], ['b', undefined, ['a']]]); });

  it('can always be put in an order, with every prepare before what runs last and every commit after everything', () => {
    const step = fc.record({ kind: fc.constantFrom(write, read), connection: fc.constantFrom('crm', 'erp'), isLast: fc.boolean(), after: fc.array(fc.nat(20), { maxLength: 3 }) });
    fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), drawn => {
      const steps = drawn.map(({ kind, connection, isLast, after }, index) => {
        const before = [...new Set(after.filter(other => other < index).map(other => `s${other}`))];
        return isLast ? noop(`s${index}`, before) : kind(`s${index}`, connection, before);
      });
      const admission = admit(steps);
      if (!admission.ok) return;
      const plan = withCommitment(admission.plan, find);
      expect(cyclesOf(plan.map(({ after }) => after))).toEqual([]);
      const placesOf = (phase: string) => plan.flatMap((one, index) => (one.phase === phase ? [index] : []));
      const writes = new Set(steps.flatMap(({ capability, input: given }) => (capability === 'db.write' ? [(given as { connection: string }).connection] : [])));
      expect([placesOf('prepare').length, placesOf('commit').length]).toEqual([writes.size, writes.size]);
      for (const index of placesOf('commit')) expect(plan[index]!.after).toEqual([...Array(steps.length + writes.size).keys()]);
      plan.slice(0, steps.length).forEach(({ capability, after }) => { if (capability === 'noop') expect(after).toEqual(expect.arrayContaining(placesOf('prepare'))); });
    }));
  });
});
