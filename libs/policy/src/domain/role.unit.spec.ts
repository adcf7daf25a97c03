import { WasmCedarEngine } from '../infrastructure/wasm-cedar-engine';
import { aRole, CAPABILITIES } from '../testing';
import { quoted } from './entity-names';
import { compilePolicies } from './policy-text';
import { capabilityPatterns, cedarOfRole, problemsOfRole } from './role';
import { checkPolicies } from './validation';

const engine = new WasmCedarEngine();
const patterns = capabilityPatterns(CAPABILITIES);

describe('a role', () => {
  it('permits its capabilities, on its connections and for built-ins', () => {
    expect(cedarOfRole('clerk', aRole(['fs.*', 'sql.execute'], ['docs', 'crm']))).toBe(['aifirst', 'docs', 'crm'].map(connection =>
      `@id("role/clerk")\npermit (principal in AiFirst::Role::"clerk", action in [AiFirst::Action::"fs.*", AiFirst::Action::"sql.execute"], resource == AiFirst::Connection::"${connection}");`).join('\n'));
  });
  it('permits everything with stars', () => { expect(cedarOfRole('root', aRole(['*'], ['*']))).toBe('@id("role/root")\npermit (principal in AiFirst::Role::"root", action, resource);'); });
  it('permits nothing without capabilities', () => { expect(cedarOfRole('none', aRole([]))).toBe(''); });
  it('is valid Cedar without conditions, whatever its groups', () => {
    const parsed = engine.parse(cedarOfRole('clerk', aRole(['fs.*', 'aws.s3.*', 'noop', 'rollback', 'readOnly'], ['docs', 'crm'])));
    if ('findings' in parsed) throw new Error(parsed.findings[0]?.message);
    expect(checkPolicies(engine, parsed.policies.map(policy => ({ ...policy, json: { ...policy.json, annotations: {} } })), compilePolicies('x', 1, parsed.policies), CAPABILITIES)).toEqual({ problems: [], warnings: [] });
    expect(parsed.policies.every(({ json }) => json.conditions.length === 0)).toBe(true);
  });
  it.each([
    ['an unknown capability', aRole(['fs.*', 'fs.explode']), '/capabilities/1'], ['an unknown group', aRole(['gcp.*']), '/capabilities/0'], ['half a group', aRole(['f*']), '/capabilities/0'],
    ['a name that no connection has', aRole(['fs.*'], ['docs', 'a b"']), '/connections/1'], ['no list', { capabilities: 'fs.*', connections: [] } as never, '/capabilities'],
    ['no strings', aRole([7 as never]), '/capabilities/0'], ['too many', aRole(Array.from({ length: 201 }, () => 'noop')), '/capabilities'],
  ])('with %s is refused with the place', (_, role, pointer) => {
    expect(problemsOfRole(role, patterns)).toEqual([expect.objectContaining({ code: 'INVALID_FIELD', pointer })]);
  });
  it('may hold groups at every dot, reversibilities, rollback and stars', () => {
    expect(problemsOfRole(aRole(['*', 'rollback', 'fs.*', 'aws.*', 'aws.s3.*', 'readOnly', 'irreversible', 'noop'], ['*', 'aifirst']), patterns)).toEqual([]);
  });
});

it('a literal of Cedar holds any text', () => {
  for (const text of ['a"b\\', 'line\nbreak', '\u0000\u2028', '😀', '${x}', '\\u{41}']) {
    const parsed = engine.parse(`@id(${quoted(text)}) permit (principal, action, resource);`);
    expect(parsed).toMatchObject({ policies: [{ json: { annotations: { id: text } } }] });
  }
});
