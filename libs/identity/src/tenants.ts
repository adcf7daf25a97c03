import type { PrincipalRef } from '@aifirst/contracts';
import { Refusal } from '@aifirst/kernel';
import { DocumentRegistry, type Entry, type Writing } from './document-registry';
import { DEFAULT_TENANT } from './principals';

export interface Tenant { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly createdAt: string; readonly updatedAt: string }
export type TenantEntry = Entry<Tenant>;

/** Holds what belongs to nobody's tenant, such as refused log-ins. Read by the administrator, never made or deleted. */
export const SYSTEM_TENANT = 'system';

const SYSTEM: PrincipalRef = { kind: 'service', id: 'gateway', tenant: DEFAULT_TENANT };

export class Tenants {
  private readonly tenants: DocumentRegistry<Tenant>;

  constructor(private readonly writing: Writing) { this.tenants = new DocumentRegistry('tenant', writing); }

  /** Makes the tenant `default` at the first start. */
  async load(): Promise<void> {
    await this.tenants.load();
    if (!this.has(DEFAULT_TENANT)) await this.put(DEFAULT_TENANT, { name: DEFAULT_TENANT, labels: {} }, SYSTEM);
  }

  has(id: string): boolean { return id === SYSTEM_TENANT || this.tenants.get(id, id) !== null; }
  list(): TenantEntry[] { return this.tenants.list(null); }
  find(id: string): TenantEntry | null { return this.tenants.get(id, id); }
  get(id: string): TenantEntry {
    const found = this.find(id);
    if (found === null) throw new Refusal({ code: 'NOT_FOUND', detail: `there is no tenant \`${id}\`` });
    return found;
  }

  async put(id: string, { name, labels }: Pick<Tenant, 'name' | 'labels'>, by: PrincipalRef, expectedRevision?: number): Promise<{ created: boolean; tenant: TenantEntry }> {
    if (id === SYSTEM_TENANT) throw new Refusal({ code: 'INVALID_FIELD', detail: `\`${SYSTEM_TENANT}\` is the deployment's own` });
    const before = this.find(id);
    const now = new Date(this.writing.clock.now()).toISOString();
    const tenant = await this.tenants.put(id, id, { name, labels, createdAt: before?.data.createdAt ?? now, updatedAt: now },
      [{ entity: 'tenant', name: before === null ? 'Created' : 'Changed', data: { tenant: id, name, labels } }], by, expectedRevision);
    return { created: before === null, tenant };
  }

  /** @param inhabited does anything of the tenant's still exist? @throws Refusal NOT_FOUND, IN_USE */
  async remove(id: string, inhabited: boolean, by: PrincipalRef, expectedRevision?: number): Promise<void> {
    this.get(id);
    if (id === DEFAULT_TENANT) throw new Refusal({ code: 'IN_USE', detail: 'the tenant `default` always exists' });
    if (inhabited) throw new Refusal({ code: 'IN_USE', detail: `tenant \`${id}\` still has agents or connections` });
    await this.tenants.remove(id, id, [{ entity: 'tenant', name: 'Deleted', data: { tenant: id } }], by, expectedRevision);
  }
}
