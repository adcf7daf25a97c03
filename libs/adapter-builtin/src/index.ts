export * from './builtin-adapter';
