import type { Json, JsonObject } from '@aifirst/kernel';
import type { Sealed } from '@aifirst/contracts';

/** The code thrown when the key is gone: the value can't be read any more, by anybody. */
export const ERASED = 'ERASED';

/**
 * Seals sensitive values before their first write, with a data key per workflow that is wrapped by the master key and
 * kept in a schema of its own; destroying it erases the values wherever they lie.
 */
export interface Vault {
  /**
   * Seals every value that the schema marks `x-sensitive: "<class>"`, wherever it stands. `$ref` objects and values
   * that are sealed already stay as they are (what stands around them is sealed part by part); `{ "$literal": x }` is
   * replaced by x, sealed whole. Returns the same object if there was nothing to seal, and then asks for no key.
   * @param holds `output`: the value is data of a target, in which `$ref`, `$literal` and `$sealed` mean nothing. Default `input`.
   * @throws OperationalError `ERASED`, `VAULT_UNAVAILABLE` (retryable)
   */
  sealFields(scope: KeyScope, schema: JsonObject, value: Json, holds?: 'input' | 'output'): Promise<Json>;
  seal(scope: KeyScope, sensitivityClass: string, value: Json): Promise<Sealed>;
  /** Opens every sealed value in it, applying `pointer`. @throws OperationalError `ERASED`, `REFERENCE_UNRESOLVED`, `SEAL_BROKEN` */
  unsealAll(scope: KeyScope, value: Json): Promise<Json>;
  /** Keyed digest of a clear value: gives nothing away without the workflow's key. `hmac-sha256:<hex>` */
  keyedDigest(scope: KeyScope, value: Json): Promise<string>;
  /** Destroys the key of a workflow. Idempotent. */
  erase(scope: KeyScope): Promise<void>;
}
export interface KeyScope { readonly tenant: string; readonly workflow: string }
