import type { PrincipalRef, Reversibility } from '@aifirst/contracts';
import type { EntityUid } from './cedar-engine';

/** The connection that built-ins run on. Roles need not list it. */
export const BUILT_IN_CONNECTION = 'aifirst';
export const ROLLBACK = 'rollback';
export const ADMINISTRATOR = 'admin';
export const REVERSIBILITIES = ['readOnly', 'reversible', 'compensable', 'irreversible'] as const satisfies readonly Reversibility[];

const uid = (type: string) => (id: string): EntityUid => ({ type: `AiFirst::${type}`, id });
export const agentUid = uid('Agent');
export const personUid = uid('Person');
export const roleUid = uid('Role');
export const tenantUid = uid('Tenant');
export const actionUid = uid('Action');
export const connectionUid = uid('Connection');
export const principalUid = (principal: Pick<PrincipalRef, 'kind' | 'id'>): EntityUid => (principal.kind === 'person' ? personUid : agentUid)(principal.id);

export const sameUid = (a: EntityUid, b: EntityUid): boolean => a.id === b.id && a.type === b.type;
export const keyOfUid = (entity: EntityUid): string => `${entity.type}::${entity.id}`;

/** `aws.s3.putObject` is in `aws.*` and `aws.s3.*`; `noop` in none. */
export function prefixGroupsOf(capability: string): string[] {
  const groups: string[] = [];
  for (let dot = capability.indexOf('.'); dot > 0; dot = capability.indexOf('.', dot + 1)) groups.push(`${capability.slice(0, dot)}.*`);
  return groups;
}
/** The action groups that a capability is in. `rollback` is in none. */
export const groupsOf = (capability: string, reversibility: Reversibility): string[] => [...prefixGroupsOf(capability), reversibility];

/** A string literal of Cedar. */
export const quoted = (text: string): string =>
  `"${text.replace(/[\\"\u0000-\u001f\u007f-\u009f\u2028\u2029]/gu, char => (char === '"' || char === '\\' ? `\\${char}` : `\\u{${char.codePointAt(0)!.toString(16)}}`))}"`;
export const entityLiteral = (entity: EntityUid): string => `${entity.type}::${quoted(entity.id)}`;
