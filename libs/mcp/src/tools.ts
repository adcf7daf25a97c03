import type { CapabilityDescriptor, Reversibility } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { TRANSACTION, TRANSACTION_ARGUMENT } from './own-tools';
import { inputSchemaOf, outputSchemaOf, withArgument } from './schemas';
import { quoted } from './texts';

/** What clients decide by whether to ask a person. Hints only: policy decides. */
export interface ToolAnnotations { readonly readOnlyHint: boolean; readonly destructiveHint: boolean; readonly idempotentHint: boolean; readonly openWorldHint: boolean }
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly annotations: ToolAnnotations;
}
/** A capability that a caller may reach. `connections` is empty where it takes none. */
export interface Reachable { readonly capability: CapabilityDescriptor; readonly connections: readonly string[] }

/** Adapters whose descriptions are our own, but for those that a connection brings: these say of themselves what they like, and that is data. */
const OURS = new Set(['builtin', 'os', 'sql', 'cloud', 'http']);
const BROUGHT = /^(api|mcp)\./;
/** Adapters whose targets are what the connection names, and nothing beyond. */
const CLOSED_WORLD = new Set(['builtin', 'os', 'sql']);
const FOREIGN_DESCRIPTION_CHARS_MAX = 300;

const UNDO: Readonly<Record<Reversibility, string>> = {
  readOnly: 'Changes nothing.',
  reversible: 'Undone exactly if it is rolled back.',
  compensable: 'If it is rolled back, an opposite action makes up for it; what happened in between stays known.',
  irreversible: 'Can not be undone.',
};

/** True to what is declared: what can be put back exactly destroys nothing, and only reading twice is the same as reading once. */
export const annotationsOf = ({ reversibility, undo, adapter }: Pick<CapabilityDescriptor, 'reversibility' | 'undo' | 'adapter'>): ToolAnnotations => ({
  readOnlyHint: reversibility === 'readOnly',
  destructiveHint: reversibility !== 'readOnly' && !(reversibility === 'reversible' && undo === 'exact'),
  idempotentHint: reversibility === 'readOnly',
  openWorldHint: !CLOSED_WORLD.has(adapter),
});

export const isForeign = ({ adapter, name }: Pick<CapabilityDescriptor, 'adapter' | 'name'>): boolean => !OURS.has(adapter) || BROUGHT.test(name);

export function descriptionOf(capability: CapabilityDescriptor): string {
  const { description, reversibility } = capability;
  const what = isForeign(capability) ? `Capability of a connected system, which describes it as ${quoted(description, FOREIGN_DESCRIPTION_CHARS_MAX)}.` : description;
  return `${what} ${UNDO[reversibility]}`;
}

export function capabilityTool({ capability, connections }: Reachable, name: string): Tool {
  const foreign = isForeign(capability);
  return {
    name, title: capability.name, description: descriptionOf(capability),
    inputSchema: withArgument(inputSchemaOf(capability.inputSchema, foreign, connections), TRANSACTION, TRANSACTION_ARGUMENT), outputSchema: outputSchemaOf(capability.outputSchema, foreign), annotations: annotationsOf(capability),
  };
}
