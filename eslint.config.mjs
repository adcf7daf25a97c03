import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

// The arrows between projects (docs/architecture.md): app -> context -> platform -> contracts, kernel. A context never imports another.
const PLATFORM = ['kind:platform', 'kind:contracts', 'kind:kernel'];
const arrows = [
  { sourceTag: 'kind:app', onlyDependOnLibsWithTags: ['kind:context', 'kind:adapter', ...PLATFORM] },
  { sourceTag: 'kind:adapter', onlyDependOnLibsWithTags: PLATFORM },
  { sourceTag: 'kind:platform', onlyDependOnLibsWithTags: PLATFORM },
  { sourceTag: 'kind:contracts', onlyDependOnLibsWithTags: ['kind:kernel'] },
  { sourceTag: 'kind:kernel', onlyDependOnLibsWithTags: [] },
  // What speaks to the product from outside shares no code with it.
  { sourceTag: 'kind:client', onlyDependOnLibsWithTags: ['kind:client'] },
  { sourceTag: 'context:api', onlyDependOnLibsWithTags: ['context:api', 'context:identity', 'context:admission', ...PLATFORM] },
  ...['admission', 'identity', 'orchestration', 'policy', 'audit'].map(context => ({ sourceTag: `context:${context}`, onlyDependOnLibsWithTags: [`context:${context}`, ...PLATFORM] })),
];

const outside = ['@nestjs/*', 'typeorm', 'pg', 'kafkajs', '@opentelemetry/*', '@cedar-policy/*', 'node:*', '@aifirst/store', '@aifirst/bus', '**/application/**', '**/infrastructure/**'];
const impure = [
  { object: 'Date', property: 'now', message: 'time comes in with the input' },
  { object: 'Math', property: 'random', message: 'chance comes in with the input' },
  { object: 'crypto', property: 'randomUUID', message: 'ids come in with the input' },
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', 'coverage/**', 'tmp/**', 'clients/typescript/src/generated/**'] },
  {
    files: ['apps/**/*.ts', 'libs/**/*.ts', 'clients/**/*.ts', 'test/**/*.ts'],
    languageOptions: { parser: tseslint.parser, parserOptions: { ecmaVersion: 2023, sourceType: 'module' } },
    plugins: { '@nx': nx, '@typescript-eslint': tseslint.plugin },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { enforceBuildableLibDependency: false, allow: [], depConstraints: arrows, banTransitiveDependencies: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'off',
      'no-console': 'error', 'prefer-const': 'error', 'eqeqeq': 'error', 'no-debugger': 'error', 'no-fallthrough': 'error',
    },
  },
  {
    // The rules of the system: no clock, no chance, no I/O.
    files: ['libs/*/src/domain/**/*.ts', 'libs/kernel/src/**/*.ts', 'libs/contracts/src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: outside }],
      'no-restricted-properties': ['error', ...impure],
      'no-restricted-syntax': ['error', { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'time comes in with the input' }],
    },
  },
  {
    // What lives under testing/ stands in for the real thing: the product never reaches it.
    files: ['apps/**/*.ts', 'libs/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/*.contract.ts', '**/testing/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['@aifirst/*/testing', '**/testing/**'] }] },
  },
  { files: ['apps/cli/**/*.ts', 'apps/runtime/src/{main,service,distributed,lifecycle}.ts', 'test/**/*.ts', '**/*.spec.ts'], rules: { 'no-console': 'off' } },
);
