import type { CapabilityDescriptor, Role } from '@aifirst/contracts';
import type { Problem } from '@aifirst/kernel';
import { actionUid, BUILT_IN_CONNECTION, connectionUid, entityLiteral, prefixGroupsOf, quoted, REVERSIBILITIES, ROLLBACK, roleUid } from './entity-names';

const ALL = '*';
/** Why: a role becomes a permit per connection, each naming all its capabilities. */
export const ROLE_ITEMS_MAX = 200;
const CONNECTION_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** What a role's `capabilities` may hold: capabilities, their groups (`fs.*`, `readOnly`), `rollback`, `*`. */
export function capabilityPatterns(capabilities: readonly CapabilityDescriptor[]): Set<string> {
  const patterns = new Set<string>([ALL, ROLLBACK, ...REVERSIBILITIES]);
  for (const { name } of capabilities) {
    patterns.add(name);
    for (const group of prefixGroupsOf(name)) patterns.add(group);
  }
  return patterns;
}

export function problemsOfRole(role: Role, patterns: ReadonlySet<string>): Problem[] {
  return [
    ...problemsOfList(role.capabilities, '/capabilities', item => (patterns.has(item) ? null : `there is no capability or group \`${item.slice(0, 100)}\``)),
    ...problemsOfList(role.connections, '/connections', item => (item === ALL || CONNECTION_NAME.test(item) ? null : 'not the name of a connection')),
  ];
}

function problemsOfList(list: unknown, pointer: string, wrong: (item: string) => string | null): Problem[] {
  const problem = (detail: string, at: string): Problem => ({ code: 'INVALID_FIELD', detail, pointer: at });
  if (!Array.isArray(list)) return [problem('a list of strings is needed', pointer)];
  if (list.length > ROLE_ITEMS_MAX) return [problem(`at most ${ROLE_ITEMS_MAX} items`, pointer)];
  return list.flatMap((item: unknown, index) => {
    const detail = typeof item === 'string' ? wrong(item) : 'not a string';
    return detail === null ? [] : [problem(detail, `${pointer}/${index}`)];
  });
}

/**
 * A role as Cedar: permits just its capabilities, on its connections and for built-ins. No conditions, so that what it
 * decides can be kept. One permit per connection, as a policy's scope names one resource.
 */
export function cedarOfRole(name: string, role: Role): string {
  if (role.capabilities.length === 0) return '';
  const action = role.capabilities.includes(ALL) ? 'action'
    : `action in [${[...new Set(role.capabilities)].map(item => entityLiteral(actionUid(item))).join(', ')}]`;
  const resources = role.connections.includes(ALL) ? ['resource']
    : [...new Set([BUILT_IN_CONNECTION, ...role.connections])].map(connection => `resource == ${entityLiteral(connectionUid(connection))}`);
  return resources.map(resource => `@id(${quoted(`role/${name}`)})\npermit (principal in ${entityLiteral(roleUid(name))}, ${action}, ${resource});`).join('\n');
}
