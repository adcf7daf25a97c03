import { admitStep, admitTransaction } from './admit-transaction';
import { aContext } from './testing';

const problems = (admission: ReturnType<typeof admitStep> | ReturnType<typeof admitTransaction>): readonly string[] => (admission.ok ? [] : admission.problems.map(({ code, pointer }) => `${code} ${pointer}`));

describe('what begins a transaction', () => {
  it('gets its defaults', () => expect(admitTransaction({ goal: 'g' })).toEqual({
    ok: true, tenant: null, parent: null, intent: { goal: 'g', mode: 'saga', onFailure: 'rollback', deadlineMs: 86_400_000, labels: {}, subjects: [], steps: [], interactive: { idleTimeoutMs: 300_000 } },
  }));
  it.each([
    ['nothing', null, ['INVALID_FIELD ']], ['no goal', {}, ['INVALID_FIELD /goal']], ['steps', { goal: 'g', steps: [] }, ['UNKNOWN_FIELD /steps']], ['a way to fail', { goal: 'g', onFailure: 'keep' }, ['UNKNOWN_FIELD /onFailure']],
    ['mode atomic', { goal: 'g', mode: 'atomic' }, ['INVALID_FIELD /mode']], ['an idle time of no time', { goal: 'g', idleTimeoutMs: 999 }, ['INVALID_FIELD /idleTimeoutMs']], ['one of more than a day', { goal: 'g', idleTimeoutMs: 86_400_001 }, ['INVALID_FIELD /idleTimeoutMs']],
    ['all at once', { goal: '', deadlineMs: 0, labels: [], subjects: 1, tenant: '' }, ['INVALID_FIELD /goal', 'INVALID_FIELD /deadlineMs', 'INVALID_FIELD /labels', 'INVALID_FIELD /subjects', 'INVALID_FIELD /tenant']],
  ])('is refused with %s', (_, body, found) => expect(problems(admitTransaction(body))).toEqual(found));
});

describe('a step of a transaction', () => {
  const noop = { id: 'a', capability: 'noop', input: {} };
  it('says what it rests on and where, and leaves the places to the owner', () => {
    const admission = admitStep({ id: 'w', capability: 'fs.write', input: { connection: 'docs', path: 'x', content: { $ref: '#/steps/a/output/value' } }, dependsOn: ['b'] }, aContext());
    expect(admission).toMatchObject({ ok: true, plan: { id: 'w', adapter: 'os', connection: 'docs', after: [], hasReferences: true, timeoutMs: 30_000, attemptsMax: 1 }, restsOn: [{ step: 'b', at: '/dependsOn/0' }, { step: 'a', at: '/input/content' }] });
  });
  it.each([
    ['nothing', null, ['INVALID_FIELD ']], ['no id', { capability: 'noop' }, ['INVALID_FIELD /id']], ['a strange field', { ...noop, more: 1 }, ['UNKNOWN_FIELD /more']], ['a bad input', { ...noop, input: { fail: 'sometimes' } }, ['INVALID_INPUT /input/fail']],
    ['a path that climbs', { id: 'w', capability: 'fs.write', input: { connection: 'docs', path: '../x', content: '' } }, ['INVALID_PATH /input/path']], ['a connection of another kind', { id: 'w', capability: 'fs.write', input: { connection: 'crm', path: 'x', content: '' } }, ['UNKNOWN_CONNECTION /input/connection']],
    ['itself', { ...noop, dependsOn: ['a'] }, ['CYCLE /dependsOn/0']], ['its own output', { ...noop, input: { value: { $ref: '#/steps/a/output' } } }, ['INVALID_REFERENCE /input/value']],
  ])('is refused with %s', (_, body, found) => expect(problems(admitStep(body, aContext()))).toEqual(found));
});
