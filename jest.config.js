'use strict';
/** Kinds of test by file suffix (docs/architecture.md): unit has no I/O, int has one real dependency, e2e spans processes. */
const shared = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: { '^.+\\.[cm]?[jt]s$': ['@swc/jest', JSON.parse(require('node:fs').readFileSync(`${__dirname}/.swcrc`, 'utf8'))] },
  transformIgnorePatterns: ['/node_modules/(?!(jose)/)'],
  moduleNameMapper: {
    '^@aifirst/([^/]+)/testing$': '<rootDir>/libs/$1/src/testing/index.ts',
    '^@aifirst/([^/]+)$': '<rootDir>/libs/$1/src/index.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/libs/[^/]+/dist', '<rootDir>/apps/[^/]+/dist', '<rootDir>/tmp'],
};
const kind = (name, extra = {}) => ({ ...shared, displayName: name, testMatch: [`**/*.${name}.spec.ts`], ...extra });
module.exports = {
  projects: [kind('unit'), kind('int'), kind('e2e')],
  testTimeout: 60_000,
  maxWorkers: 2,
  watchman: false,
};
