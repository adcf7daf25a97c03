export * from './sql-stand';
export * from './random-statements';
export * from './cutting-proxy';
export * from './kill-server';
