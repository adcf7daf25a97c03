export * from './builders';
export * from './tenant';
