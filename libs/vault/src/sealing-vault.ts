import { randomBytes } from 'node:crypto';
import { isSealed, valueAt, type Sealed } from '@aifirst/contracts';
import { invariant, isUuid, OperationalError, type Json, type JsonObject } from '@aifirst/kernel';
import type { DataKey, RandomBytes } from './data-key';
import type { KeyRing } from './key-ring';
import { holdsMarked, mapped, sealMarked } from './seal-fields';
import type { KeyScope, Vault } from './vault';

/** The vault over any place for keys. */
export class SealingVault implements Vault {
  constructor(private readonly ring: KeyRing, private readonly random: RandomBytes = randomBytes) {}

  async sealFields(scope: KeyScope, schema: JsonObject, value: Json, holds: 'input' | 'output' = 'input'): Promise<Json> {
    if (!holdsMarked(schema, value, holds)) return value;
    const key = await this.#sealingKey(scope);
    return sealMarked(schema, value, holds, (sensitivityClass, clear) => key.seal(sensitivityClass, clear, this.random));
  }

  async seal(scope: KeyScope, sensitivityClass: string, value: Json): Promise<Sealed> {
    return (await this.#sealingKey(scope)).seal(sensitivityClass, value, this.random);
  }

  async unsealAll(scope: KeyScope, value: Json): Promise<Json> {
    return holdsSealed(value) ? opened(await this.ring.forOpening(checked(scope)), value) : value;
  }

  async keyedDigest(scope: KeyScope, value: Json): Promise<string> { return (await this.#sealingKey(scope)).digest(value); }

  async erase(scope: KeyScope): Promise<void> { await this.ring.erase(checked(scope)); }

  #sealingKey(scope: KeyScope): Promise<DataKey> { return this.ring.forSealing(checked(scope)); }
}

/** Why: keys are fetched for many at once; one that can't be stored would fail the rest. */
function checked(scope: KeyScope): KeyScope {
  invariant(isUuid(scope.workflow), `\`${scope.workflow}\` is no workflow's id`);
  invariant(scope.tenant !== '' && scope.tenant !== '*' && !scope.tenant.includes('\0'), 'a tenant is empty, `*` or holds a NUL');
  return scope;
}

const holdsSealed = (value: Json): boolean =>
  typeof value === 'object' && value !== null && (isSealed(value) || Object.values(value).some(field => holdsSealed(field as Json)));

/** Why: what comes out of a seal is not looked at again; a clear value that looks sealed is data. */
function opened(key: DataKey, value: Json): Json {
  if (!isSealed(value)) return typeof value === 'object' && value !== null ? mapped(value, item => opened(key, item)) : value;
  const clear = key.open(value);
  const { pointer } = value as Sealed;
  const found = pointer === undefined ? clear : valueAt(clear, pointer);
  if (found === undefined) throw new OperationalError('REFERENCE_UNRESOLVED', `a reference into a sealed value leads nowhere: \`${pointer!}\``);
  return found;
}
