import { PostgresKeyRing, type PostgresKeyRingOptions } from './postgres-key-ring';
import { SealingVault } from './sealing-vault';

/** The vault of the product. One per process, shared by all who seal there, so that an erasure holds for all at once. */
export class PostgresVault extends SealingVault {
  readonly #ring: PostgresKeyRing;
  constructor(options: PostgresKeyRingOptions) {
    const ring = new PostgresKeyRing(options);
    super(ring);
    this.#ring = ring;
  }
  /** To be asked at the start: with another master key nothing sealed before could be read, nor undone. @throws OperationalError `MASTER_KEY_UNKNOWN`, `SEAL_BROKEN` */
  checkMasterKey(): Promise<void> { return this.#ring.checkMasterKey(); }
  close(): Promise<void> { return this.#ring.close(); }
}
