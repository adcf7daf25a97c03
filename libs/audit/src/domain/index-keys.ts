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
  KINDS.every(kind => filter[kind] === undefined || valuesOf(event, kind).includes(filter[kind]));

/** Calls back with every value by which the event can be found. */
export function eachValue(event: CloudEvent, found: (kind: Kind, value: string) => void): void {
  for (const kind of KINDS) for (const value of valuesOf(event, kind)) found(kind, value);
}

function valuesOf(event: CloudEvent, kind: Kind): readonly string[] {
  const { data } = event;
  switch (kind) {
    case 'type': return [event.type];
    case 'workflow': return event.type.startsWith('aifirst.workflow.') ? [event.subject] : isObject(data) ? texts(data['workflow']) : [];
    case 'agent': return [...(event.type.startsWith('aifirst.agent.') ? [event.subject] : []), ...(isObject(data) ? named(data['agent'], data['start']) : [])];
    case 'resource': return isObject(data) ? [...texts(data['resource'], data['resources']), ...listed(data['locks']), ...listed(data['residue']), ...listed([data['conflict'] ?? null])] : [];
  }
}

const texts = (...values: readonly (Json | undefined)[]): string[] =>
  values.flatMap(value => (typeof value === 'string' ? [value] : Array.isArray(value) ? (value as readonly Json[]).filter(item => typeof item === 'string') : []));
const named = (agent: Json | undefined, start: Json | undefined): string[] => [
  ...texts(isObject(agent) ? agent['id'] : agent), ...(isObject(start) && isObject(start['agent']) ? texts(start['agent']['id']) : []),
];
const listed = (items: Json | undefined): string[] =>
  (Array.isArray(items) ? (items as readonly Json[]).flatMap(item => (isObject(item) ? texts(item['resource']) : [])) : []);
