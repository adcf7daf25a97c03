import { randomBytes } from 'node:crypto';
import { DATA_KEY_BYTES, DataKey, ownerOf, type RandomBytes } from '../data-key';
import { erased, noKey, type KeyRing } from '../key-ring';
import { SealingVault } from '../sealing-vault';
import type { KeyScope } from '../vault';

class MemoryKeyRing implements KeyRing {
  readonly #keys = new Map<string, DataKey | 'erased'>();
  constructor(private readonly random: RandomBytes) {}

  async forSealing(scope: KeyScope): Promise<DataKey> {
    const owner = ownerOf(scope);
    if (!this.#keys.has(owner)) this.#keys.set(owner, new DataKey(scope, this.random(DATA_KEY_BYTES)));
    return this.forOpening(scope);
  }
  async forOpening(scope: KeyScope): Promise<DataKey> {
    const key = this.#keys.get(ownerOf(scope));
    if (key === 'erased') throw erased(scope);
    if (key === undefined) throw noKey(scope);
    return key;
  }
  async erase(scope: KeyScope): Promise<void> { this.#keys.set(ownerOf(scope), 'erased'); }
}

/** The vault with its keys in memory, for tests and the simulator. @param random give it the simulator's, and the same seed seals the same bytes */
export class MemoryVault extends SealingVault {
  constructor(random: RandomBytes = randomBytes) { super(new MemoryKeyRing(random), random); }
}
