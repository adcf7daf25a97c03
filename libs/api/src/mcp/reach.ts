import { BASE_RISK, type AskedStep, type CapabilityDescriptor, type DecidePlan, type PrincipalRef } from '@aifirst/contracts';
import type { Identity } from '@aifirst/identity';
import { invariant, type Clock, type Ids } from '@aifirst/kernel';
import type { Reachable } from '@aifirst/mcp';
import { Recent } from '../intake/recent';

export interface ReachMeans { readonly identity: Identity; readonly clock: Clock; readonly ids: Ids }

/** In one question: policy answers nobody else meanwhile. */
const ASKED_AT_ONCE = 200;
const REMEMBERED_MAX = 1_000;
/** Policies may look at the time: what was found is looked for anew. */
const REMEMBERED_MS = 30_000;
const UNKNOWN_INPUT = { $ref: '#/steps/unknown/output' };

interface Asked { readonly capability: CapabilityDescriptor; readonly connection: string | null }
interface Found { readonly stamp: string; readonly untilMs: number; readonly reachable: Promise<readonly Reachable[]> }

/**
 * What a principal may call, as far as that can be told without an input: policy is asked about each capability on each
 * connection, and only what it certainly denies is left out.
 */
export class Reach {
  private readonly found = new Recent<Found>(REMEMBERED_MAX);

  constructor(private readonly means: ReachMeans) {}

  /** @param capabilities the same list while nothing has changed */
  async of(principal: PrincipalRef, capabilities: readonly CapabilityDescriptor[]): Promise<readonly Reachable[]> {
    const [first] = capabilities;
    if (first === undefined) return [];
    const { identity, clock } = this.means;
    const connections = identity.connections.list(principal.tenant);
    // Why asked each time: what is put in force holds for the next call, also for what is listed.
    const [{ policyVersion }] = await this.decide(principal, [{ capability: first, connection: null }]);
    const agent = principal.kind === 'agent' ? identity.principals.find(principal.id) : null;
    const stamp = [policyVersion, agent?.revision ?? 0, this.versionOf(capabilities), ...connections.map(({ id, revision }) => `${id}@${revision}`)].join(' ');
    const key = `${principal.tenant}/${principal.kind}/${principal.id}`;
    const known = this.found.get(key);
    if (known !== undefined && known.stamp === stamp && known.untilMs > clock.now()) return known.reachable;
    const reachable = this.ask(principal, capabilities.flatMap((capability): Asked[] => (capability.adapter === 'builtin' ? [{ capability, connection: null }]
      : connections.filter(({ data }) => data.adapter === capability.adapter).map(({ id }) => ({ capability, connection: id })))));
    const entry = { stamp, untilMs: clock.now() + REMEMBERED_MS, reachable };
    this.found.set(key, entry);
    reachable.catch(() => { if (this.found.get(key) === entry) this.found.set(key, { ...entry, untilMs: 0 }); });
    return reachable;
  }

  private async ask(principal: PrincipalRef, asked: readonly Asked[]): Promise<readonly Reachable[]> {
    const found = new Map<CapabilityDescriptor, string[]>();
    for (let at = 0; at < asked.length; at += ASKED_AT_ONCE) {
      const part = asked.slice(at, at + ASKED_AT_ONCE);
      const decisions = await this.decide(principal, part);
      part.forEach(({ capability, connection }, index) => {
        if (decisions[index]!.outcome === 'deny') return;
        const connections = found.get(capability) ?? [];
        found.set(capability, connection === null ? connections : [...connections, connection]);
      });
    }
    return [...found].map(([capability, connections]) => ({ capability, connections }));
  }

  private async decide(principal: PrincipalRef, asked: readonly [Asked, ...Asked[]] | readonly Asked[]) {
    const question: DecidePlan = {
      workflow: this.means.ids.uuid(), question: 1, principal, action: 'execute', plan: { steps: 1, capabilities: [], resources: [] },
      steps: asked.map(({ capability: { name, adapter, reversibility }, connection }, index): AskedStep => ({
        step: `s${index}`, index, generation: 1, capability: name, adapter, reversibility, connection, input: UNKNOWN_INPUT, unresolved: true, resources: [], risk: BASE_RISK[reversibility],
      })),
    };
    const { decisions } = await this.means.identity.neighbours.ask('policy', 'decidePlan', question);
    invariant(decisions.length === asked.length && decisions.length > 0, 'policy decides every step of a plan');
    return decisions as [typeof decisions[number], ...typeof decisions];
  }

  private versionOf(capabilities: readonly CapabilityDescriptor[]): number {
    if (this.last !== capabilities) { this.last = capabilities; this.version++; }
    return this.version;
  }
  private last: readonly CapabilityDescriptor[] = [];
  private version = 0;
}
