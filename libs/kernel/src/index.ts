export * from './crash-points';
export * from './errors';
export * from './ids';
export * from './json';
