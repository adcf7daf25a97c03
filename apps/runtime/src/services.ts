import { ADAPTER_HOSTS, type ServiceName } from '@aifirst/contracts';

/** Those that are there; the other names come with their adapters. */
export const BUILT: readonly ServiceName[] = ['gateway', 'orchestrator', 'policy', 'audit', ...ADAPTER_HOSTS];

/** What a process ends with that can't start with its settings, and what tells who supervises it that trying again does not help. */
export const BAD_SETTINGS = 2;
