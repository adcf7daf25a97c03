import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AskedStep, CapabilityDescriptor, DecidePlan, PolicyPrincipal, PrincipalRef, Role } from '@aifirst/contracts';
import { BASE_RISK } from '@aifirst/contracts';
import type { Json } from '@aifirst/kernel';

export const digestForTests = (value: Json): string => `sha256:${createHash('sha256').update(canonicalize(value) as string).digest('hex')}`;

export const ADMIN: PrincipalRef = { kind: 'person', id: 'admin', tenant: 'acme' };
export const WORKFLOW = '01890a5d-ac96-774b-bcce-b302099a8057';

export const aCapability = (name: string, changes: Partial<CapabilityDescriptor> = {}): CapabilityDescriptor => ({
  name, version: '1', adapter: name.startsWith('fs.') ? 'os' : 'builtin', reversibility: 'reversible', outcome: 'marker', undo: 'exact', description: name,
  inputSchema: { type: 'object', properties: {}, additionalProperties: false }, outputSchema: { type: 'object' }, resources: [], ...changes,
});

const fs = { connection: { type: 'string' }, path: { type: 'string' } };
/** A few of each kind, typed as the product's are. */
export const CAPABILITIES: readonly CapabilityDescriptor[] = [
  aCapability('fs.read', { reversibility: 'readOnly', inputSchema: { type: 'object', required: ['connection', 'path'], additionalProperties: false, properties: fs } }),
  aCapability('fs.write', { inputSchema: { type: 'object', required: ['connection', 'path', 'content'], additionalProperties: false,
    properties: { ...fs, content: { type: 'string', 'x-sensitive': 'content' }, mode: { type: ['string', 'null'] } } } }),
  aCapability('fs.delete', { inputSchema: { type: 'object', required: ['connection', 'path'], additionalProperties: false, properties: { ...fs, recursive: { type: 'boolean' } } } }),
  aCapability('sql.execute', { adapter: 'sql', inputSchema: { type: 'object', required: ['connection', 'sql'], additionalProperties: false,
    properties: { connection: { type: 'string' }, sql: { type: 'string' }, params: { type: 'array', 'x-sensitive': 'rows' }, limit: { type: 'number' } } } }),
  aCapability('aws.s3.putObject', { adapter: 'cloud' }),
  aCapability('mail.send', { reversibility: 'irreversible', adapter: 'http', inputSchema: { type: 'object' } }),
  aCapability('noop', { inputSchema: { type: 'object', properties: { value: {}, fail: { enum: ['clean', 'unknown'] } }, additionalProperties: false } }),
];

export const anAgent = (id: string, changes: Partial<PolicyPrincipal> = {}): PolicyPrincipal =>
  ({ tenant: 'acme', kind: 'agent', id, name: id, roles: ['clerk'], suspended: false, deleted: false, revision: 1, ...changes });

export const aRole = (capabilities: readonly string[], connections: readonly string[] = ['docs']): Role => ({ capabilities, connections });

export function aStep(capability: string, changes: Partial<AskedStep> = {}): AskedStep {
  const { adapter, reversibility } = CAPABILITIES.find(({ name }) => name === capability) ?? aCapability(capability);
  return { step: 'a', index: 0, generation: 1, capability, adapter, reversibility, connection: adapter === 'builtin' ? null : 'docs', input: {}, unresolved: false, resources: [],
    risk: BASE_RISK[reversibility], ...changes };
}

export const aQuestion = (steps: readonly AskedStep[], changes: Partial<DecidePlan> = {}): DecidePlan => ({
  workflow: WORKFLOW, question: 1, principal: { kind: 'agent', id: 'robo', tenant: 'acme' }, action: 'execute', steps,
  plan: { steps: steps.length, capabilities: steps.map(({ capability }) => capability), resources: [] }, ...changes,
});
