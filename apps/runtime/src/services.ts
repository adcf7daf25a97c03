import type { ServiceName } from '@aifirst/contracts';

/** Those that are there; the other names come with their adapters. */
export const BUILT: readonly ServiceName[] = ['gateway', 'orchestrator', 'policy', 'audit', 'adapter-os'];
