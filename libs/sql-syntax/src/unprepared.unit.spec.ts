import { InvariantViolation } from '@aifirst/kernel';
import { prepareSqlSyntax, readStatement } from './index';

it('says that the parser was not loaded, and loads it once', async () => {
  expect(() => readStatement('SELECT 1')).toThrow(InvariantViolation);
  const loading = prepareSqlSyntax();
  expect(() => readStatement('SELECT 1')).toThrow(InvariantViolation);
  expect(prepareSqlSyntax()).toBe(loading);
  await loading;
  expect(readStatement('SELECT 1').problem).toBeUndefined();
});
