import type * as contract from '../execution-adapter.contract';

export * from './fake-adapter';
export * from './journal-stand';
export * from './manual-clock';
export type { AdapterCase, AdapterHarness } from '../execution-adapter.contract';

/** The contract suite of adapters. Loaded when called: it belongs to tests and is not built. */
export const describeAdapter: typeof contract.describeAdapter = (...given) => (require('../execution-adapter.contract') as typeof contract).describeAdapter(...given);
