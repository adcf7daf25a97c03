import type { Problem } from '@aifirst/kernel';
import { OperationalError } from '@aifirst/kernel';
import type { CedarEngine, Finding, ParsedPolicy, PolicyJson } from './cedar-engine';
import { contextReads, EXPRESSION_DEPTH_MAX, expressionDepth } from './expressions';
import type { ContextReads } from './expressions';

export const POLICY_BYTES_MAX = 64 * 1024;
const NESTING_MAX = 64;
/** What a policy is called in decisions. Why no `@`: it stands before the version; no `/`: `role/…` are the roles'. */
const POLICY_ID = /^[^@/\p{C}]{1,128}$/u;

/** A policy ready to be sliced and evaluated. */
export interface CompiledPolicy {
  /** Unique in the tenant's active set; what the engine knows it by. */
  readonly key: string;
  /** What decisions name: `<id>@<version>`. */
  readonly label: string;
  readonly id: string;
  readonly text: string;
  readonly json: PolicyJson;
  readonly reads: ContextReads;
}

const invalid = (detail: string): Problem => ({ code: 'POLICY_INVALID', detail, pointer: '/cedar' });

/** Parses; says what does not. Nothing of annotations or the schema yet. */
export function parsePolicyText(engine: CedarEngine, cedar: string): { readonly policies: readonly ParsedPolicy[] } | { readonly problems: [Problem, ...Problem[]] } {
  const unfit = unfitForParser(cedar);
  if (unfit !== null) return { problems: [invalid(unfit)] };
  const parsed = parsedBy(engine, cedar);
  if ('findings' in parsed) return { problems: atLeastOne(parsed.findings.map(finding => invalid(describe(finding, cedar)))) };
  if (parsed.templates > 0) return { problems: [invalid('templates (`?principal`, `?resource`) are not there: write the entity')] };
  if (parsed.policies.length === 0) return { problems: [invalid('the text holds no policy')] };
  if (parsed.policies.some(policy => expressionDepth(policy.json) > EXPRESSION_DEPTH_MAX)) {
    return { problems: [invalid(`conditions nest, or chain operators, deeper than ${EXPRESSION_DEPTH_MAX}: use a set or several policies`)] };
  }
  return { policies: parsed.policies };
}

function parsedBy(engine: CedarEngine, cedar: string): ReturnType<CedarEngine['parse']> {
  try {
    return engine.parse(cedar);
  } catch (error) {
    // Why: a chain of thousands of operators breaks the engine down, whatever its brackets; that is the text's fault.
    if (error instanceof OperationalError) return { findings: [{ message: 'the text can\'t be read: it nests, or chains operators, too deeply' }] };
    throw error;
  }
}

/** Why: the engine's parser overflows its stack on what is nested too deeply; brackets are counted before it sees them. */
function unfitForParser(cedar: string): string | null {
  if (cedar.length > POLICY_BYTES_MAX) return `the text is longer than ${POLICY_BYTES_MAX} characters`;
  let depth = 0;
  // Why: strings and comments may hold any bracket.
  for (const [token] of cedar.matchAll(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|[([{)\]}]/gs)) {
    if ('([{'.includes(token)) { if (++depth > NESTING_MAX) return `brackets nest deeper than ${NESTING_MAX}`; } else if (')]}'.includes(token)) depth--;
  }
  return null;
}

/** Annotations: `@id` names the policy, all others are refused, as nothing implements them. */
export function problemsOfAnnotations(policies: readonly ParsedPolicy[]): Problem[] {
  const seen = new Set<string>();
  return policies.flatMap(({ json }) => Object.entries(json.annotations ?? {}).flatMap(([name, value]) => {
    if (name === 'approval') return [invalid('approvals are not there yet: `@approval` would not be asked for')];
    if (name !== 'id') return [invalid(`nothing implements the annotation \`@${name}\``)];
    if (value === null || !POLICY_ID.test(value)) return [invalid('`@id` needs 1 to 128 characters, without `@`, `/` and control characters')];
    if (seen.has(value)) return [invalid(`\`@id("${value}")\` stands there twice`)];
    seen.add(value);
    return [];
  }));
}

/** A policy without `@id` bears the name of its text, with its place in it where there are several. */
export function compilePolicies(name: string, version: number, policies: readonly ParsedPolicy[]): CompiledPolicy[] {
  return policies.map(({ text, json }, index) => {
    const id = json.annotations?.['id'] ?? (policies.length === 1 ? name : `${name}.${index + 1}`);
    const label = `${id}@${version}`;
    return { key: `${label}#${name}.${index}`, label, id, text, json, reads: contextReads(json) };
  });
}

export function describe(finding: Finding, cedar?: string): string {
  const message = finding.message.slice(0, 500);
  if (finding.at === undefined || cedar === undefined) return message;
  const before = new TextDecoder().decode(new TextEncoder().encode(cedar).subarray(0, finding.at)).split('\n');
  return `${message} (line ${before.length}, column ${before.at(-1)!.length + 1})`;
}

const atLeastOne = (problems: Problem[]): [Problem, ...Problem[]] => (problems.length === 0 ? [invalid('the text does not parse')] : problems as [Problem, ...Problem[]]);
