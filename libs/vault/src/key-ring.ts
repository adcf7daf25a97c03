import { OperationalError } from '@aifirst/kernel';
import type { DataKey } from './data-key';
import { ERASED, type KeyScope } from './vault';

/** Where data keys are kept, wrapped. */
export interface KeyRing {
  /** The workflow's key, made if there is none. @throws OperationalError `ERASED`, `VAULT_UNAVAILABLE` (retryable) */
  forSealing(scope: KeyScope): Promise<DataKey>;
  /** The workflow's key. @throws OperationalError `ERASED`, `SEAL_BROKEN` (there never was one), `VAULT_UNAVAILABLE` (retryable) */
  forOpening(scope: KeyScope): Promise<DataKey>;
  /** Destroys it, also one that was never made. Idempotent; when it returns nobody gets it from here any more. */
  erase(scope: KeyScope): Promise<void>;
}

export const erased = ({ workflow }: KeyScope): OperationalError => new OperationalError(ERASED, `the key of workflow \`${workflow}\` has been destroyed`);
export const noKey = ({ workflow }: KeyScope): OperationalError => new OperationalError('SEAL_BROKEN', `workflow \`${workflow}\` has no key to open anything with`);
