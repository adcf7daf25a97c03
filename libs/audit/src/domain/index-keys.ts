import type { CloudEvent } from '@aifirst/contracts';
import { isObject, type Json } from '@aifirst/kernel';

/** What entries can be looked up by. */
export interface EntryFilter { readonly agent?: string; readonly workflow?: string; readonly type?: string; readonly resource?: string }
type Kind = keyof EntryFilter;
const KINDS: readonly Kind[] = ['agent', 'workflow', 'type', 'resource'];

/** 32 bits for a tenant's kind and value: whoever looks up by it compares the entries themselves. FNV-1a. */
export function keyOf(tenant: string, kind: Kind, value: string): number {
  let hash = 0x811c9dc5;
  for (const text of [kind, tenant, value]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0xffff, 0x01000193);
  }
  return hash | 0;
}

export const keysOfFilter = (tenant: string, filter: EntryFilter): readonly number[] =>
  KINDS.flatMap(kind => (filter[kind] === undefined ? [] : [keyOf(tenant, kind, filter[kind])]));

export const matches = (event: CloudEvent, filter: EntryFilter): boolean =>
  KINDS.every(kind => {
    const wanted = filter[kind];
    let found = wanted === undefined;
    if (!found) eachValue(event, (of, value) => { found ||= of === kind && value === wanted; });
    return found;
  });

/** Values by which entries can be found, each once. */
export class IndexedValues {
  readonly #values: Readonly<Record<Kind, Set<string>>> = { agent: new Set(), workflow: new Set(), type: new Set(), resource: new Set() };
  readonly #take = (kind: Kind, value: string): void => { this.#values[kind].add(value); };

  add(event: CloudEvent): void { eachValue(event, this.#take); }

  keys(tenant: string): readonly number[] {
    return [...new Set(KINDS.flatMap(kind => [...this.#values[kind]].map(value => keyOf(tenant, kind, value))))];
  }
}

type Take = (kind: Kind, value: string) => void;

function eachValue({ type, subject, data }: CloudEvent, take: Take): void {
  take('type', type);
  if (type.startsWith('aifirst.workflow.')) take('workflow', subject);
  else if (type.startsWith('aifirst.agent.')) take('agent', subject);
  if (!isObject(data)) return;
  const { workflow, agent, start, resource, resources, locks, residue, conflict } = data;
  if (typeof workflow === 'string') take('workflow', workflow);
  takeAgent(agent, take);
  if (isObject(start)) takeAgent(start['agent'], take);
  if (typeof resource === 'string') take('resource', resource);
  if (Array.isArray(resources)) for (const item of resources as readonly Json[]) if (typeof item === 'string') take('resource', item);
  takeResources(locks, take);
  takeResources(residue, take);
  if (isObject(conflict)) takeResources([conflict], take);
}

/** By name, or as a reference to a principal. */
function takeAgent(agent: Json | undefined, take: Take): void {
  const id = isObject(agent) ? agent['id'] : agent;
  if (typeof id === 'string') take('agent', id);
}

function takeResources(items: Json | undefined, take: Take): void {
  if (!Array.isArray(items)) return;
  for (const item of items as readonly Json[]) {
    const resource = isObject(item) ? item['resource'] : undefined;
    if (typeof resource === 'string') take('resource', resource);
  }
}
