import { MemoryVault } from './testing';
import { aScope, vaultContract } from './vault.contract';

describe('the vault in memory', () => {
  const vault = new MemoryVault();
  vaultContract(() => vault);

  it('seals the same bytes from the same chance', async () => {
    const seeded = () => { let next = 0; return (count: number) => Uint8Array.from({ length: count }, () => next++ % 256); };
    const scope = aScope();
    expect(await new MemoryVault(seeded()).seal(scope, 'c', 'x')).toEqual(await new MemoryVault(seeded()).seal(scope, 'c', 'x'));
  });
});
