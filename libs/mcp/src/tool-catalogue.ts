import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { JsonObject } from '@aifirst/kernel';
import { DIRECTORY_TOOLS, FOUND_BY_DEFAULT } from './own-tools';
import { toolNames } from './tool-names';
import { capabilityTool, isForeign, type Reachable, type Tool } from './tools';

/** More capabilities than that are not listed: they are found and called by name. */
export const LISTED_MAX = 100;

/** All capabilities as tools. Made once per list of capabilities. */
export class ToolCatalogue {
  private readonly names: ReadonlyMap<string, string>;
  private readonly capabilityOf: ReadonlyMap<string, CapabilityDescriptor>;

  constructor(readonly capabilities: readonly CapabilityDescriptor[]) {
    this.names = toolNames(capabilities.map(({ name }) => name));
    this.capabilityOf = new Map(capabilities.map(capability => [this.names.get(capability.name)!, capability]));
  }

  byTool(tool: string): CapabilityDescriptor | undefined { return this.capabilityOf.get(tool); }
  nameOf(capability: string): string | undefined { return this.names.get(capability); }

  /** Our own adapters' first: what connected systems bring may be any number. */
  list(reachable: readonly Reachable[]): readonly Tool[] {
    const sorted = [...reachable].sort((a, b) => Number(isForeign(a.capability)) - Number(isForeign(b.capability)) || compare(a.capability.name, b.capability.name));
    const listed = sorted.slice(0, LISTED_MAX).map(one => this.toolOf(one));
    return sorted.length > LISTED_MAX ? [...listed, ...DIRECTORY_TOOLS] : listed;
  }

  find(reachable: readonly Reachable[], query = '', limit = FOUND_BY_DEFAULT): JsonObject {
    const words = query.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(word => word !== '');
    const found = reachable.filter(({ capability: { name, description } }) => { const text = `${name} ${description}`.toLowerCase(); return words.every(word => text.includes(word)); });
    const items = found.slice(0, limit).map(one => {
      const { name, description, inputSchema, outputSchema } = this.toolOf(one);
      return { capability: one.capability.name, tool: name, description, reversibility: one.capability.reversibility, inputSchema, outputSchema: outputSchema ?? {} };
    });
    return { items, more: found.length - items.length };
  }

  private toolOf(one: Reachable): Tool { return capabilityTool(one, this.names.get(one.capability.name) ?? one.capability.name); }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
