export * from './builders';
export * from './tenant';
export * from './running-service';
