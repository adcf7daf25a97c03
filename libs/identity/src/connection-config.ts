import { isObject, type Json, type JsonObject, type Problem } from '@aifirst/kernel';
import { pointerToken } from '@aifirst/contracts';

/** What a connection's `config` may hold, per adapter that is there. */
const CONFIGS: Readonly<Record<string, { readonly required: readonly string[]; readonly optional: readonly string[] }>> = {
  os: { required: ['root'], optional: [] },
  sql: { required: ['url'], optional: ['agentRole'] },
};
export const CONNECTABLE_ADAPTERS = Object.keys(CONFIGS);

const SECRET_KEY = /pass(?:word|wd|phrase)?$|secret|token|api[-_]?key|private[-_]?key|access[-_]?key|credential|authorization|cookie/i;
const SECRET_VALUE = /-----BEGIN [A-Z ]*PRIVATE KEY-----|:\/\/[^/\s:@]*:[^/\s@]+@|^(?:Bearer|Basic) \S+$|^AKIA[0-9A-Z]{16}$/;
const REFERENCE = /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\/[^\0]+|vault:[^#\0]+#[^#\0]+)$/;

/** Everything that is wrong with a connection as it was sent, secrets first; nothing is asked of anybody. */
export function connectionProblems(adapter: string, config: JsonObject, secretRefs: Readonly<Record<string, string>>): Problem[] {
  const problems = [...secretsIn(config, '/config')];
  const known = CONFIGS[adapter];
  if (known === undefined) {
    return [...problems, { code: 'INVALID_FIELD', pointer: '/adapter', detail: `no adapter \`${adapter}\` takes connections here; there is ${CONNECTABLE_ADAPTERS.map(name => `\`${name}\``).join(', ')}` }];
  }
  for (const field of known.required) {
    const value = config[field];
    if (typeof value !== 'string' || value === '') problems.push({ code: 'INVALID_FIELD', pointer: `/config/${field}`, detail: `\`${field}\` is a text that is not empty` });
  }
  for (const field of Object.keys(config)) {
    const pointer = `/config/${pointerToken(field)}`;
    const isSecret = problems.some(problem => problem.pointer === pointer);
    if (!isSecret && !known.required.includes(field) && !known.optional.includes(field)) problems.push({ code: 'UNKNOWN_FIELD', pointer, detail: `a connection of \`${adapter}\` has no such setting` });
  }
  const root = config['root'];
  if (adapter === 'os' && typeof root === 'string' && root !== '' && (!root.startsWith('/') && !/^[A-Za-z]:[\\/]/.test(root) || root.includes('\0'))) {
    problems.push({ code: 'INVALID_FIELD', pointer: '/config/root', detail: '`root` is an absolute path' });
  }
  for (const [name, reference] of Object.entries(secretRefs)) {
    if (!REFERENCE.test(reference)) problems.push({ code: 'INVALID_FIELD', pointer: `/secretRefs/${pointerToken(name)}`, detail: 'a reference is `env:NAME`, `file:/path` or `vault:path#field`' });
  }
  return problems;
}

function* secretsIn(value: Json | undefined, pointer: string): Generator<Problem> {
  if (Array.isArray(value)) { for (const [at, item] of (value as readonly Json[]).entries()) yield* secretsIn(item, `${pointer}/${at}`); return; }
  if (typeof value === 'string' && SECRET_VALUE.test(value)) { yield secret(pointer); return; }
  if (!isObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = `${pointer}/${pointerToken(key)}`;
    if (SECRET_KEY.test(key) && (typeof inner === 'string' || typeof inner === 'number')) yield secret(at);
    else yield* secretsIn(inner, at);
  }
}

const secret = (pointer: string): Problem =>
  ({ code: 'SECRET_IN_CONFIG', pointer, detail: 'this looks like a secret: name it in `secretRefs` (`env:`, `file:`, `vault:`) and leave it out of `config`' });
