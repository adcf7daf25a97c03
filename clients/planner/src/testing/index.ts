export * from './scripted-endpoint';
