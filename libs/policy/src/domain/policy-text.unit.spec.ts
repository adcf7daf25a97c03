import { WasmCedarEngine } from '../infrastructure/wasm-cedar-engine';
import { CAPABILITIES } from '../testing';
import { compilePolicies, parsePolicyText, POLICY_BYTES_MAX } from './policy-text';
import { schemaOf } from './schema';
import { checkPolicies, rolesNamedBy } from './validation';

const engine = new WasmCedarEngine();
const parsed = (cedar: string) => {
  const result = parsePolicyText(engine, cedar);
  if ('problems' in result) throw new Error(result.problems[0].detail);
  return result.policies;
};
const problemsOfText = (cedar: string) => { const result = parsePolicyText(engine, cedar); return 'problems' in result ? result.problems : []; };
const check = (cedar: string) => checkPolicies(engine, parsed(cedar), compilePolicies('p', 1, parsed(cedar)), CAPABILITIES);
const problemOf = (cedar: string): string => check(cedar).problems.map(problem => problem.detail).join(' | ');
const permitWhen = (condition: string, action = 'action') => `permit (principal, ${action}, resource) when { ${condition} };`;

describe('a text', () => {
  it.each([
    ['that does not parse, with the place', 'permit (principal,\n  action resource);', /line 2, column 10/],
    ['without a policy', '// nothing', /no policy/],
    ['with a template', 'permit (principal == ?principal, action, resource);', /templates/],
    ['that is too long', `// ${'x'.repeat(POLICY_BYTES_MAX)}`, /longer/],
    ['with brackets beyond measure', permitWhen(`${'('.repeat(100_0)}true${')'.repeat(100_0)}`), /nest deeper/],
    ['with a chain that breaks the parser down', permitWhen(`${'true&&'.repeat(8_000)}true`), /too deeply|deeper/],
    ['with a chain that breaks evaluation down', permitWhen(`${'context.a||'.repeat(100)}true`), /deeper/],
    ['with a chain of accesses', permitWhen(`context${'.a'.repeat(200)}`), /deeper/],
  ])('is refused %s', (_, cedar, detail) => {
    expect(problemsOfText(cedar)).toEqual([{ code: 'POLICY_INVALID', pointer: '/cedar', detail: expect.stringMatching(detail) }]);
    expect(parsed(permitWhen('true'))).toHaveLength(1); // The engine is whole again.
  });
  it('may hold brackets in strings and comments', () => {
    expect(parsed(`// ${'('.repeat(200)}\npermit (principal, action, resource) when { context.tenant == "${'('.repeat(200)}\\"" };`)).toHaveLength(1);
  });
  it('keeps its policies in order, beyond ten', () => {
    const policies = parsed(Array.from({ length: 25 }, (_, i) => `@id("p${i}") permit (principal, action, resource);`).join('\n'));
    expect(policies.map(({ json }) => json.annotations?.['id'])).toEqual(Array.from({ length: 25 }, (_, i) => `p${i}`));
  });
  it('names policies by id, else by its own name, with the place among several', () => {
    const one = 'permit (principal, action, resource);';
    const labels = (cedar: string) => compilePolicies('night', 3, parsed(cedar)).map(({ label }) => label);
    expect(labels(one)).toEqual(['night@3']);
    expect(labels(`${one} @id("shift") ${one}`)).toEqual(['night.1@3', 'shift@3']);
  });
});

describe('annotations', () => {
  const annotated = (annotations: string) => problemOf(`${annotations} permit (principal, action, resource);`);
  it.each([
    ['@approval("2 of credit-managers")', /approvals are not there yet/], ['@approval', /approvals are not there yet/], ['@audited', /nothing implements the annotation `@audited`/],
    ['@doc("x")', /nothing implements/], ['@id', /`@id` needs/], ['@id("")', /`@id` needs/], ['@id("role/clerk")', /`@id` needs/], ['@id("a@2")', /`@id` needs/], ['@id("a\\u{7}")', /`@id` needs/],
  ])('%s is refused', (annotation, detail) => { expect(annotated(annotation)).toMatch(detail); });
  it('@id is known', () => { expect(annotated('@id("small credit only")')).toBe(''); });
  it('@id stands for one policy', () => { expect(problemOf('@id("a") permit (principal, action, resource); @id("a") forbid (principal, action, resource);')).toMatch(/twice/); });
});

describe('validation', () => {
  it('accepts the documented example', () => {
    expect(check(`@id("small-credit-only")
      permit (principal in AiFirst::Role::"clerk", action == AiFirst::Action::"sql.execute", resource == AiFirst::Connection::"crm")
      when { context.risk.level != "critical" && context.resources.contains("sql://crm/public.customer") };`)).toEqual({ problems: [], warnings: [] });
  });
  it.each([
    ['groups', 'permit (principal is AiFirst::Agent in AiFirst::Tenant::"acme", action in [AiFirst::Action::"fs.*", AiFirst::Action::"aws.s3.*", AiFirst::Action::"readOnly"], resource);'],
    ['rollback', 'permit (principal == AiFirst::Person::"ana", action == AiFirst::Action::"rollback", resource == AiFirst::Connection::"aifirst");'],
    ['all of the context', permitWhen('context.tenant == "acme" && context.time > 1700000000000 && context.workflow.steps < 10 && context.workflow.capabilities.contains("fs.read") && context.chain.contains("robo") && context.risk.score <= 50')],
    ['a typed input', permitWhen('context.input.path like "letters/*"', 'action in AiFirst::Action::"fs.*"')],
    ['a sealed field', permitWhen('context.input.content.sealed && context.input.content.class == "content"', 'action == AiFirst::Action::"fs.write"')],
    ['an optional field that is tested for', permitWhen('context.input has recursive && context.input.recursive', 'action == AiFirst::Action::"fs.delete"')],
  ])('accepts %s', (_, cedar) => { expect(check(cedar)).toEqual({ problems: [], warnings: [] }); });

  it.each([
    ['an unknown action', 'permit (principal, action == AiFirst::Action::"fs.explode", resource);', /unrecognized action/],
    ['an unknown type of principal', 'permit (principal in AiFirst::Team::"a", action, resource);', /unrecognized entity type/],
    ['a comparison of different types', permitWhen('context.risk.level < 3'), /unexpected type/],
    ['an attribute that is not there', permitWhen('context.budget > 3'), /`budget`.* not found/],
    ['a field that the capability has not', permitWhen('context.input.recursive', 'action == AiFirst::Action::"fs.read"'), /recursive.* not found/],
    ['an optional field that is not tested for', permitWhen('context.input.recursive', 'action == AiFirst::Action::"fs.delete"'), /optional attribute/],
    ['looking into a sealed field', permitWhen('context.input.content like "*x*"', 'action == AiFirst::Action::"fs.write"'), /unexpected type/],
  ])('refuses %s', (_, cedar, detail) => { expect(problemOf(cedar)).toMatch(detail); });

  it('leaves out what looks at untyped parts of an input, and says so', () => {
    const { problems, warnings } = check(permitWhen('context.input has to && (context.input.to like "*@example.org" || context.input.cc.items.contains("x")) && !(context.input.urgent)', 'action == AiFirst::Action::"mail.send"'));
    expect(problems).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/type is not known/)]);
    expect(check(permitWhen('context.input.limit < 3', 'action == AiFirst::Action::"sql.execute"')).problems).toEqual([]);
    expect(check(permitWhen('context.input.value + 1 > 3', 'action == AiFirst::Action::"noop"')).problems).toEqual([]);
    expect(check(permitWhen('if context.input.a then context.input.b else 1 == context.input.c', 'action == AiFirst::Action::"mail.send"')).problems).toEqual([]);
  });
  it('checks the rest of such a policy strictly', () => {
    expect(problemOf(permitWhen('context.input.to like "*@example.org" && context.risk.level < 3', 'action == AiFirst::Action::"mail.send"'))).toMatch(/unexpected type/);
  });
  it('says what can never apply', () => {
    expect(check(permitWhen('context.input has recursive && context.input.recursive', 'action == AiFirst::Action::"fs.read"')).warnings.join()).toMatch(/impossible/);
  });
  it('knows the roles that scopes name', () => {
    expect(rolesNamedBy(parsed('permit (principal in AiFirst::Role::"b", action, resource); permit (principal is AiFirst::Agent in AiFirst::Role::"a", action, resource);'))).toEqual(['a', 'b']);
  });
  it('has a schema with the tenant\'s names in it', () => {
    expect(schemaOf(CAPABILITIES, { roles: ['clerk', 'auditor'], connections: ['crm'] })).toMatchObject({ AiFirst: {
      entityTypes: { Role: { annotations: { known: 'auditor, clerk' } }, Connection: { annotations: { known: 'crm' } } },
      actions: { 'aws.s3.putObject': { memberOf: [{ id: 'aws.*' }, { id: 'aws.s3.*' }, { id: 'reversible' }] }, rollback: {}, irreversible: {} },
    } });
  });
});
