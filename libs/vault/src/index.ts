export * from './vault';
export * from './lease';
