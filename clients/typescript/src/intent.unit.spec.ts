import { Intent, Literal, type Given } from './index';

const inputOf = (value: Given): unknown => { const intent = new Intent('g'); intent.step('noop', { value }, { id: 'a' }); return intent.toJSON().steps[0]!.input!['value']; };

describe('an intent', () => {
  it('is sent as the server takes it', () => {
    const intent = new Intent('raise', { mode: 'atomic', onFailure: 'pause', deadlineMs: 1_000, labels: { team: 'credit' }, subjects: ['customer:42'] });
    const raise = intent.step('sql.execute', { connection: 'crm', sql: 'UPDATE', params: [5, null] }, { timeoutMs: 30_000, attempts: 3 });
    intent.step('fs.write', { content: raise.output('rows', 0, 'a/b~c'), skipped: undefined }, { id: 'letter', dependsOn: [raise, 'sql-execute'] });
    intent.step('sql.execute', {});
    expect(intent.toJSON()).toEqual({
      goal: 'raise', mode: 'atomic', onFailure: 'pause', deadlineMs: 1_000, labels: { team: 'credit' }, subjects: ['customer:42'],
      steps: [
        { id: 'sql-execute', capability: 'sql.execute', input: { connection: 'crm', sql: 'UPDATE', params: [5, null] }, timeoutMs: 30_000, retry: { attemptsMax: 3 } },
        { id: 'letter', capability: 'fs.write', input: { content: { $ref: '#/steps/sql-execute/output/rows/0/a~1b~0c' } }, dependsOn: ['sql-execute'] },
        { id: 'sql-execute-2', capability: 'sql.execute', input: {} },
      ],
    });
  });
  it('does not change when what was made of it, or given to it, is changed', () => {
    const given = { list: [1] };
    const intent = new Intent('g');
    intent.step('noop', { value: given });
    given.list.push(2);
    (intent.toJSON().steps as unknown[]).length = 0;
    expect(intent.toJSON().steps).toEqual([{ id: 'noop', capability: 'noop', input: { value: { list: [1] } } }]);
  });

  it('escapes data that looks like a reference, once and wherever it lies', () => {
    expect(inputOf({ $ref: '#/steps/b/output' })).toEqual({ $literal: { $ref: '#/steps/b/output' } });
    expect(inputOf([{ deep: { $literal: { $ref: 'x' } } }])).toEqual([{ deep: { $literal: { $literal: { $ref: 'x' } } } }]);
    expect(inputOf(new Literal({ a: { $ref: 'x' } }))).toEqual({ $literal: { a: { $ref: 'x' } } });
  });

  it.each<[string, () => unknown, string]>([
    ['bytes', () => inputOf(new Uint8Array(1) as never), 'step `a`: /value: bytes are sent as a text'],
    ['NaN', () => inputOf([Number.NaN]), 'step `a`: /value/0: JSON has no'],
    ['numbers that lose digits', () => inputOf(2 ** 53 + 2), 'lose digits'],
    ['half of a surrogate pair', () => inputOf({ a: 'x\uD800' }), 'step `a`: /value/a: half of a surrogate pair'],
    ['half of a surrogate pair as a name', () => inputOf({ '\uDC00': 1 }), 'half of a surrogate pair'],
    ['dates', () => inputOf(new Date(0) as never), 'Date is not of JSON'],
    ['bigints', () => inputOf(1n as never), 'bigint is not of JSON'],
    ['functions', () => inputOf((() => 1) as never), 'function is not of JSON'],
    ['a circle', () => { const circle: Record<string, never> = {}; circle['again'] = circle as never; return inputOf(circle); }, 'goes round in a circle'],
    ['a step in place of its output', () => { const intent = new Intent('g'); const a = intent.step('noop'); intent.step('noop', { value: a as never }); }, '`.output()`'],
    ['an output of another intent', () => { const a = new Intent('g').step('noop'); new Intent('h').step('noop', { value: a.output() }); }, 'of another intent'],
    ['an output in data', () => { const intent = new Intent('g'); const a = intent.step('noop'); intent.step('noop', { value: { $ref: 'x', b: a.output() } }); }, 'where no reference is followed'],
    ['an output in a text', () => { const a = new Intent('g').step('noop'); return `${a.output() as never}`; }, 'known only when the workflow runs'],
    ['an output as JSON', () => JSON.stringify(new Intent('g').step('noop').output()), 'known only when the workflow runs'],
    ['an index from the end', () => new Intent('g').step('noop').output(-1), 'index from 0 on'],
    ['a step of another intent before it', () => { const a = new Intent('g').step('noop'); new Intent('h').step('noop', {}, { dependsOn: a }); }, 'of another intent'],
    ['an id twice', () => { const intent = new Intent('g'); intent.step('noop', {}, { id: 'a' }); intent.step('noop', {}, { id: 'a' }); }, 'already'],
    ['an id of other letters', () => new Intent('g').step('noop', {}, { id: 'ä' }), '1 to 64 letters'],
    ['no steps', () => new Intent('g').toJSON(), 'at least one step'],
    ['no goal', () => new Intent(''), 'has a goal'],
    ['a time below zero', () => new Intent('g').step('noop', {}, { timeoutMs: -1 }), 'timeoutMs'],
  ])('refuses %s, with where it stands', (_, make, said) => { expect(make).toThrow(said); });
});
