import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { compileFunction } from 'node:vm';
import { messageOf, OperationalError } from '@aifirst/kernel';
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { CedarAnswer, CedarEngine, CedarRequest, CedarSchema, Finding, ParsedPolicy, PartialAnswer, PolicyJson, PreparedPolicies } from '../domain/cedar-engine';

/**
 * Node 20 dies under load ("unreachable code" in V8's deoptimizer) when V8 inlines calls from JavaScript into WebAssembly.
 * Entry points set it as well, before anything else can have been compiled.
 */
export const CEDAR_V8_FLAG = '--no-turbo-inline-js-wasm-calls';
setFlagsFromString(CEDAR_V8_FLAG);

type CedarModule = typeof Cedar;
interface Prepared extends PreparedPolicies { slot: string | null; instance: number }

/**
 * Why not `import`: a trap (its stack overflows on deep nesting) leaves the WebAssembly instance broken for good, all
 * later calls fail. So each engine makes an instance of its own and, after a failure, a new one.
 */
function instantiate(): CedarModule {
  const file = require.resolve('@cedar-policy/cedar-wasm/nodejs');
  const exported = {};
  (compileFunction(readFileSync(file, 'utf8'), ['exports', 'require', '__dirname'], { filename: file }) as (...args: unknown[]) => void)(exported, require, dirname(file));
  return exported as CedarModule;
}

/** Cedar as WebAssembly, on the calling thread (in a worker it is slower: the plan waits for it). */
export class WasmCedarEngine implements CedarEngine {
  private cedar: CedarModule = instantiate();
  private instance = 1;
  private slots = 0;
  private freeSlots: string[] = [];

  parse(text: string): { readonly policies: readonly ParsedPolicy[]; readonly templates: number } | { readonly findings: readonly Finding[] } {
    return this.guarded(cedar => {
      const parts = cedar.policySetTextToParts(text);
      if (parts.type === 'failure') return { findings: parts.errors.map(error => findingOf(error)) };
      const policies: ParsedPolicy[] = [];
      for (const part of inTextOrder(parts.policies)) {
        const json = cedar.policyToJson(part);
        if (json.type === 'failure') return { findings: json.errors.map(error => findingOf(error)) };
        policies.push({ text: part, json: json.json as unknown as PolicyJson });
      }
      return { policies, templates: parts.policy_templates.length };
    });
  }

  validate(schema: CedarSchema, policies: Readonly<Record<string, string | PolicyJson>>): { readonly errors: readonly Finding[]; readonly warnings: readonly Finding[] } {
    return this.guarded(cedar => {
      const answer = cedar.validate({ schema: schema as Cedar.Schema, policies: { staticPolicies: policies as unknown as Record<string, Cedar.Policy> } });
      if (answer.type === 'failure') return { errors: answer.errors.map(error => findingOf(error)), warnings: [] };
      const findings = (list: readonly Cedar.ValidationError[]) => list.map(({ policyId, error }) => findingOf(error, policyId));
      return { errors: findings(answer.validationErrors), warnings: findings(answer.validationWarnings) };
    });
  }

  prepare(policies: Readonly<Record<string, string>>): PreparedPolicies {
    const prepared: Prepared = { policies, slot: null, instance: 0 };
    this.guarded(cedar => this.intoSlot(cedar, prepared));
    return prepared;
  }

  release(prepared: PreparedPolicies): void {
    const { slot, instance } = prepared as Prepared;
    (prepared as Prepared).slot = null;
    // Why: the engine can't forget a set, but one of the same name replaces it.
    if (slot !== null && instance === this.instance) this.freeSlots.push(slot);
  }

  authorize(prepared: PreparedPolicies, request: CedarRequest): CedarAnswer {
    return this.guarded(cedar => {
      const slot = this.intoSlot(cedar, prepared as Prepared);
      const answer = cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: slot } as unknown as Cedar.StatefulAuthorizationCall);
      if (answer.type === 'failure') throw failed(answer.errors);
      const { decision, diagnostics } = answer.response;
      return { decision, reasons: diagnostics.reason, errors: diagnostics.errors.map(({ policyId, error }) => ({ policy: policyId, message: error.message })) };
    });
  }

  authorizePartially(policies: Readonly<Record<string, string>>, request: CedarRequest, unknown: readonly string[]): PartialAnswer {
    return this.guarded(cedar => {
      const context = { ...request.context, ...Object.fromEntries(unknown.map(name => [name, { __extn: { fn: 'unknown', arg: name } }])) };
      const answer = cedar.isAuthorizedPartial({ ...request, context, policies: { staticPolicies: policies } } as unknown as Cedar.PartialAuthorizationCall);
      if (answer.type === 'failure') throw failed(answer.errors);
      const { decision, satisfied, errored } = answer.response;
      return { decision, reasons: satisfied, errors: errored.map(policy => ({ policy, message: 'failed while it was evaluated' })) };
    });
  }

  private intoSlot(cedar: CedarModule, prepared: Prepared): string {
    if (prepared.slot !== null && prepared.instance === this.instance) return prepared.slot;
    const slot = this.freeSlots.pop() ?? `slot-${++this.slots}`;
    const answer = cedar.preparsePolicySet(slot, { staticPolicies: prepared.policies });
    if (answer.type === 'failure') { this.freeSlots.push(slot); throw failed(answer.errors); }
    prepared.slot = slot;
    prepared.instance = this.instance;
    return slot;
  }

  private guarded<A>(call: (cedar: CedarModule) => A): A {
    try {
      return call(this.cedar);
    } catch (cause) {
      if (cause instanceof OperationalError) throw cause;
      this.cedar = instantiate();
      this.instance++;
      this.slots = 0;
      this.freeSlots = [];
      throw new OperationalError('CEDAR_FAILED', `the policy engine failed: ${messageOf(cause).slice(0, 200)}`, { cause });
    }
  }
}

const failed = (errors: readonly Cedar.DetailedError[]): OperationalError =>
  new OperationalError('CEDAR_FAILED', `the policy engine refused the call: ${errors.map(error => error.message).join('; ').slice(0, 300)}`);

function findingOf(error: Cedar.DetailedError, policy?: string): Finding {
  const expected = error.sourceLocations?.[0]?.label;
  const message = [error.message.replace(/^for policy `[^`]*`, /, ''), expected, error.help].filter(part => typeof part === 'string' && part !== '').join('; ');
  const at = error.sourceLocations?.[0]?.start;
  return { message, ...(policy === undefined ? {} : { policy }), ...(at === undefined ? {} : { at }) };
}

/** Why: the parts come sorted by the ids that the parser gave them, `policy10` before `policy2`. */
function inTextOrder(parts: readonly string[]): string[] {
  const order = parts.map((_, index) => `policy${index}`).sort();
  const ordered = new Array<string>(parts.length);
  parts.forEach((part, index) => { ordered[Number(order[index]!.slice('policy'.length))] = part; });
  return ordered;
}
