export * from './fake-runtime';
export * from './scripted-endpoint';
