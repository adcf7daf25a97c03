export * from './sql-stand';
