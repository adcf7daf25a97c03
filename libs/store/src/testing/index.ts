import type * as contract from '../store.contract';

export * from './memory-store';

/** The contract suite of the store. Loaded when called: it belongs to tests and is not built. */
export const describeStore: typeof contract.describeStore = (...given) => (require('../store.contract') as typeof contract).describeStore(...given);
