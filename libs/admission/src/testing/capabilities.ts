import type { Json, JsonObject } from '@aifirst/kernel';
import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { AdmissionContext } from '../admit-intent';

/** Builders for tests: a capability by what matters about it, and a context of a few. */
export function aCapability(name: string, input: Record<string, Json>, rest: Partial<CapabilityDescriptor> & { readonly required?: readonly string[] } = {}): CapabilityDescriptor {
  const { required = [], ...over } = rest;
  return {
    name, version: '1', adapter: 'builtin', reversibility: 'reversible', outcome: 'marker', undo: 'exact', description: name, resources: [],
    inputSchema: { type: 'object', properties: input, required: [...required], additionalProperties: false }, outputSchema: {}, ...over,
  };
}

export const noop = aCapability('noop', { value: true, fail: { enum: ['clean', 'unknown'] }, probe: { enum: ['happened', 'didNotHappen', 'cannotTell'] } });
export const sleep = aCapability('timer.sleep', { ms: { type: 'integer', minimum: 0 } }, { required: ['ms'], reversibility: 'readOnly' });
export const write = aCapability('fs.write', {
  connection: { type: 'string' }, path: { type: 'string', 'x-path': true }, content: { type: 'string', 'x-sensitive': 'content' },
  encoding: { enum: ['utf8', 'base64'] }, mode: { type: 'integer', minimum: 0, maximum: 0o777 },
}, { required: ['connection', 'path', 'content'], adapter: 'os', resources: [{ uri: 'file://{connection}/{path}', access: 'write' }] });
export const publish = aCapability('sql.execute', {
  sql: { type: 'string' }, params: { type: 'array', items: { type: ['string', 'number', 'null'] }, maxItems: 3 },
}, { required: ['sql'], adapter: 'sql', reversibility: 'compensable' });

export function aContext(more: readonly CapabilityDescriptor[] = []): AdmissionContext {
  const capabilities = new Map([noop, sleep, write, publish, ...more].map(capability => [capability.name, capability]));
  const connections = new Map([['docs', { adapter: 'os' }], ['crm', { adapter: 'sql' }]]);
  return { capabilities: name => capabilities.get(name), connections: name => connections.get(name) };
}

/** An intent that is admitted, with what the test is about put over it. */
export const anIntent = (over: Record<string, unknown> = {}): JsonObject =>
  ({ goal: 'a goal', steps: [{ id: 'a', capability: 'noop', input: {} }], ...over }) as JsonObject;
