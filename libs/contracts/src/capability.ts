import type { JsonObject } from '@aifirst/kernel';

export type Reversibility = 'readOnly' | 'reversible' | 'compensable' | 'irreversible';
/** How an adapter can know what came of a call whose answer was lost. */
export type OutcomeKnowledge = 'transactional' | 'nativeKey' | 'marker' | 'conditional' | 'none';
export type UndoExactness = 'exact' | 'compensating' | 'none';
export type RiskLevel = 'low' | 'medium' | 'high' | 'critical';
/** One part of a score: it adds `weight × value`, `value` from 0 to 1. docs/risk.md has them all. */
export interface RiskFactor { readonly factor: string; readonly weight: number; readonly value: number }
/** `factors`: those that add something, once they have been weighed; absent from a capability's base risk. */
export interface Risk { readonly level: RiskLevel; readonly score: number; readonly factors?: readonly RiskFactor[] }

/** Base risk until the factors of a plan are weighed: the reversibility alone. */
export const BASE_RISK: Readonly<Record<Reversibility, Risk>> = {
  readOnly: { level: 'low', score: 0 },
  reversible: { level: 'low', score: 20 },
  compensable: { level: 'medium', score: 50 },
  irreversible: { level: 'high', score: 80 },
};

/**
 * What a step touches, worked out from its input: `{connection}` and `{<input field>}` are filled in.
 * `write` excludes everybody else from the resource and all below it until the workflow ends, `read` only writers.
 */
export interface ResourceTemplate { readonly uri: string; readonly access: 'read' | 'write' }

export interface CapabilityDescriptor {
  readonly name: string;
  readonly version: string;
  /** `os`, `builtin`, … A capability of adapter `builtin` takes no connection. */
  readonly adapter: string;
  readonly reversibility: Reversibility;
  readonly outcome: OutcomeKnowledge;
  readonly undo: UndoExactness;
  readonly description: string;
  /** JSON Schema 2020-12; `x-sensitive: "<class>"` on a property has it sealed, `x-path: true` marks a path beneath a root, `x-sql: "read" | "write"` one SQL statement, `"script"` several. */
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject;
  readonly resources: readonly ResourceTemplate[];
  /** Its target can prepare: calls of one workflow on one connection share a transaction there, which these two end (mode `atomic`). */
  readonly twoPhase?: { readonly prepare: string; readonly commit: string };
  /** Of a step that says nothing, ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** Called by the workflow engine itself, never by an agent: not offered to anybody. */
  readonly isInternal?: boolean;
}

/** A configured target. `secretRefs` are references, never values. `digest` is of all that decides where effects land. */
export interface Connection {
  readonly tenant: string;
  readonly name: string;
  readonly adapter: string;
  readonly config: JsonObject;
  readonly secretRefs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly revision: number;
  readonly digest: string;
}

/** Tells one state of a connection from the others: short, for plans and commands. */
export const connectionStampOf = ({ revision, digest }: Pick<Connection, 'revision' | 'digest'>): string => `${revision}-${digest.slice(-8)}`;

/** A value sealed by the vault: what stands where the clear value stood, at rest and on every topic. */
export interface Sealed {
  /** `v1.<key id>.<nonce>.<ciphertext and tag>`, base64url. */
  readonly $sealed: string;
  /** The schema's `x-sensitive` class, e.g. `content`. */
  readonly class: string;
  /** Set by a `$ref` that leads into a sealed value: whoever unseals applies it. */
  readonly pointer?: string;
}
export const isSealed = (value: unknown): value is Sealed =>
  typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)['$sealed'] === 'string';
