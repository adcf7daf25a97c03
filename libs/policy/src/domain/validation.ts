import type { CapabilityDescriptor } from '@aifirst/contracts';
import type { Problem } from '@aifirst/kernel';
import { OperationalError } from '@aifirst/kernel';
import type { CedarEngine, ParsedPolicy, PolicyJson } from './cedar-engine';
import { schemaWithHole, withoutOpenInput } from './lenient';
import { describe, problemsOfAnnotations } from './policy-text';
import type { CompiledPolicy } from './policy-text';
import { schemaOf } from './schema';

/**
 * What keeps policies from being activated: annotations that nothing implements, and what strict validation finds against
 * the schema. Parts of an input that have no type there are left out of it; a policy that guesses wrong errs, that is denies.
 */
export function checkPolicies(
  engine: CedarEngine, policies: readonly ParsedPolicy[], compiled: readonly CompiledPolicy[], capabilities: readonly CapabilityDescriptor[],
): { readonly problems: readonly Problem[]; readonly warnings: readonly string[] } {
  const schema = schemaWithHole(schemaOf(capabilities, { roles: [], connections: [] }));
  const ids = new Map(compiled.map(({ key, id }) => [key, id]));
  const checked: Record<string, string | PolicyJson> = {};
  const notes: string[] = [];
  for (const { key, id, text, json } of compiled) {
    const lenient = withoutOpenInput(json, capabilities);
    if (lenient !== null) notes.push(`\`${id}\` looks at parts of the input whose type is not known: these are not checked, and if they are not what it takes them for it denies`);
    checked[key] = lenient ?? text;
  }
  const invalid = (detail: string): Problem => ({ code: 'POLICY_INVALID', detail, pointer: '/cedar' });
  const about = (policy: string | undefined, message: string): string => (policy === undefined ? message : `\`${ids.get(policy) ?? policy}\`: ${message}`);
  try {
    const { errors, warnings } = engine.validate(schema, checked);
    return {
      problems: [...problemsOfAnnotations(policies), ...errors.map(finding => invalid(about(finding.policy, describe(finding))))],
      warnings: [...notes, ...warnings.map(finding => about(finding.policy, describe(finding)))],
    };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { problems: [...problemsOfAnnotations(policies), invalid('the policies can\'t be checked: they nest too deeply')], warnings: [] };
  }
}

/** Roles that the scopes of policies name. */
export function rolesNamedBy(policies: readonly ParsedPolicy[]): string[] {
  const names = policies.flatMap(({ json: { principal } }) => [principal.entity, principal.in?.entity])
    .flatMap(uid => (uid?.type === 'AiFirst::Role' ? [uid.id] : []));
  return [...new Set(names)].sort();
}
