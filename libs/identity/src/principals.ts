import { randomBytes } from 'node:crypto';
import type { PrincipalRef } from '@aifirst/contracts';
import { OperationalError, Refusal, type JsonObject, type Problem, type RandomBytes } from '@aifirst/kernel';
import { digestsEqual, mintToken, parseToken, secretDigest } from './credentials';
import { DocumentRegistry, type Entry, type IdentityFact, type Writing } from './document-registry';
import type { Neighbours } from './neighbours';
import { isProblem, publicKeyOf, type PublicKey } from './public-jwk';

export const DEFAULT_TENANT = 'default';
export const ADMIN = 'admin';

export interface AgentLimits { readonly requestsPerMinute?: number }
/** What an administrator says of an agent. */
export interface AgentSettings {
  readonly name: string;
  readonly owner: string;
  readonly roles: readonly string[];
  readonly limits: AgentLimits;
  /** An identical MCP call within it is answered with the first result; null: never. */
  readonly repeatWindowMs: number | null;
}
export interface StoredToken { readonly id: string; /** hex SHA-256 of the secret */ readonly digest: string; readonly createdAt: string; readonly expiresAt: string | null }
export interface StoredKey extends PublicKey { readonly createdAt: string }
/** Kept so that what it signed is told from what a stranger signed. */
export interface RevokedKey { readonly kid: string; readonly createdAt: string; readonly revokedAt: string }
export interface Agent extends AgentSettings {
  readonly suspended: boolean;
  readonly tokens: readonly StoredToken[];
  readonly keys: readonly StoredKey[];
  /** The newest last. Absent: none. */
  readonly revokedKeys?: readonly RevokedKey[];
  readonly createdAt: string;
  readonly updatedAt: string;
}
export type AgentEntry = Entry<Agent>;

/** Who calls. `agent` is null for the administrator, who picks the tenant. */
export interface Caller { readonly principal: PrincipalRef; readonly agent: AgentEntry | null }

const TOKENS_MAX = 20;
const KEYS_MAX = 20;
const REVOKED_KEYS_MAX = 100;
const DAY_MS = 86_400_000;

/** Agents, their tokens and keys. Who a credential belongs to is answered from memory. */
export class Principals {
  private readonly agents: DocumentRegistry<Agent>;
  private readonly byToken = new Map<string, { readonly agent: AgentEntry; readonly digest: Buffer; readonly expiresAt: number }>();
  private readonly byId = new Map<string, AgentEntry>();
  /** Why: policy must learn of every change, also of one that was stored while it did not answer. */
  private readonly unapplied = new Map<string, AgentEntry & { readonly deleted: boolean }>();
  private readonly adminDigest: Buffer;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly writing: Writing, private readonly neighbours: Neighbours, adminToken: string, private readonly random: RandomBytes = randomBytes) {
    this.agents = new DocumentRegistry('agent', writing);
    this.adminDigest = secretDigest(adminToken);
  }

  async load(): Promise<void> {
    await this.agents.load();
    for (const agent of this.agents.all()) { this.index(agent); this.unapplied.set(agent.id, { ...agent, deleted: false }); }
  }

  /** Tells policy of everybody whom it may not know yet; what fails is tried again by the next call. */
  async applyAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const agent of [...this.unapplied.values()]) {
      await this.apply(agent).catch((error: unknown) => { failures.push(error); });
      // Why: policy is away, and would keep us waiting for each of the others too.
      if (failures.at(-1) instanceof OperationalError && (failures.at(-1) as OperationalError).retryable) break;
    }
    if (failures.length > 0) throw failures[0];
  }
  allApplied(): boolean { return this.unapplied.size === 0; }

  /** @param header of `Authorization` @returns null: no such credential */
  authenticate(header: string | undefined): Caller | null {
    if (header === undefined || header.length < 8 || header.slice(0, 7).toLowerCase() !== 'bearer ') return null;
    const text = header.slice(7).trim();
    const parsed = parseToken(text);
    const found = parsed === null ? undefined : this.byToken.get(parsed.tokenId);
    if (parsed !== null && found !== undefined && digestsEqual(secretDigest(parsed.secret), found.digest)) {
      if (found.expiresAt <= this.writing.clock.now()) return null;
      return { principal: { kind: 'agent', id: found.agent.id, tenant: found.agent.tenant }, agent: found.agent };
    }
    if (digestsEqual(secretDigest(text), this.adminDigest)) return { principal: { kind: 'person', id: ADMIN, tenant: DEFAULT_TENANT }, agent: null };
    return null;
  }

  /** The agent with this id, in whatever tenant. */
  find(id: string): AgentEntry | null { return this.byId.get(id) ?? null; }
  get(tenant: string, id: string): AgentEntry { return this.agents.get(tenant, id) ?? this.absent(id); }
  list(tenant: string): AgentEntry[] { return this.agents.list(tenant); }

  /** @throws Refusal INVALID_FIELD (unknown role, private key) */
  create(tenant: string, settings: AgentSettings, publicKey: unknown, by: PrincipalRef): Promise<{ agent: AgentEntry; tokenId: string; token: string }> {
    return this.serially(async () => {
      await this.rolesExist(tenant, settings.roles);
      const key = publicKey === undefined ? null : this.validKey(publicKey, undefined, '/publicKey');
      const id = this.writing.ids.uuid();
      const minted = mintToken(this.random);
      const now = this.now();
      // Why: policy first, so that while it does not answer nobody is made whose token the caller never saw.
      await this.neighbours.ask('policy', 'applyPrincipal', { tenant, kind: 'agent', id, name: settings.name, roles: settings.roles, suspended: false, deleted: false, revision: 1 });
      const facts: IdentityFact[] = [
        { entity: 'agent', name: 'Created', data: { agent: id, ...(settings as unknown as JsonObject) } },
        { entity: 'token', name: 'Issued', data: { agent: id, tokenId: minted.tokenId, expiresAt: null } },
        ...(key === null ? [] : [keyRegistered(id, key)]),
      ];
      const agent = await this.store(tenant, id, {
        ...settings, suspended: false, tokens: [{ id: minted.tokenId, digest: minted.digest, createdAt: now, expiresAt: null }],
        keys: key === null ? [] : [{ ...key, createdAt: now }], createdAt: now, updatedAt: now,
      }, facts, by, 0);
      return { agent, tokenId: minted.tokenId, token: minted.token };
    });
  }

  replace(tenant: string, id: string, settings: AgentSettings, by: PrincipalRef, expectedRevision?: number): Promise<AgentEntry> {
    return this.serially(async () => {
      const { data } = this.get(tenant, id);
      await this.rolesExist(tenant, settings.roles);
      return this.store(tenant, id, { ...data, ...settings }, [{ entity: 'agent', name: 'Changed', data: { agent: id, ...(settings as unknown as JsonObject) } }], by, expectedRevision);
    });
  }

  /** Idempotent: an agent that is suspended already stays as it is. */
  setSuspended(tenant: string, id: string, suspended: boolean, reason: string | null, by: PrincipalRef): Promise<AgentEntry> {
    return this.serially(async () => {
      const { data, ...entry } = this.get(tenant, id);
      if (data.suspended === suspended) { await this.apply({ ...entry, data, deleted: false }); return { ...entry, data }; }
      return this.store(tenant, id, { ...data, suspended }, [{ entity: 'agent', name: suspended ? 'Suspended' : 'Resumed', data: { agent: id, reason } }], by);
    });
  }

  /** @throws Refusal NOT_FOUND, IN_USE */
  remove(tenant: string, id: string, by: PrincipalRef, expectedRevision?: number): Promise<void> {
    return this.serially(async () => {
      const entry = this.get(tenant, id);
      const { workflows } = await this.neighbours.ask('orchestrator', 'inUse', { tenant, agent: id });
      if (workflows.length > 0) throw inUse('agent', id, workflows);
      await this.agents.remove(tenant, id, [{ entity: 'agent', name: 'Deleted', data: { agent: id } }], by, expectedRevision);
      this.unindex(id);
      const gone = { ...entry, revision: entry.revision + 1, deleted: true };
      this.unapplied.set(id, gone);
      await this.apply(gone);
    });
  }

  issueToken(tenant: string, id: string, ttlDays: number | null, by: PrincipalRef): Promise<{ tokenId: string; token: string; expiresAt: string | null }> {
    return this.serially(async () => {
      const { data } = this.get(tenant, id);
      const nowMs = this.writing.clock.now();
      const alive = data.tokens.filter(token => token.expiresAt === null || Date.parse(token.expiresAt) > nowMs);
      if (alive.length >= TOKENS_MAX) throw new Refusal({ code: 'WRONG_STATE', detail: `an agent has at most ${TOKENS_MAX} tokens: delete one that is not needed` });
      const { tokenId, token, digest } = mintToken(this.random);
      const expiresAt = ttlDays === null ? null : new Date(nowMs + ttlDays * DAY_MS).toISOString();
      await this.store(tenant, id, { ...data, tokens: [...alive, { id: tokenId, digest, createdAt: this.now(), expiresAt }] }, [{ entity: 'token', name: 'Issued', data: { agent: id, tokenId, expiresAt } }], by);
      return { tokenId, token, expiresAt };
    });
  }

  revokeToken(tenant: string, id: string, tokenId: string, by: PrincipalRef): Promise<void> {
    return this.serially(async () => {
      const { data } = this.get(tenant, id);
      const tokens = data.tokens.filter(token => token.id !== tokenId);
      if (tokens.length === data.tokens.length) throw new Refusal({ code: 'NOT_FOUND', detail: `agent \`${id}\` has no token \`${tokenId}\`` });
      await this.store(tenant, id, { ...data, tokens }, [{ entity: 'token', name: 'Revoked', data: { agent: id, tokenId } }], by);
    });
  }

  registerKey(tenant: string, id: string, kid: unknown, jwk: unknown, by: PrincipalRef): Promise<StoredKey> {
    return this.serially(async () => {
      const { data } = this.get(tenant, id);
      const key = this.validKey(jwk, kid, '/jwk');
      if (data.keys.some(known => known.kid === key.kid)) throw new Refusal({ code: 'WRONG_STATE', detail: `there is a key \`${key.kid}\` already: delete it first` });
      if (data.keys.length >= KEYS_MAX) throw new Refusal({ code: 'WRONG_STATE', detail: `an agent has at most ${KEYS_MAX} keys` });
      const stored = { ...key, createdAt: this.now() };
      const revokedKeys = (data.revokedKeys ?? []).filter(revoked => revoked.kid !== key.kid);
      await this.store(tenant, id, { ...data, keys: [...data.keys, stored], revokedKeys }, [keyRegistered(id, key)], by);
      return stored;
    });
  }

  /** From when it is stored nothing that the key signed is taken in, whenever it was signed. */
  removeKey(tenant: string, id: string, kid: string, by: PrincipalRef): Promise<void> {
    return this.serially(async () => {
      const { data } = this.get(tenant, id);
      const removed = data.keys.find(key => key.kid === kid);
      if (removed === undefined) throw new Refusal({ code: 'NOT_FOUND', detail: `agent \`${id}\` has no key \`${kid}\`` });
      const keys = data.keys.filter(key => key !== removed);
      const revokedKeys = [...(data.revokedKeys ?? []), { kid, createdAt: removed.createdAt, revokedAt: this.now() }].slice(-REVOKED_KEYS_MAX);
      await this.store(tenant, id, { ...data, keys, revokedKeys }, [{ entity: 'key', name: 'Removed', data: { agent: id, kid } }], by);
    });
  }

  private async store(tenant: string, id: string, agent: Agent, facts: readonly IdentityFact[], by: PrincipalRef, expectedRevision?: number): Promise<AgentEntry> {
    const entry = await this.agents.put(tenant, id, { ...agent, updatedAt: this.now() }, facts, by, expectedRevision);
    this.index(entry);
    const change = { ...entry, deleted: false };
    this.unapplied.set(id, change);
    await this.apply(change);
    return entry;
  }

  private async apply(agent: AgentEntry & { readonly deleted: boolean }): Promise<void> {
    const { tenant, id, revision, data, deleted } = agent;
    await this.neighbours.ask('policy', 'applyPrincipal', { tenant, kind: 'agent', id, name: data.name, roles: data.roles, suspended: data.suspended, deleted, revision });
    const waiting = this.unapplied.get(id);
    if (waiting !== undefined && waiting.revision <= revision) this.unapplied.delete(id);
  }

  private index(agent: AgentEntry): void {
    this.unindex(agent.id);
    this.byId.set(agent.id, agent);
    for (const token of agent.data.tokens) {
      this.byToken.set(token.id, { agent, digest: Buffer.from(token.digest, 'hex'), expiresAt: token.expiresAt === null ? Infinity : Date.parse(token.expiresAt) });
    }
  }

  private unindex(id: string): void {
    for (const token of this.byId.get(id)?.data.tokens ?? []) this.byToken.delete(token.id);
    this.byId.delete(id);
  }

  private async rolesExist(tenant: string, roles: readonly string[]): Promise<void> {
    if (roles.length === 0) return;
    const { missing } = await this.neighbours.ask('policy', 'missingRoles', { tenant, roles });
    const problems = roles.flatMap((role, at): Problem[] => (missing.includes(role) ? [{ code: 'INVALID_FIELD', pointer: `/roles/${at}`, detail: `there is no role \`${role}\`` }] : []));
    if (problems.length > 0) throw new Refusal(problems as [Problem, ...Problem[]]);
  }

  private validKey(jwk: unknown, kid: unknown, pointer: string): PublicKey {
    const key = publicKeyOf(jwk, kid, pointer);
    if (isProblem(key)) throw new Refusal(key);
    return key;
  }

  /** Why: changes are rare, and one after the other each sees what the one before left. */
  private serially<R>(change: () => Promise<R>): Promise<R> {
    const result = this.last.then(change, change);
    this.last = result.catch(() => {});
    return result;
  }

  private now(): string { return new Date(this.writing.clock.now()).toISOString(); }
  private absent(id: string): never { throw new Refusal({ code: 'NOT_FOUND', detail: `there is no agent \`${id}\`` }); }
}

const keyRegistered = (agent: string, { kid, jwk }: PublicKey): IdentityFact => ({ entity: 'key', name: 'Registered', data: { agent, kid, jwk } });

export const inUse = (what: string, name: string, workflows: readonly string[]): Refusal =>
  new Refusal({ code: 'IN_USE', detail: `open workflows need ${what} \`${name}\`: ${workflows.slice(0, 5).map(id => `\`${id}\``).join(', ')}` }, { workflows: workflows.slice(0, 20) });
