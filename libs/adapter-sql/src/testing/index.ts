export * from './sql-stand';
export * from './random-statements';
