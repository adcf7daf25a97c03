import { expandResources, type CapabilityDescriptor } from '@aifirst/contracts';
import { admitIntent, prepareAdmission } from './index';
import { aCapability, aContext, anIntent, noop } from './testing';

const params = { type: 'array' };
const of = (name: string, access: string): CapabilityDescriptor =>
  aCapability(name, { sql: { type: 'string', 'x-sql': access }, params }, { required: ['sql'], adapter: 'sql', resources: [{ uri: 'sql://{connection}', access: access === 'read' ? 'read' : 'write' }] });
const context = aContext([of('sql.query', 'read'), of('sql.execute', 'write'), of('sql.script', 'script'), noop]);
beforeAll(prepareAdmission);

function admitted(capability: string, sql: unknown, more: object = {}) {
  const result = admitIntent(anIntent({ steps: [{ id: 'n', capability: 'noop', input: {} }, { id: 'a', capability, input: { connection: 'crm', sql, ...more } }] }) as never, context);
  if (!result.ok) return result.problems.map(({ code, pointer, detail }) => [code, pointer, detail]);
  const { resources, connection, input, hints } = result.plan[1]!;
  return { touches: expandResources(resources, connection, input).map(({ uri, access }) => `${access} ${uri}`), hints };
}

describe('a script tells of its step', () => {
  it('every table that any of its statements names, once, and the worst of them', () => {
    expect(admitted('sql.script', 'INSERT INTO archive SELECT * FROM crm.orders WHERE total < $1; DELETE FROM crm.orders WHERE total < $1; SELECT count(*) FROM orders;', { params: [1] })).toEqual({
      touches: ['write sql://crm/public.archive', 'write sql://crm/crm.orders', 'read sql://crm/public.orders'], hints: { statement: 'delete' },
    });
    expect(admitted('sql.script', 'DELETE FROM a WHERE id = 1; UPDATE b SET x = 1')).toMatchObject({ hints: { statement: 'delete', unbounded: true } });
    expect(admitted('sql.script', 'UPDATE b SET x = 1 WHERE id = 1; INSERT INTO a VALUES (1); TRUNCATE c')).toMatchObject({ hints: { statement: 'truncate', unbounded: true } });
    expect(admitted('sql.script', 'UPDATE b SET x = 1 WHERE id = 1; SELECT 1 AS one')).toEqual({ touches: ['write sql://crm/public.b'], hints: { statement: 'update' } });
  });
});

describe('a script is refused whole', () => {
  const sql = '/steps/1/input/sql';
  it.each<[string, string, string, RegExp]>([
    ['a statement that is not allowed', 'DELETE FROM a; COMMIT', sql, /^statement 2 of 2: the transaction is the runtime's/],
    ['no statement', ' ; -- DELETE FROM a', sql, /no statement/],
    ['nothing but reads', 'SELECT 1; SELECT 2', sql, /sql\.query/],
    ['a place', "SELECT '😀'; SELECT pg_sleep(1); DELETE FROM a", sql, /^statement 2 of 3: .*\(at character 21\)$/],
  ])('for %s', (_, text, pointer, detail) => expect(admitted('sql.script', text)).toEqual([['INVALID_SQL', pointer, expect.stringMatching(detail)]]));
  it('for parameters that are too few, too many or left out', () => {
    expect(admitted('sql.script', 'DELETE FROM a WHERE x = $1; DELETE FROM b WHERE y = $2', { params: [1] })).toEqual([['INVALID_INPUT', '/steps/1/input/params', expect.stringContaining('takes 2 parameters, and 1 is given')]]);
    expect(admitted('sql.script', 'DELETE FROM a; DELETE FROM b', { params: [1] })).toEqual([['INVALID_INPUT', '/steps/1/input/params', expect.any(String)]]);
    expect(admitted('sql.script', 'DELETE FROM a WHERE x = $2', { params: [1, 2] })).toEqual([['INVALID_SQL', sql, expect.stringContaining('`$1` is left out')]]);
  });
  it('by reference: no output becomes SQL', () => {
    expect(admitted('sql.script', { $ref: '#/steps/n/output' })).toEqual([['INVALID_REFERENCE', sql, expect.any(String)]]);
    expect(admitted('sql.script', 'DELETE FROM a WHERE x = $1', { params: [{ $ref: '#/steps/n/output' }] })).toMatchObject({ hints: { statement: 'delete' } });
  });
});

it.each([['sql.execute', 'DELETE FROM a; DELETE FROM b'], ['sql.query', 'SELECT 1; SELECT 2'], ['sql.query', 'SELECT 1; DELETE FROM a']])('%s takes one statement alone: %s', (capability, sql) => {
  expect(admitted(capability, sql)).toEqual([['INVALID_SQL', '/steps/1/input/sql', expect.stringContaining('one statement at a time')]]);
});
