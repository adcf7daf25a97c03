import { createHash } from 'node:crypto';

export const TOOL_NAME_CHARS_MAX = 64;
/** Tools that are no capability. Those of a transaction too, so that no capability ever bears their names. */
export const OWN_TOOL_NAMES = [
  'plan_intent', 'submit_intent', 'get_workflow', 'begin_transaction', 'commit_transaction', 'rollback_transaction', 'find_capabilities', 'call_capability',
] as const;

/** How much of a name's digest tells it from others: the first that suffices. */
const SUFFIX_CHARS = [8, 16, 32];

/**
 * The name of each capability's tool: letters, digits, `_` and `-`, at most 64. Two that would be called the same both
 * bear a suffix, so that a name never comes to mean another capability because one was taken away.
 */
export function toolNames(capabilities: Iterable<string>): ReadonlyMap<string, string> {
  const all = [...new Set(capabilities)].sort();
  const bearers = new Map<string, number>(OWN_TOOL_NAMES.map(name => [name, 1]));
  for (const capability of all) { const plain = plainName(capability); bearers.set(plain, (bearers.get(plain) ?? 0) + 1); }
  const isPlain = (capability: string): boolean => { const plain = plainName(capability); return plain.length <= TOOL_NAME_CHARS_MAX && bearers.get(plain) === 1; };
  const names = new Map(all.filter(isPlain).map(capability => [capability, plainName(capability)]));
  const taken = new Set<string>([...OWN_TOOL_NAMES, ...names.values()]);
  for (const capability of all) {
    if (names.has(capability)) continue;
    const name = SUFFIX_CHARS.map(chars => suffixed(capability, chars)).find(candidate => !taken.has(candidate)) ?? suffixed(capability, TOOL_NAME_CHARS_MAX);
    taken.add(name);
    names.set(capability, name);
  }
  return names;
}

const plainName = (capability: string): string => capability.replaceAll(/[^A-Za-z0-9_-]/g, '_') || '_';

function suffixed(capability: string, chars: number): string {
  const digest = createHash('sha256').update(capability).digest('hex').slice(0, chars);
  const room = TOOL_NAME_CHARS_MAX - 1 - digest.length;
  return room <= 0 ? digest.slice(0, TOOL_NAME_CHARS_MAX) : `${plainName(capability).slice(0, room)}_${digest}`;
}
