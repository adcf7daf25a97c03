import type { CapabilityDescriptor, Named, PolicyQuestions, Role } from '@aifirst/contracts';
import { Refusal } from '@aifirst/kernel';
import { capabilityPatterns, problemsOfRole } from '../domain/role';
import type { PolicyStore } from './policy-store';
import { documentOf, KINDS, namedRole } from './records';
import type { RoleRecord } from './records';
import { checkName, checkRevision, pageOf, refuseIfAny } from './refusals';

type Questions = PolicyQuestions;

/** Roles: put, read, listed and deleted. What is put is in force when it is answered. */
export class Roles {
  constructor(private readonly store: PolicyStore, private readonly capabilities: () => readonly CapabilityDescriptor[]) {}

  async put(asked: Questions['putRole'][0]): Promise<Questions['putRole'][1]> {
    const { name, value, by, expectedRevision } = asked;
    checkName(name);
    refuseIfAny(problemsOfRole(value, capabilityPatterns(this.capabilities())));
    return this.store.serially(async () => {
      const tenant = this.store.tenant(asked.tenant);
      const before = tenant.roles.get(name);
      const live = tenant.liveRole(name);
      checkRevision(expectedRevision, live?.revision ?? null);
      const at = this.store.at();
      const role: RoleRecord = {
        capabilities: [...new Set(value.capabilities)], connections: [...new Set(value.connections)], revision: (before?.revision ?? 0) + 1,
        createdAt: live?.createdAt ?? at, updatedAt: at, deleted: false,
      };
      const compiled = this.store.compileRole(name, role);
      await this.store.change({
        tenant, documents: [{ kind: KINDS.role, id: name, data: documentOf(role) }],
        fact: { name: 'RolePut', subject: name, data: { name, revision: role.revision, capabilities: role.capabilities, connections: role.connections, by: by.id } },
        moves: live !== undefined && takesAway(live, role) ? [tenant] : [], activates: true,
        apply: () => { tenant.roles.set(name, role); tenant.compiledRoles.set(name, compiled); },
      });
      return { created: live === undefined, role: namedRole(name, role) };
    });
  }

  get({ tenant, name }: Questions['getRole'][0]): Promise<Named<Role> | null> {
    return this.store.fresh(() => {
      const role = this.store.tenant(tenant).liveRole(name);
      return role === undefined ? null : namedRole(name, role);
    });
  }

  list(page: Questions['listRoles'][0]): Promise<Questions['listRoles'][1]> {
    return this.store.fresh(() => ({ items: pageOf([...this.store.tenant(page.tenant).roles].filter(([, role]) => !role.deleted), page).map(([name, role]) => namedRole(name, role)) }));
  }

  delete({ tenant: tenantName, name, by, expectedRevision }: Questions['deleteRole'][0]): Promise<Questions['deleteRole'][1]> {
    return this.store.serially(async () => {
      const tenant = this.store.tenant(tenantName);
      const live = tenant.liveRole(name);
      checkRevision(expectedRevision, live?.revision ?? null);
      if (live === undefined) return { deleted: false };
      const holders = tenant.holdersOf(name);
      if (holders.length > 0) {
        throw new Refusal({ code: 'IN_USE', detail: `role \`${name}\` is held by ${holders.slice(0, 5).map(({ kind, id }) => `${kind} \`${id}\``).join(', ')}${holders.length > 5 ? ` and ${holders.length - 5} more` : ''}` });
      }
      const role: RoleRecord = { ...live, revision: live.revision + 1, updatedAt: this.store.at(), deleted: true };
      await this.store.change({
        tenant, documents: [{ kind: KINDS.role, id: name, data: documentOf(role) }],
        fact: { name: 'RoleDeleted', subject: name, data: { name, revision: role.revision, by: by.id } }, moves: [tenant], activates: true,
        apply: () => { tenant.roles.set(name, role); tenant.compiledRoles.delete(name); },
      });
      return { deleted: true };
    });
  }

  missing({ tenant, roles }: Questions['missingRoles'][0]): Promise<Questions['missingRoles'][1]> {
    return this.store.fresh(() => ({ missing: [...new Set(roles)].filter(name => this.store.tenant(tenant).liveRole(name) === undefined) }));
  }
}

/** By names alone, so rather once too often: `fs.*` in place of `fs.read` counts as taking `fs.read` away. */
const takesAway = (before: Role, after: Role): boolean =>
  [[before.capabilities, after.capabilities], [before.connections, after.connections]].some(([old, next]) => !next!.includes('*') && old!.some(item => !next!.includes(item)));
