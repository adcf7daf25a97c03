import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';

/** A capability of which only what is named matters. */
export const aCapability = (over: Partial<CapabilityDescriptor> = {}): CapabilityDescriptor => ({
  name: 'fs.write', version: '1', adapter: 'os', reversibility: 'reversible', outcome: 'marker', undo: 'exact', description: 'Writes a file.',
  inputSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', additionalProperties: false, required: ['connection', 'path'],
    properties: { connection: { type: 'string', description: 'where' }, path: { type: 'string', 'x-path': true }, content: { type: 'string', 'x-sensitive': 'content' } },
  } as JsonObject,
  outputSchema: { type: 'object', required: ['path'], properties: { path: { type: 'string' } } }, resources: [], ...over,
});
