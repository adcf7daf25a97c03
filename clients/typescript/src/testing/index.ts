export * from './scripted-server';
