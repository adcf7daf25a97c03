import { eventType, lockName, parentOf, type CloudEvent } from '@aifirst/contracts';

/**
 * That a step has touched something, so that whoever takes something back finds who came after: `name` is the resource by its
 * target's own identity where that is known. `at` in ms: of its last start.
 */
export interface Touch { readonly step: number; readonly name: string; readonly at: number }
export interface FoundTouch extends Touch { readonly workflow: string }

export interface TouchFilter {
  readonly tenant: string;
  /** Whatever is one of these, lies beneath one, or above. */
  readonly names: readonly string[];
  /** Started at or after, in ms. */
  readonly since: number;
  readonly except: string;
  readonly limit: number;
}

const STEP_STARTED = eventType('workflow', 'StepStarted');
/** An index takes no longer ones: what is longer counts as what lies above it. */
const NAME_BYTES_MAX = 1_000;

/** What stands for `<scheme>://<connection>` in names. undefined: nothing is known but the connection's own name. */
export type BaseOf = (tenant: string, connection: string) => string | undefined;

/** Of the fact that a step was started; of any other none. */
export function touchesOf(event: CloudEvent, baseOf: BaseOf): readonly Touch[] {
  if (event.type !== STEP_STARTED) return [];
  const { index, resources } = event.data;
  if (typeof index !== 'number' || !Array.isArray(resources)) return [];
  const at = Date.parse(event.time);
  return resources.flatMap(uri => (typeof uri === 'string' ? [{ step: index, name: boundedName(lockName(uri, baseOf(event.tenant, connectionIn(uri)))), at }] : []));
}

/** Each once, as it was last. */
export function lastTouches(touches: readonly Touch[]): readonly Touch[] {
  const last = new Map<string, Touch>();
  for (const touch of touches) {
    const key = `${touch.step} ${touch.name}`;
    if ((last.get(key)?.at ?? -Infinity) < touch.at) last.set(key, touch);
  }
  return [...last.values()];
}

export function connectionIn(uri: string): string {
  const from = uri.indexOf('://') + 3;
  const to = uri.indexOf('/', from);
  return to < 0 ? uri.slice(from) : uri.slice(from, to);
}

export function boundedName(name: string): string {
  let bounded = name;
  while (Buffer.byteLength(bounded) > NAME_BYTES_MAX) {
    const above = parentOf(bounded);
    if (above === null) return Buffer.from(bounded).subarray(0, NAME_BYTES_MAX).toString('latin1').replace(/[^\x20-\x7e]/g, '');
    bounded = above;
  }
  return bounded;
}

/** The name and all that lies above it. */
export function withAncestors(name: string): readonly string[] {
  const all: string[] = [];
  for (let at: string | null = name; at !== null; at = parentOf(at)) all.push(at);
  return all;
}
