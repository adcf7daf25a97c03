'use strict';
/** Kinds of test by file suffix (docs/architecture.md): unit has no I/O, int has one real dependency, e2e spans processes, kafka and distributed need a real broker. */
const shared = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: { '^.+\\.[cm]?[jt]s$': ['@swc/jest', JSON.parse(require('node:fs').readFileSync(`${__dirname}/.swcrc`, 'utf8'))] },
  transformIgnorePatterns: ['/node_modules/(?!(jose)/)'],
  moduleNameMapper: {
    '^@aifirst/client$': '<rootDir>/clients/typescript/src/index.ts',
    '^@aifirst/planner$': '<rootDir>/clients/planner/src/index.ts',
    '^@aifirst/client/kafka$': '<rootDir>/clients/typescript/src/kafka.ts',
    '^@aifirst/([^/]+)/testing$': '<rootDir>/libs/$1/src/testing/index.ts',
    '^@aifirst/([^/]+)$': '<rootDir>/libs/$1/src/index.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/libs/[^/]+/dist', '<rootDir>/apps/[^/]+/dist', '<rootDir>/clients/[^/]+/dist', '<rootDir>/tmp'],
};
const broker = { globalSetup: '<rootDir>/test/support/kafka-setup.cjs', globalTeardown: '<rootDir>/test/support/kafka-teardown.cjs' };
const kind = (name, extra = {}) => ({ ...shared, displayName: name, testMatch: [`**/*.${name}.spec.ts`], ...extra });
module.exports = {
  projects: [
    kind('unit'), kind('int'), kind('e2e'), kind('kafka', broker),
    // The very tests of the whole in one process, with every service its own; and what only those can show.
    kind('distributed', {
      ...broker, setupFiles: ['<rootDir>/test/support/distributed-setup.cjs'],
      testMatch: ['**/*.distributed.spec.ts', `**/test/e2e/(${['walkthrough', 'refusals', 'surface', 'control', 'audit', 'order', 'idempotency', 'crash', 'crash-points', 'sensitive', 'plans', 'sql', 'atomic', 'rollback', 'mcp', 'mcp-transactions', 'tasks', 'delegation', 'sql-failures', 'transactions'].join('|')}).e2e.spec.ts`],
    }),
  ],
  testTimeout: 60_000,
  maxWorkers: 2,
  watchman: false,
};
