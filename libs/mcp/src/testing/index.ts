export * from './capabilities';
export * from './fake-governance';
export * from './fixture-host';
