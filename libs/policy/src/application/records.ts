import type { JsonObject } from '@aifirst/kernel';
import type { KillSwitch, Named, PolicyText, PrincipalRef, Role } from '@aifirst/contracts';

/** Kinds of documents in the policy service's log. */
export const KINDS = { role: 'role', policy: 'policy', policyVersion: 'policy-version', principal: 'principal', killSwitch: 'kill-switch', control: 'control', uses: 'uses' } as const;

interface Dated { readonly revision: number; readonly createdAt: string; readonly updatedAt: string }
/**
 * `deleted` ones stay, so that a name that comes back goes on counting.
 * Why: decisions name `role/clerk@3` and `small-credit@2` for ever, and these must never mean two things.
 */
export interface RoleRecord extends Dated, Role { readonly deleted: boolean }
export interface PolicyRecord extends Dated { readonly version: number; readonly active: number | null; readonly deleted: boolean }
/** Id: `<name>/<version>`. Never changed. */
export interface PolicyVersionRecord { readonly cedar: string; readonly by: string; readonly createdAt: string }
/** `revision` is the control epoch that engaging it began, so that it never comes twice. */
export interface KillSwitchRecord extends Dated, KillSwitch {}
/** One per tenant, id `control`. `activations` counts changes of the active set. */
export interface ControlRecord { readonly epoch: number; readonly activations: number }
/** Pairs of capability and connection that a principal was allowed before, the oldest first. Id: `principalId`. */
export interface UsesRecord { readonly pairs: readonly string[] }

export const principalId = ({ kind, id }: Pick<PrincipalRef, 'kind' | 'id'>): string => `${kind}/${id}`;
export const pairOf = ({ capability, connection }: { readonly capability: string; readonly connection: string | null }): string => `${capability} ${connection ?? ''}`;
export const versionId = (name: string, version: number): string => `${name}/${version}`;
/** Records are JSON: they lose nothing on their way into a document. */
export const documentOf = (record: object): JsonObject => record as JsonObject;

export const namedRole = (name: string, { revision, createdAt, updatedAt, capabilities, connections }: RoleRecord): Named<Role> =>
  ({ name, revision, createdAt, updatedAt, value: { capabilities, connections } });
export const namedPolicy = (name: string, { revision, createdAt, updatedAt, version, active }: PolicyRecord, cedar: string): Named<PolicyText> =>
  ({ name, revision, createdAt, updatedAt, value: { cedar, version, active } });
export const namedSwitch = (name: string, { revision, createdAt, updatedAt, scope, reason, rollback, includeUndo }: KillSwitchRecord): Named<KillSwitch> =>
  ({ name, revision, createdAt, updatedAt, value: { scope, reason, rollback, includeUndo } });
