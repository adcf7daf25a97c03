import fc from 'fast-check';
import { readDraft } from './draft';
import type { PlanProblem } from './errors';

const read = (value: unknown, isCut = false): ReturnType<typeof readDraft> => readDraft({ text: typeof value === 'string' ? value : JSON.stringify(value), isCut, tokens: null }, 3);
const problemsOf = (value: unknown, isCut = false): readonly PlanProblem[] => { const found = read(value, isCut); return 'problems' in found ? found.problems : []; };
const placesOf = (value: unknown): readonly string[] => problemsOf(value).map(({ code, pointer }) => `${code} ${pointer ?? ''}`);
const step = (more: object = {}): object => ({ id: 'a', capability: 'noop', input: {}, ...more });

describe('a proposal of a model', () => {
  it('is its steps, and what it says that they do', () => {
    expect(read({ goal: 'say it', steps: [step({ input: { value: { $ref: '#/steps/x/output' } }, dependsOn: ['b'] })] })).toEqual({
      draft: { understood: 'say it', steps: [{ id: 'a', capability: 'noop', input: { value: { $ref: '#/steps/x/output' } }, dependsOn: ['b'] }] },
    });
  });
  it('may leave out or null what need not be there, and give an input as a text', () => {
    expect(read({ steps: [{ id: 'a', capability: 'noop' }, step({ input: null, dependsOn: null }), step({ input: '{"value": 1}' })] })).toMatchObject({ draft: { understood: '', steps: [{ input: {}, dependsOn: [] }, { input: {}, dependsOn: [] }, { input: { value: 1 } }] } });
  });
  it('may hold remarks, which are dropped', () => {
    const found = read({ goal: 'g', reasoning: 'because', steps: [step({ description: 'd', explanation: 'e' })] });
    expect(Object.keys('draft' in found ? found.draft.steps[0]! : {})).toEqual(['id', 'capability', 'input', 'dependsOn']);
  });

  it.each(['mode', 'onFailure', 'agent', 'tenant', 'labels', 'subjects', 'planId', 'parent', 'deadlineMs', 'approved', 'approvals', 'yes', 'apply', '__proto__'])('has no say in `%s`', name => {
    expect(placesOf(`{"goal": "g", "steps": [{"id": "a", "capability": "noop", "input": {}}], ${JSON.stringify(name)}: {}}`)).toEqual([`UNKNOWN_FIELD /${name}`]);
  });
  it.each(['depends_on', 'timeoutMs', 'retry', 'decision', 'agent', 'undo', 'a/b~c'])('has no `%s` in a step', name => {
    expect(placesOf({ goal: 'g', steps: [step({ [name]: 'x' })] })).toEqual([`UNKNOWN_FIELD /steps/0/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`]);
  });
  it('is told of everything that is wrong, each with its place', () => {
    expect(placesOf({ goal: 1, steps: ['a', step({ id: 'a b' }), step({ capability: 1, input: [], dependsOn: [1] })] })).toEqual([
      'INVALID_FIELD /steps/0', 'INVALID_FIELD /steps/1/id', 'INVALID_FIELD /steps/2/capability', 'INVALID_FIELD /steps/2/input', 'INVALID_FIELD /steps/2/dependsOn',
    ]);
    expect(placesOf({ goal: 'g' })).toEqual(['INVALID_FIELD /steps']);
    expect(placesOf({ goal: 'g', steps: [] })).toEqual(['INVALID_FIELD /steps']);
    expect(placesOf({ goal: 'g', steps: [step(), step(), step(), step()] })).toEqual(['INVALID_FIELD /steps']);
    expect(placesOf('I would rather not')).toEqual(['NOT_JSON ']);
    expect(problemsOf('{"goal": "g", "steps": [', true)[0]?.code).toBe('ANSWER_CUT');
    expect(placesOf(`{"steps": [{"id": "a", "capability": "noop", "input": {"value": ${'['.repeat(5_000)}${']'.repeat(5_000)}}}]}`)).toEqual(['TOO_DEEP ']);
  });
  it('may be that it can\'t be done, unless there are steps', () => {
    expect(read({ goal: 'g', steps: [], cannot: 'no \u001b[31mcapability' })).toEqual({ cannot: 'no \\x1b[31mcapability' });
    expect(read({ goal: 'g', steps: [step()], cannot: 'x' })).toHaveProperty('draft');
  });
  it('is read whatever it is', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 5 }), text => { expect(Object.keys(read(text))).toHaveLength(1); }));
    fc.assert(fc.property(fc.record({ goal: fc.anything(), steps: fc.array(fc.record({ id: fc.anything(), capability: fc.anything(), input: fc.anything(), dependsOn: fc.anything() }, { requiredKeys: [] })) }), value => {
      expect(Object.keys(read(JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? null : one)) ?? ''))).toHaveLength(1);
    }));
  });
});
