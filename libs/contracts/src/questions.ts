import type { JsonObject } from '@aifirst/kernel';
import type { CapabilityDescriptor, Connection } from './capability';
import type { CloudEvent, Message } from './envelope';
import type { AskedPreview, AskedUndoPreview, PreviewAnswer, UndoPreviewAnswer } from './preview';
import type { PrincipalRef } from './intent';
import type { ControlState, DecidePlan, StepDecision } from './policy';
import type { TargetReach } from './target-reach';
import type { TaskQuestions } from './task';
import type { WorkflowOrder } from './workflow';

/**
 * What may be asked by `ServiceQuery`, per owner: `question: [asked, answered]`. An owner refuses by throwing `Refusal`.
 * Everything is JSON. `tenant` is always the credential's; owners filter by it.
 */
export interface GatewayQuestions extends TaskQuestions {
  connection: [{ tenant: string; name: string }, Connection | null];
}

export interface OrchestratorQuestions {
  /** Answers when the order is durable; `sequence` is that of the last fact it made. @throws Refusal NOT_FOUND, WRONG_STATE { status }, UNKNOWN_STEP, PLAN_STALE (`facts` of a rollback); of `addStep` and `commit` also FORBIDDEN, IDEMPOTENCY_CONFLICT, TOO_LARGE */
  order: [{ tenant: string; workflow: string; by: PrincipalRef; order: WorkflowOrder }, { sequence: number }];
  /** The facts of a workflow after a sequence, in order. */
  facts: [{ tenant: string; workflow: string; after: number; limit: number }, { items: CloudEvent[] }];
  /**
   * How many facts each of these workflows (at most 500) has by now; those that are not known here are left out. Where
   * several copies answer for workflows of their own, whoever asks puts their answers together, `lag` the largest.
   * `lag`: messages that are known to wait; what is not known yet may be among them.
   */
  workflowHeads: [{ workflows: readonly string[] }, { items: WorkflowHead[]; lag: number }];
  /** Is an open workflow in need of this connection or agent? */
  inUse: [{ tenant: string; connection?: string; agent?: string }, { workflows: string[] }];
  locks: [{ tenant: string | null; limit: number; after?: string }, { items: LockView[] }];
  breakLock: [{ tenant: string | null; id: string; by: PrincipalRef; reason: string }, LockView];
}
/** `facts`: the number of the last one, see `factNumberOf`. `waitsFor`: it stands still until others give locks up. */
export interface WorkflowHead { readonly workflow: string; readonly facts: number; readonly waitsFor?: { readonly resource: string; readonly holder: string | null; readonly since: number } }
export interface LockView {
  readonly id: string;
  readonly tenant: string;
  readonly resource: string;
  readonly mode: string;
  readonly workflow: string;
  readonly since: string;
  readonly waiting: readonly string[];
}

/** A principal as policy needs it. `revision` rises with every change: an older one never overwrites a newer. */
export interface PolicyPrincipal {
  readonly tenant: string;
  readonly kind: 'agent' | 'person';
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly suspended: boolean;
  readonly deleted: boolean;
  readonly revision: number;
}
/** A named thing under version control: what `PUT` answers with. `etag` changes with every change. */
export interface Named<T = JsonObject> { readonly name: string; readonly revision: number; readonly value: T; readonly createdAt: string; readonly updatedAt: string }
export interface PutNamed<T> { tenant: string; name: string; value: T; by: PrincipalRef; /** From `If-Match`; absent = whatever is there; 0 (`If-None-Match: *`) = must be new. Else `Refusal` PRECONDITION_FAILED. */ expectedRevision?: number }
export interface NameOnly { tenant: string; name: string }
export interface Page { tenant: string; limit: number; after?: string }

export interface Role { readonly capabilities: readonly string[]; readonly connections: readonly string[] }
export interface PolicyText { readonly cedar: string; /** Newest stored version. */ readonly version: number; /** The one in force, null: none. */ readonly active: number | null }
export interface KillSwitch { readonly scope: { readonly kind: 'all' | 'agent'; readonly id?: string }; readonly reason: string; readonly rollback: boolean; readonly includeUndo: boolean }

export interface PolicyQuestions {
  /** In force for the next decision when answered. @throws Refusal INVALID_FIELD (unknown capability pattern …) */
  putRole: [PutNamed<Role>, { created: boolean; role: Named<Role> }];
  getRole: [NameOnly, Named<Role> | null];
  listRoles: [Page, { items: Named<Role>[] }];
  deleteRole: [NameOnly & { by: PrincipalRef; expectedRevision?: number }, { deleted: boolean }];
  /** Which of these roles do not exist? */
  missingRoles: [{ tenant: string; roles: readonly string[] }, { missing: string[] }];
  /** Stores a new version, not in force. @throws Refusal POLICY_INVALID (does not parse) */
  putPolicy: [PutNamed<{ cedar: string }>, { created: boolean; policy: Named<PolicyText> }];
  getPolicy: [NameOnly & { version?: number }, Named<PolicyText> | null];
  listPolicies: [Page, { items: Named<PolicyText>[] }];
  deletePolicy: [NameOnly & { by: PrincipalRef; expectedRevision?: number }, { deleted: boolean }];
  /** Parses, checks against the schema and annotations. @throws Refusal POLICY_INVALID with one problem per finding */
  validatePolicy: [{ tenant: string; cedar: string } | { tenant: string; name: string; version?: number }, { valid: true; warnings: string[] }];
  activatePolicy: [{ tenant: string; name: string; version: number; by: PrincipalRef }, Named<PolicyText>];
  /** Cedar's JSON schema with the tenant's own roles, connections and capabilities in it. */
  policySchema: [{ tenant: string }, JsonObject];
  putKillSwitch: [PutNamed<KillSwitch>, { created: boolean; killSwitch: Named<KillSwitch> }];
  getKillSwitch: [NameOnly, Named<KillSwitch> | null];
  listKillSwitches: [Page, { items: Named<KillSwitch>[] }];
  deleteKillSwitch: [NameOnly & { by: PrincipalRef; expectedRevision?: number }, { deleted: boolean }];
  /** Tells policy of a principal; in force when answered, and the control epoch has moved if it was suspended or lost a role. Idempotent by revision. */
  applyPrincipal: [PolicyPrincipal, { controlEpoch: number }];
  /** What would be decided now. Nothing is recorded, and the decisions hold no leases: nothing can be done with them. */
  decidePlan: [DecidePlan, { decisions: StepDecision[] }];
  /** Asked before an agent's order to roll back is taken; recorded as a decision of action `rollback`. */
  decideRollback: [{ tenant: string; workflow: string; by: PrincipalRef }, StepDecision];
  /** Of all tenants (null) or one. `at`: the owner's clock, ms. */
  controlState: [{ tenant: string | null }, { at: number; tenants: ControlState[] }];
}

export interface AdapterQuestions {
  capabilities: [Record<string, never>, { items: CapabilityDescriptor[] }];
  /**
   * `lockBase`: the target's own identity, see `PlannedStep.lockBase` (for files `file://` and the root with its links resolved).
   * `reach`: what else a step touches than what its input names.
   * @throws Refusal PROBE_FAILED, INVALID_FIELD with a pointer into the connection
   */
  probeConnection: [{ connection: Connection }, { limitations: string[]; lockBase?: string; reach?: TargetReach }];
  /** What would this step do now? Leaves no trace at the target. */
  preview: [AskedPreview, PreviewAnswer];
  /** What would taking this step back do now, by what the journal keeps of it? Leaves no trace at the target. */
  previewUndo: [AskedUndoPreview, UndoPreviewAnswer];
  /**
   * Of `adapter-os` alone: SQL of workflows that were made before `until` (ms since 1970; 0: of none) is in its journal and stays
   * there, as it comes from before there was `adapter-sql` (docs/adr/0039). `source`: whose journal, `adapter-os/<shard>`.
   */
  sqlHeldUntil: [{ source: string }, { until: number }];
  /** A step command whose workflow is in the asked one's journal. Answered when it is in memory: if it is lost then, it is sent again. */
  takeOver: [{ workflow: string; message: Message }, Record<string, never>];
}

export interface AuditQuestions {
  entries: [{ tenant: string; from?: number; limit: number; agent?: string; workflow?: string; type?: string; resource?: string; fromTime?: string; toTime?: string }, { items: AuditEntry[]; next: number | null }];
  entry: [{ tenant: string; index: number }, AuditEntry | null];
  /** The signed note, C2SP tlog-checkpoint, or null while the log is empty of checkpoints. */
  checkpoint: [{ tenant: string }, { note: string } | null];
  /** base64 of the tile's bytes. `level: 'entries'` for the entry bundles (deflated or not: uncompressed here). */
  tile: [{ tenant: string; level: number | 'entries'; index: number; width: number }, { bytes: string } | null];
  inclusionProof: [{ tenant: string; index: number; size?: number }, { index: number; size: number; hashes: string[] }];
  consistencyProof: [{ tenant: string; from: number; to: number }, { from: number; to: number; hashes: string[] }];
  keys: [{ tenant: string }, { items: { vkey: string; from: string; to: string | null }[] }];
  /** The whole export document as text (JCS, newline, signature line). */
  export: [{ tenant: string; from?: string; to?: string }, { document: string }];
  /** How far each producer's facts are folded. */
  foldedUpTo: [Record<string, never>, { producers: Record<string, number>; lag: number }];
}
export interface AuditEntry { readonly index: number; readonly leafHash: string; readonly event: CloudEvent }

/** Every service that consumes answers these about its own dead letters. */
export interface DeadLetterQuestions {
  deadLetters: [{ tenant: string | null; limit: number; after?: string; status?: string }, { items: JsonObject[] }];
  /** @throws Refusal NOT_FOUND, WRONG_STATE */
  replayDeadLetter: [{ tenant: string | null; id: string; by: PrincipalRef }, JsonObject];
  discardDeadLetter: [{ tenant: string | null; id: string; by: PrincipalRef }, JsonObject];
}

/** Every service with a log answers these about it, so that facts which the bus did not bring can be asked for. `source`: `<service>/<shard>`. */
export interface LogQuestions {
  /** `lastSequence`: the number of its last fact that is kept, 0 = none. @throws Refusal NOT_FOUND (it has no such log) */
  logHead: [{ source: string }, LogHead];
  /**
   * Rows after a position, in order: at most `limit` (up to 500), or fewer where they are large, but always one if there
   * is one. Of rows without facts only the last is shown, so that reading goes on after it; none: that was the end.
   * @throws Refusal NOT_FOUND, INVALID_FIELD
   */
  readLog: [{ source: string; after: number; limit: number }, { head: number; rows: LogFacts[] }];
}
export interface LogHead { readonly source: string; readonly head: number; readonly lastSequence: number }
/** A row of a log; of its messages the facts. */
export interface LogFacts { readonly position: number; readonly messages: readonly Message[] }
