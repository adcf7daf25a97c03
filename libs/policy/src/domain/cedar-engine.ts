/** What Cedar can hold and an agent's input can become: no entity, no extension value, no null, no fraction. */
export type CedarValue = boolean | number | string | readonly CedarValue[] | CedarRecord;
export interface CedarRecord { readonly [key: string]: CedarValue }

export interface EntityUid { readonly type: string; readonly id: string }
export interface Entity { readonly uid: EntityUid; readonly attrs: CedarRecord; readonly parents: readonly EntityUid[] }

export interface CedarRequest {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly context: CedarRecord;
  /** Only those that matter: the three above with their parents. */
  readonly entities: readonly Entity[];
}

/** `reasons` and the errors' `policy` are the ids under which the policies were prepared, in no particular order. */
export interface CedarAnswer {
  readonly decision: 'allow' | 'deny';
  readonly reasons: readonly string[];
  readonly errors: readonly { readonly policy: string; readonly message: string }[];
}
/** `decision` null: it depends on what is not known. `deny` is certain: whatever the unknown turns out to be. */
export interface PartialAnswer extends Omit<CedarAnswer, 'decision'> { readonly decision: 'allow' | 'deny' | null }

/** An expression of a policy in Cedar's JSON form: an object with one key, the operator. */
export type Expr = { readonly [operator: string]: unknown };
export interface Scope {
  readonly op: string;
  readonly entity?: EntityUid;
  readonly entities?: readonly EntityUid[];
  readonly entity_type?: string;
  readonly in?: { readonly entity: EntityUid };
}
export interface PolicyJson {
  readonly effect: 'permit' | 'forbid';
  readonly principal: Scope;
  readonly action: Scope;
  readonly resource: Scope;
  readonly conditions: readonly { readonly kind: 'when' | 'unless'; readonly body: Expr }[];
  readonly annotations?: Readonly<Record<string, string | null>>;
}
export interface ParsedPolicy { readonly text: string; readonly json: PolicyJson }

/** Something wrong with a policy. `at` counts UTF-8 bytes from the start of the text it is about. */
export interface Finding { readonly policy?: string; readonly message: string; readonly at?: number }

export type CedarSchema = Readonly<Record<string, unknown>>;

/** Policies parsed once, asked often. `release` it when no longer needed: the engine's memory for it is used again. */
export interface PreparedPolicies { readonly policies: Readonly<Record<string, string>> }

/**
 * The Cedar engine. Synchronous: an evaluation takes tens of microseconds.
 * Every method throws `OperationalError` `CEDAR_FAILED` when the engine itself breaks down (too deep a nesting, say);
 * the engine is whole again for the next call, and whoever asked for a decision takes it as an error, that is a deny.
 */
export interface CedarEngine {
  /** The policies of a text in the order in which they stand there. Slots (templates) are counted, not returned. */
  parse(text: string): { readonly policies: readonly ParsedPolicy[]; readonly templates: number } | { readonly findings: readonly Finding[] };
  /** Strict validation against a schema, of texts or of Cedar's JSON form. */
  validate(schema: CedarSchema, policies: Readonly<Record<string, string | PolicyJson>>): { readonly errors: readonly Finding[]; readonly warnings: readonly Finding[] };
  prepare(policies: Readonly<Record<string, string>>): PreparedPolicies;
  release(prepared: PreparedPolicies): void;
  authorize(prepared: PreparedPolicies, request: CedarRequest): CedarAnswer;
  /** With these attributes of the context unknown (they replace what stands there). */
  authorizePartially(policies: Readonly<Record<string, string>>, request: CedarRequest, unknown: readonly string[]): PartialAnswer;
}
