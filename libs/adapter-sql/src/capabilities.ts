import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { SCRIPT_STATEMENTS_MAX } from '@aifirst/sql-syntax';
import { OUTPUT_BYTES_MAX, OUTPUT_ROWS_MAX } from './limits';

const connection = { type: 'string', minLength: 1, description: 'A connection of adapter `sql`: a PostgreSQL database.' };
const sql = (access: 'read' | 'write' | 'script') => ({
  type: 'string', minLength: 1, maxLength: 65_536, 'x-sql': access,
  description: access === 'script'
    ? `At most ${SCRIPT_STATEMENTS_MAX} statements, separated by \`;\`; \`$1\`, \`$2\` … stand for \`params\`, numbered over all of them. A name without a schema is in \`public\`.`
    : 'One statement; `$1`, `$2` … stand for `params`. A name without a schema is in `public`.',
});
const params = {
  type: 'array', maxItems: 1_000, items: {}, 'x-sensitive': 'params',
  description: 'Values for `$1`, `$2` …: texts, numbers, booleans, null; an array is a PostgreSQL array, an object is JSON. A JSON array goes as text.',
};
const object = (properties: JsonObject, required: readonly string[]): JsonObject =>
  ({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', properties, required, additionalProperties: false });
const result = {
  rows: {
    type: 'array', maxItems: OUTPUT_ROWS_MAX, items: { type: 'object' }, 'x-sensitive': 'rows',
    description: `At most ${OUTPUT_ROWS_MAX} rows and ${OUTPUT_BYTES_MAX} bytes. Integers beyond 2^53, \`numeric\`, NaN and infinities are texts, \`json\` is JSON (as text where a number in it could not be kept), times are ISO 8601 texts in UTC, bytea is \`\\x\` and hexadecimal, everything else is PostgreSQL's text.`,
  },
  rowCount: { type: 'integer', minimum: 0, description: 'Rows read, inserted, updated or deleted by the statement itself.' },
};
const output = object(result, ['rows', 'rowCount']);
const outputOfScript = object({
  results: {
    type: 'array', minItems: 1, maxItems: SCRIPT_STATEMENTS_MAX, items: { type: 'object', properties: result, required: ['rows', 'rowCount'], additionalProperties: false },
    description: `One per statement, in their order; all together as bounded as the rows of one.`,
  },
}, ['results']);

export const PREPARE = 'sql.prepare';
export const COMMIT = 'sql.commit';
const twoPhase = { prepare: PREPARE, commit: COMMIT };
const ending = (name: string, description: string): CapabilityDescriptor => ({
  name, version: '1.0.0', adapter: 'sql', reversibility: 'reversible', outcome: 'transactional', undo: 'exact', isInternal: true, description,
  inputSchema: object({ connection }, ['connection']), outputSchema: object({}, []), resources: [],
});

export const CAPABILITIES: readonly CapabilityDescriptor[] = [
  {
    name: 'sql.query', version: '1.0.0', adapter: 'sql', reversibility: 'readOnly', outcome: 'transactional', undo: 'exact',
    twoPhase, description: 'Reads with one SELECT, in a read-only transaction.',
    inputSchema: object({ connection, sql: sql('read'), params }, ['connection', 'sql']), outputSchema: output,
    resources: [{ uri: 'sql://{connection}', access: 'read' }],
  },
  {
    name: 'sql.execute', version: '1.0.0', adapter: 'sql', reversibility: 'reversible', outcome: 'transactional', undo: 'exact',
    twoPhase, description: 'Runs one INSERT, UPDATE, DELETE, MERGE or TRUNCATE in a transaction of its own. Undo puts every row back that it changed, also by cascades and triggers.',
    inputSchema: object({ connection, sql: sql('write'), params }, ['connection', 'sql']), outputSchema: output,
    resources: [{ uri: 'sql://{connection}', access: 'write' }],
  },
  {
    name: 'sql.script', version: '1.0.0', adapter: 'sql', reversibility: 'reversible', outcome: 'transactional', undo: 'exact',
    description: 'Runs several statements, each one that `sql.execute` or `sql.query` would run, in one transaction: all or none. Undo puts every row back that they changed together.',
    inputSchema: object({ connection, sql: sql('script'), params }, ['connection', 'sql']), outputSchema: outputOfScript,
    resources: [{ uri: 'sql://{connection}', access: 'write' }], twoPhase,
  },
  ending(PREPARE, 'Makes durable what a workflow has done on a connection in mode `atomic`, undecided.'),
  ending(COMMIT, 'Commits what was prepared.'),
];
export const READ_ONLY = new Set(['sql.query']);
