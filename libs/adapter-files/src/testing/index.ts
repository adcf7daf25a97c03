export * from './snapshot';
export * from './file-steps';
