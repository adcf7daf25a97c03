// Made of the OpenAPI document by tools/generate.mjs: not to be changed by hand.
export interface paths {
    readonly "/v1/intents": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Hands in an intent. Refused at once and whole, or accepted durably and carried out as a workflow.
         * @description For agents and the administrator.
         */
        readonly post: operations["submitIntent"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/intents/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * An intent as it was admitted.
         * @description For agents and the administrator.
         */
        readonly get: operations["getIntent"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/plans": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * What an intent would do, without doing it: order, decision, risk, preview and undo of each step. Waits up to 30 s. Kept for a day; `POST /v1/intents` with its `planId` runs exactly this.
         * @description For agents and the administrator.
         */
        readonly post: operations["makePlan"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/plans/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A plan, for the agent that asked for it and the administrator.
         * @description For agents and the administrator.
         */
        readonly get: operations["getPlan"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Workflows, newest first. An agent sees its own.
         * @description For agents and the administrator.
         */
        readonly get: operations["listWorkflows"];
        readonly put?: never;
        /**
         * Begins an interactive transaction: a workflow whose steps are added one by one. Nobody speaking to it for `idleTimeoutMs` while nothing is pending, it takes itself back.
         * @description For agents and the administrator.
         */
        readonly post: operations["beginTransaction"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A workflow with its steps.
         * @description For agents and the administrator.
         */
        readonly get: operations["getWorkflow"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/events": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The facts of a workflow in order; with `Accept: text/event-stream` live until it ends.
         * @description For agents and the administrator.
         */
        readonly get: operations["listWorkflowEvents"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/rollback": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Takes everything back, running or long finished. On `rollbackBlocked` it tries again what is left. `preview` shows what it would do; of what has ended, `IN_USE` names the later workflows that build on it.
         * @description For agents and the administrator.
         */
        readonly post: operations["rollbackWorkflow"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/cancel": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Before any effect ends it `cancelled`; later it acts as `onFailure` says.
         * @description For agents and the administrator.
         */
        readonly post: operations["cancelWorkflow"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/pause": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Starts no further step; what runs, ends.
         * @description For agents and the administrator.
         */
        readonly post: operations["pauseWorkflow"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/resume": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Goes on; `failedStep` says what becomes of a step that failed.
         * @description For agents and the administrator.
         */
        readonly post: operations["resumeWorkflow"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/steps/{step}/resolve": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Settles an outcome that nobody but a person can tell.
         * @description For the administrator.
         */
        readonly post: operations["resolveStep"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/steps": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Adds a step to an interactive transaction. It runs at once under policy; its `id` is its idempotency key. One that fails had no effect and leaves the transaction standing.
         * @description For agents and the administrator.
         */
        readonly post: operations["addStep"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/workflows/{id}/commit": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Ends an interactive transaction: no step follows, and what runs is waited for. Steps that failed had no effect and are named in `statusReason`.
         * @description For agents and the administrator.
         */
        readonly post: operations["commitTransaction"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/capabilities": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * What can be called.
         * @description For agents and the administrator.
         */
        readonly get: operations["listCapabilities"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/capabilities/{name}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A capability with its schemas.
         * @description For agents and the administrator.
         */
        readonly get: operations["getCapability"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The agents of the tenant.
         * @description For the administrator.
         */
        readonly get: operations["listAgents"];
        readonly put?: never;
        /**
         * Makes an agent; its token is shown this once.
         * @description For the administrator.
         */
        readonly post: operations["createAgent"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * An agent.
         * @description For the administrator.
         */
        readonly get: operations["getAgent"];
        /**
         * Changes an agent; what is put is in force for its next call.
         * @description For the administrator.
         */
        readonly put: operations["putAgent"];
        readonly post?: never;
        /**
         * Deletes an agent and its credentials.
         * @description For the administrator.
         */
        readonly delete: operations["deleteAgent"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents/{id}/suspend": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Holds its workflows and refuses its calls until it is resumed; undo goes on.
         * @description For the administrator.
         */
        readonly post: operations["suspendAgent"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents/{id}/resume": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Lifts a suspension.
         * @description For the administrator.
         */
        readonly post: operations["resumeAgent"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents/{id}/tokens": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Issues a further token, shown this once.
         * @description For the administrator.
         */
        readonly post: operations["issueToken"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents/{id}/tokens/{tokenId}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        readonly post?: never;
        /**
         * Revokes a token at once.
         * @description For the administrator.
         */
        readonly delete: operations["revokeToken"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents/{id}/keys": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The keys that it may sign intents with, and those that were revoked.
         * @description For the administrator.
         */
        readonly get: operations["listKeys"];
        readonly put?: never;
        /**
         * Registers a public key that the agent signs intents with.
         * @description For the administrator.
         */
        readonly post: operations["registerKey"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/agents/{id}/keys/{kid}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A key.
         * @description For the administrator.
         */
        readonly get: operations["getKey"];
        readonly put?: never;
        readonly post?: never;
        /**
         * Revokes a key: nothing that it signed is taken in any more.
         * @description For the administrator.
         */
        readonly delete: operations["removeKey"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/tenants": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * All tenants.
         * @description For the administrator.
         */
        readonly get: operations["listTenants"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/tenants/{name}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A tenant.
         * @description For the administrator.
         */
        readonly get: operations["getTenant"];
        /**
         * Makes or changes a tenant.
         * @description For the administrator.
         */
        readonly put: operations["putTenant"];
        readonly post?: never;
        /**
         * Deletes a tenant that has no agents and connections any more.
         * @description For the administrator.
         */
        readonly delete: operations["deleteTenant"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/connections": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The connections of the tenant.
         * @description For the administrator.
         */
        readonly get: operations["listConnections"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/connections/{name}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A connection.
         * @description For the administrator.
         */
        readonly get: operations["getConnection"];
        /**
         * Makes or changes a connection; its target is looked at first.
         * @description For the administrator.
         */
        readonly put: operations["putConnection"];
        readonly post?: never;
        /**
         * Deletes a connection that no open workflow needs.
         * @description For the administrator.
         */
        readonly delete: operations["deleteConnection"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/roles": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The roles of the tenant.
         * @description For the administrator.
         */
        readonly get: operations["listRoles"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/roles/{name}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A role.
         * @description For the administrator.
         */
        readonly get: operations["getRole"];
        /**
         * Makes or changes a role; in force for the next decision.
         * @description For the administrator.
         */
        readonly put: operations["putRole"];
        readonly post?: never;
        /**
         * Deletes a role; who had it loses what it permits.
         * @description For the administrator.
         */
        readonly delete: operations["deleteRole"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/policies": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The policies of the tenant.
         * @description For the administrator.
         */
        readonly get: operations["listPolicies"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/policies/schema": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Cedar's schema with the tenant's roles, connections and capabilities in it.
         * @description For the administrator.
         */
        readonly get: operations["getPolicySchema"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/policies/validate": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Parses a policy and checks it against schema and annotations.
         * @description For the administrator.
         */
        readonly post: operations["validatePolicy"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/policies/activate": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Puts a stored version in force for the next decision.
         * @description For the administrator.
         */
        readonly post: operations["activatePolicy"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/policies/{name}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A policy, its newest version unless another is asked for.
         * @description For the administrator.
         */
        readonly get: operations["getPolicy"];
        /**
         * Stores a new version, not in force until it is activated.
         * @description For the administrator.
         */
        readonly put: operations["putPolicy"];
        readonly post?: never;
        /**
         * Deletes a policy with all its versions; it is in force no longer.
         * @description For the administrator.
         */
        readonly delete: operations["deletePolicy"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/controls/kill-switches": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The kill switches that are engaged.
         * @description For the administrator.
         */
        readonly get: operations["listKillSwitches"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/controls/kill-switches/{name}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A kill switch.
         * @description For the administrator.
         */
        readonly get: operations["getKillSwitch"];
        /**
         * Engages a kill switch: no new step within a second; running ones end, undo goes on.
         * @description For the administrator.
         */
        readonly put: operations["engageKillSwitch"];
        readonly post?: never;
        /**
         * Lifts a kill switch: what it held goes on by itself.
         * @description For the administrator.
         */
        readonly delete: operations["liftKillSwitch"];
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/entries": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The tenant's log, oldest first.
         * @description For the administrator.
         */
        readonly get: operations["listAuditEntries"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/entries/{index}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * An entry with its leaf hash.
         * @description For the administrator.
         */
        readonly get: operations["getAuditEntry"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/checkpoint": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The newest signed checkpoint (C2SP tlog-checkpoint).
         * @description For the administrator.
         */
        readonly get: operations["getCheckpoint"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/tile/{level}/{index}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A tile of hashes, or with `entries` as level a bundle of entries (C2SP tlog-tiles).
         * @description For the administrator.
         */
        readonly get: operations["getTile"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/proofs/inclusion": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * That an entry is in the log (RFC 6962).
         * @description For the administrator.
         */
        readonly get: operations["getInclusionProof"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/proofs/consistency": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * That a log of one size is the beginning of the log of another (RFC 6962).
         * @description For the administrator.
         */
        readonly get: operations["getConsistencyProof"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/keys": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The keys that checkpoints are signed with.
         * @description For the administrator.
         */
        readonly get: operations["listAuditKeys"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/audit/export": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * One file with entries, proofs, checkpoints and keys, for `aifirst audit verify --offline`.
         * @description For the administrator.
         */
        readonly get: operations["exportAudit"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/locks": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Locks that are held, and who waits for them.
         * @description For the administrator.
         */
        readonly get: operations["listLocks"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/locks/{id}/break": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Takes a lock from the workflow that holds it; recorded.
         * @description For the administrator.
         */
        readonly post: operations["breakLock"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/dead-letters": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Messages that could not be handled, with what waits behind them.
         * @description For the administrator.
         */
        readonly get: operations["listDeadLetters"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/dead-letters/{id}/replay": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Hands it over once more, and what waits behind it.
         * @description For the administrator.
         */
        readonly post: operations["replayDeadLetter"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/dead-letters/{id}/discard": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * Gives it up; what waits behind it stays.
         * @description For the administrator.
         */
        readonly post: operations["discardDeadLetter"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/mcp": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly get?: never;
        readonly put?: never;
        /**
         * The Model Context Protocol over Streamable HTTP, revisions 2025-11-25 and 2026-07-28, without sessions: capabilities as tools.
         * @description For agents and the administrator.
         */
        readonly post: operations["callMcp"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/health/live": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Does the process answer?
         * @description Needs no token.
         */
        readonly get: operations["isLive"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/health/ready": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Does every part answer?
         * @description Needs no token.
         */
        readonly get: operations["isReady"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/metrics": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Metrics in the text format of Prometheus.
         * @description Needs no token.
         */
        readonly get: operations["getMetrics"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/openapi.json": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * This document.
         * @description Needs no token.
         */
        readonly get: operations["getOpenapi"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/openapi.json": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * This document.
         * @description Needs no token.
         */
        readonly get: operations["getOpenapiOfVersion"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/asyncapi.json": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The messages on the topics.
         * @description Needs no token.
         */
        readonly get: operations["getAsyncapi"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/asyncapi.json": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The messages on the topics.
         * @description Needs no token.
         */
        readonly get: operations["getAsyncapiOfVersion"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        readonly Problem: {
            readonly type: string;
            readonly title: string;
            readonly status: number;
            /** @description stable */
            readonly code: string;
            readonly detail: string;
            /** @description JSON Pointer into the body (RFC 6901) */
            readonly pointer?: string;
            readonly errors: readonly {
                readonly code: string;
                readonly detail: string;
                readonly pointer?: string;
            }[];
        };
        readonly Submitted: {
            /** Format: uuid */
            readonly intentId: string;
            /** Format: uuid */
            readonly workflowId: string;
        };
        readonly Intent: {
            /** Format: uuid */
            readonly id: string;
            /** Format: uuid */
            readonly workflowId: string;
            readonly intent: Record<string, unknown>;
            readonly digest: string;
            readonly agent: string;
            /** Format: date-time */
            readonly createdAt: string;
        };
        readonly Workflow: {
            /** Format: uuid */
            readonly id: string;
            /** Format: uuid */
            readonly intentId: string;
            readonly tenant: string;
            /** @enum {unknown} */
            readonly status: "pending" | "awaitingApproval" | "running" | "paused" | "committing" | "completed" | "rollingBack" | "rolledBack" | "rollbackBlocked" | "redoing" | "rejected" | "failed" | "cancelled";
            readonly statusReason: {
                readonly code: string;
                readonly detail: string;
                /** Format: date-time */
                readonly since: string;
                readonly actions: readonly {
                    readonly method: string;
                    readonly path: string;
                    readonly body?: unknown;
                    readonly by: string;
                }[];
            } | null;
            readonly goal: string;
            readonly agent: string;
            readonly mode: string;
            readonly labels: {
                readonly [key: string]: string;
            };
            readonly interactive?: {
                readonly idleTimeoutMs: number;
                readonly committing: boolean;
            };
            readonly steps: readonly {
                readonly id: string;
                readonly capability: string;
                /** @enum {unknown} */
                readonly status: "pending" | "awaitingApproval" | "running" | "held" | "succeeded" | "failed" | "unknown" | "skipped" | "undoing" | "undone" | "undoBlocked";
                readonly statusReason: {
                    readonly code: string;
                    readonly detail: string;
                    /** Format: date-time */
                    readonly since: string;
                    readonly actions: readonly {
                        readonly method: string;
                        readonly path: string;
                        readonly body?: unknown;
                        readonly by: string;
                    }[];
                } | null;
                readonly attempts: number;
                readonly risk: {
                    /** @enum {unknown} */
                    readonly level: "low" | "medium" | "high" | "critical";
                    /** @description the sum over the factors of weight times value */
                    readonly score: number;
                    readonly factors?: readonly {
                        readonly factor: string;
                        readonly weight: number;
                        readonly value: number;
                    }[];
                };
                readonly decision: {
                    /** @enum {unknown} */
                    readonly outcome: "allow" | "deny" | "modify" | "approve" | "defer";
                    readonly policies: readonly string[];
                    readonly policyVersion: string;
                    readonly reason: string;
                    /** Format: date-time */
                    readonly at: string;
                } | null;
                readonly resources: readonly string[];
                readonly output: unknown;
                readonly error: {
                    readonly code: string;
                    readonly detail: string;
                    readonly clean: boolean;
                } | null;
                readonly undo: {
                    /** @enum {unknown} */
                    readonly status: "pending" | "running" | "done" | "blocked" | "skipped";
                    readonly verified: boolean;
                    readonly reason: string | null;
                } | null;
                readonly undoableUntil: string | null;
                readonly startedAt: string | null;
                readonly endedAt: string | null;
            }[];
            readonly residue: readonly {
                readonly step: string;
                readonly resource: string;
                readonly what: string;
                readonly why: string;
                readonly action: string;
            }[];
            /** Format: date-time */
            readonly createdAt: string;
            readonly endedAt: string | null;
        };
        readonly Step: {
            readonly id: string;
            readonly capability: string;
            /** @enum {unknown} */
            readonly status: "pending" | "awaitingApproval" | "running" | "held" | "succeeded" | "failed" | "unknown" | "skipped" | "undoing" | "undone" | "undoBlocked";
            readonly statusReason: {
                readonly code: string;
                readonly detail: string;
                /** Format: date-time */
                readonly since: string;
                readonly actions: readonly {
                    readonly method: string;
                    readonly path: string;
                    readonly body?: unknown;
                    readonly by: string;
                }[];
            } | null;
            readonly attempts: number;
            readonly risk: {
                /** @enum {unknown} */
                readonly level: "low" | "medium" | "high" | "critical";
                /** @description the sum over the factors of weight times value */
                readonly score: number;
                readonly factors?: readonly {
                    readonly factor: string;
                    readonly weight: number;
                    readonly value: number;
                }[];
            };
            readonly decision: {
                /** @enum {unknown} */
                readonly outcome: "allow" | "deny" | "modify" | "approve" | "defer";
                readonly policies: readonly string[];
                readonly policyVersion: string;
                readonly reason: string;
                /** Format: date-time */
                readonly at: string;
            } | null;
            readonly resources: readonly string[];
            readonly output: unknown;
            readonly error: {
                readonly code: string;
                readonly detail: string;
                readonly clean: boolean;
            } | null;
            readonly undo: {
                /** @enum {unknown} */
                readonly status: "pending" | "running" | "done" | "blocked" | "skipped";
                readonly verified: boolean;
                readonly reason: string | null;
            } | null;
            readonly undoableUntil: string | null;
            readonly startedAt: string | null;
            readonly endedAt: string | null;
        };
        readonly Plan: {
            /** Format: uuid */
            readonly planId: string;
            /** @description of the intent and of all that it rests on */
            readonly digest: string;
            readonly steps: readonly {
                readonly order: number;
                readonly id: string;
                readonly capability: string;
                readonly decision: {
                    /** @enum {unknown} */
                    readonly outcome: "allow" | "deny" | "modify" | "approve" | "defer";
                    readonly code?: string;
                    readonly policies: readonly string[];
                    readonly policyVersion: string;
                    readonly reason: string;
                    /** Format: date-time */
                    readonly at: string;
                };
                readonly risk: {
                    /** @enum {unknown} */
                    readonly level: "low" | "medium" | "high" | "critical";
                    /** @description the sum over the factors of weight times value */
                    readonly score: number;
                    readonly factors?: readonly {
                        readonly factor: string;
                        readonly weight: number;
                        readonly value: number;
                    }[];
                };
                /** @description who must agree first */
                readonly approvals: readonly unknown[];
                readonly preview: {
                    readonly summary: string;
                    readonly footprint: readonly string[];
                    readonly changes: readonly ({
                        /** @constant */
                        readonly kind: "file";
                        readonly resource: string;
                        /** @enum {unknown} */
                        readonly action: "create" | "change" | "delete" | "move" | "mode";
                        readonly diff: string | null;
                        readonly before: {
                            /** @enum {unknown} */
                            readonly type: "file" | "directory";
                            readonly size: number;
                            readonly mode: string;
                            readonly digest: string | null;
                        } | null;
                        readonly after: {
                            /** @enum {unknown} */
                            readonly type: "file" | "directory";
                            readonly size: number;
                            readonly mode: string;
                            readonly digest: string | null;
                        } | null;
                    } | {
                        /** @constant */
                        readonly kind: "rows";
                        readonly resource: string;
                        readonly inserted: number;
                        readonly updated: number;
                        readonly deleted: number;
                        readonly rows: readonly {
                            readonly before: Record<string, unknown> | null;
                            readonly after: Record<string, unknown> | null;
                        }[];
                    })[] | {
                        /** @constant */
                        readonly sealed: true;
                    };
                    readonly truncated: boolean;
                } | null;
                readonly previewError?: {
                    readonly code: string;
                    /** @description why there is no preview */
                    readonly detail: string;
                };
                readonly undo: {
                    /** @enum {unknown} */
                    readonly how: "exact" | "compensating" | "none";
                    readonly detail: string;
                };
            }[];
            readonly pointOfNoReturn: string | null;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly expiresAt: string;
        };
        readonly RollbackPreview: {
            /** Format: uuid */
            readonly workflow: string;
            /** @enum {unknown} */
            readonly status: "pending" | "awaitingApproval" | "running" | "paused" | "committing" | "completed" | "rollingBack" | "rolledBack" | "rollbackBlocked" | "redoing" | "rejected" | "failed" | "cancelled";
            /** @description of what is shown: a rollback with it does just that, or answers `PLAN_STALE` */
            readonly digest: string;
            /** @enum {unknown} */
            readonly onConflict: "block" | "skip";
            readonly steps: readonly {
                readonly order: number;
                readonly id: string;
                readonly capability: string;
                /** @enum {unknown} */
                readonly outcome: "wouldUndo" | "nothingToDo" | "wouldBlock" | "irreversible" | "cannotTell";
                readonly summary: string;
                readonly conflicts: readonly {
                    readonly resource: string;
                    readonly what: string;
                    readonly expected: string;
                    readonly found: string;
                    /** @description before the step; null: it was not there */
                    readonly before: unknown;
                    /** @description after the step */
                    readonly after: unknown;
                    /** @description as it is now */
                    readonly current: unknown;
                }[] | {
                    /** @constant */
                    readonly sealed: true;
                };
                readonly truncated: boolean;
                readonly reason: string | null;
            }[];
            readonly dependents: readonly {
                /** Format: uuid */
                readonly workflow: string;
                readonly step: string;
                readonly agent: string;
                /** @enum {unknown} */
                readonly kind: "overwrote" | "read";
                readonly resource: string;
                /** Format: date-time */
                readonly at: string;
                readonly blocks: boolean;
            }[];
            readonly dependentsTruncated: boolean;
        };
        readonly PlanInTheMaking: {
            /** Format: uuid */
            readonly planId: string;
            /** @constant */
            readonly status: "making";
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly expiresAt: string;
        };
        readonly CloudEvent: {
            /** @constant */
            readonly specversion: "1.0";
            readonly id: string;
            readonly type: string;
            readonly source: string;
            /** Format: date-time */
            readonly time: string;
            readonly subject: string;
            readonly tenant: string;
            readonly causationid?: string;
            readonly traceparent?: string;
            /** @description the id under which its agent knows the intent */
            readonly intentid?: string;
            /** @description the agent that sent the intent */
            readonly intentsource?: string;
            readonly producer: string;
            readonly sequence?: number;
            readonly data: Record<string, unknown>;
        };
        readonly Agent: {
            /** Format: uuid */
            readonly id: string;
            readonly name: string;
            readonly owner: string;
            readonly roles: readonly string[];
            readonly limits: Record<string, unknown>;
            readonly repeatWindowMs: number | null;
            /** @enum {unknown} */
            readonly status: "active" | "suspended";
            readonly tokens: readonly {
                readonly id: string;
                /** Format: date-time */
                readonly createdAt: string;
                readonly expiresAt: string | null;
            }[];
            readonly keys: readonly components["schemas"]["Key"][];
            readonly revision: number;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly updatedAt: string;
        };
        readonly AgentWithToken: {
            /** Format: uuid */
            readonly id: string;
            readonly tokenId: string;
            /** @description shown this once */
            readonly token: string;
        };
        readonly Token: {
            readonly tokenId: string;
            /** @description shown this once */
            readonly token: string;
            readonly expiresAt: string | null;
        };
        readonly Key: {
            readonly kid: string;
            /** @description a public key (RFC 7517): OKP Ed25519 or EC P-256 */
            readonly jwk: Record<string, unknown>;
            /** Format: date-time */
            readonly createdAt: string;
            readonly lastUsedAt: string | null;
        };
        readonly RevokedKey: {
            readonly kid: string;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly revokedAt: string;
            readonly lastUsedAt: string | null;
        };
        readonly Tenant: {
            readonly id: string;
            readonly name: string;
            readonly labels: {
                readonly [key: string]: string;
            };
            readonly revision: number;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly updatedAt: string;
        };
        readonly Role: {
            readonly name: string;
            readonly capabilities: readonly string[];
            readonly connections: readonly string[];
            readonly revision: number;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly updatedAt: string;
        };
        readonly Policy: {
            readonly name: string;
            readonly cedar: string;
            readonly version: number;
            readonly active: number | null;
            readonly revision: number;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly updatedAt: string;
        };
        readonly Validation: {
            /** @constant */
            readonly valid: true;
            readonly warnings: readonly string[];
        };
        readonly KillSwitch: {
            readonly id: string;
            readonly scope: {
                /** @enum {unknown} */
                readonly kind: "all" | "agent";
                readonly id?: string;
            };
            readonly reason: string;
            readonly rollback: boolean;
            readonly includeUndo: boolean;
            readonly revision: number;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly updatedAt: string;
        };
        readonly Connection: {
            readonly name: string;
            readonly adapter: string;
            readonly config: Record<string, unknown>;
            readonly secretRefs: {
                readonly [key: string]: string;
            };
            readonly labels: {
                readonly [key: string]: string;
            };
            readonly limitations: readonly string[];
            readonly digest: string;
            readonly revision: number;
            /** Format: date-time */
            readonly createdAt: string;
            /** Format: date-time */
            readonly updatedAt: string;
        };
        readonly Capability: {
            readonly name: string;
            readonly version: string;
            readonly adapter: string;
            /** @enum {unknown} */
            readonly reversibility: "readOnly" | "reversible" | "compensable" | "irreversible";
            readonly baseRisk: {
                /** @enum {unknown} */
                readonly level: "low" | "medium" | "high" | "critical";
                /** @description the sum over the factors of weight times value */
                readonly score: number;
                readonly factors?: readonly {
                    readonly factor: string;
                    readonly weight: number;
                    readonly value: number;
                }[];
            };
            /** @enum {unknown} */
            readonly outcome: "transactional" | "nativeKey" | "marker" | "conditional" | "none";
            /** @enum {unknown} */
            readonly undo: "exact" | "compensating" | "none";
            readonly description: string;
            readonly inputSchema: Record<string, unknown>;
            readonly outputSchema: Record<string, unknown>;
        };
        readonly Lock: {
            readonly id: string;
            readonly tenant: string;
            readonly resource: string;
            readonly mode: string;
            readonly workflow: string;
            /** Format: date-time */
            readonly since: string;
            readonly waiting: readonly string[];
        };
        readonly DeadLetter: {
            readonly id: string;
            readonly service: string;
        };
        readonly AuditEntry: {
            readonly index: number;
            readonly leafHash: string;
            readonly event: components["schemas"]["CloudEvent"];
        };
        readonly InclusionProof: {
            readonly index: number;
            readonly size: number;
            readonly hashes: readonly string[];
        };
        readonly ConsistencyProof: {
            readonly from: number;
            readonly to: number;
            readonly hashes: readonly string[];
        };
        readonly AuditKeys: {
            readonly items: readonly {
                readonly vkey: string;
                /** Format: date-time */
                readonly from: string;
                readonly to: string | null;
            }[];
        };
        readonly Readiness: {
            /** @enum {unknown} */
            readonly status: "ready" | "notReady";
            readonly checks: readonly {
                readonly name: string;
                readonly ready: boolean;
                readonly detail?: string;
            }[];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    readonly submitIntent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description 1 to 255 printable ASCII characters: the same key and intent are answered with the same ids, marked `Idempotent-Replayed: true` */
                readonly "Idempotency-Key"?: string;
                /** @description `wait=<seconds>` (RFC 7240, at most 60): answers with the workflow once it has ended or waits for somebody */
                readonly Prefer?: string;
                /** @description W3C trace context, carried on to the act */
                readonly traceparent?: string;
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @description what it is for */
                    readonly goal: string;
                    /**
                     * @default saga
                     * @enum {unknown}
                     */
                    readonly mode?: "saga" | "atomic";
                    /**
                     * @default rollback
                     * @enum {unknown}
                     */
                    readonly onFailure?: "rollback" | "pause" | "keep";
                    /** @default 600000 */
                    readonly deadlineMs?: number;
                    readonly labels?: {
                        readonly [key: string]: string;
                    };
                    readonly subjects?: readonly string[];
                    /** @description the credential decides; another one is refused */
                    readonly tenant?: string;
                    readonly steps: readonly {
                        readonly id: string;
                        readonly capability: string;
                        /** @description as the capability has it; `{ "$ref": "#/steps/<id>/output<JSON Pointer>" }` stands for an output, `{ "$literal": x }` escapes */
                        readonly input?: Record<string, unknown>;
                        readonly dependsOn?: readonly string[];
                        /** @default 30000 */
                        readonly timeoutMs?: number;
                        readonly retry?: {
                            /** @default 1 */
                            readonly attemptsMax: number;
                        };
                    }[];
                } | {
                    /** @description a plan of the same agent: exactly that is run, or nothing */
                    readonly planId: string;
                    /** @description the credential decides; another one is refused */
                    readonly tenant?: string;
                };
            };
        };
        readonly responses: {
            /** @description it ended or parked in time: the workflow */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
            /** @description accepted */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    /** @description `true` for a repeat */
                    readonly "Idempotent-Replayed"?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Submitted"];
                };
            };
        };
    };
    readonly getIntent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the intent */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Intent"];
                };
            };
        };
    };
    readonly makePlan: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description W3C trace context */
                readonly traceparent?: string;
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @description what it is for */
                    readonly goal: string;
                    /**
                     * @default saga
                     * @enum {unknown}
                     */
                    readonly mode?: "saga" | "atomic";
                    /**
                     * @default rollback
                     * @enum {unknown}
                     */
                    readonly onFailure?: "rollback" | "pause" | "keep";
                    /** @default 600000 */
                    readonly deadlineMs?: number;
                    readonly labels?: {
                        readonly [key: string]: string;
                    };
                    readonly subjects?: readonly string[];
                    /** @description the credential decides; another one is refused */
                    readonly tenant?: string;
                    readonly steps: readonly {
                        readonly id: string;
                        readonly capability: string;
                        /** @description as the capability has it; `{ "$ref": "#/steps/<id>/output<JSON Pointer>" }` stands for an output, `{ "$literal": x }` escapes */
                        readonly input?: Record<string, unknown>;
                        readonly dependsOn?: readonly string[];
                        /** @default 30000 */
                        readonly timeoutMs?: number;
                        readonly retry?: {
                            /** @default 1 */
                            readonly attemptsMax: number;
                        };
                    }[];
                };
            };
        };
        readonly responses: {
            /** @description the plan */
            readonly 200: {
                headers: {
                    /** @description the plan */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Plan"];
                };
            };
            /** @description it is still being made */
            readonly 202: {
                headers: {
                    /** @description where it will be */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PlanInTheMaking"];
                };
            };
        };
    };
    readonly getPlan: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the plan */
            readonly 200: {
                headers: {
                    /** @description the plan */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Plan"];
                };
            };
            /** @description it is still being made */
            readonly 202: {
                headers: {
                    /** @description where it will be */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["PlanInTheMaking"];
                };
            };
        };
    };
    readonly listWorkflows: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description with this status */
                readonly status?: "pending" | "awaitingApproval" | "running" | "paused" | "committing" | "completed" | "rollingBack" | "rolledBack" | "rollbackBlocked" | "redoing" | "rejected" | "failed" | "cancelled";
                /** @description of this agent */
                readonly agent?: string;
                /** @description `name=value`; more than one: all of them */
                readonly label?: readonly string[];
                /** @description created at or after */
                readonly createdFrom?: string;
                /** @description created before */
                readonly createdTo?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Workflow"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly beginTransaction: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description 1 to 255 printable ASCII characters: the same key and body are answered with the same transaction, marked `Idempotent-Replayed: true` */
                readonly "Idempotency-Key"?: string;
                /** @description W3C trace context, carried on to the acts */
                readonly traceparent?: string;
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @description what it is for */
                    readonly goal: string;
                    /**
                     * @default saga
                     * @enum {unknown}
                     */
                    readonly mode?: "saga";
                    /**
                     * @description it takes itself back when no step came for so long and nothing is pending
                     * @default 300000
                     */
                    readonly idleTimeoutMs?: number;
                    /**
                     * @description of the whole: not committed by then, it takes itself back
                     * @default 86400000
                     */
                    readonly deadlineMs?: number;
                    readonly labels?: {
                        readonly [key: string]: string;
                    };
                    readonly subjects?: readonly string[];
                    /** @description the credential decides; another one is refused */
                    readonly tenant?: string;
                };
            };
        };
        readonly responses: {
            /** @description the workflow, running and without steps */
            readonly 201: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    /** @description `true` for a repeat */
                    readonly "Idempotent-Replayed"?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly getWorkflow: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the workflow */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly listWorkflowEvents: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description live: only what came after this `id` */
                readonly "Last-Event-ID"?: string;
            };
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page of CloudEvents; or live `id` the sequence, `event` the type, `data` the CloudEvent */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["CloudEvent"][];
                        readonly next: string | null;
                    };
                };
            };
            /** @description live: it has ended and there is nothing after `Last-Event-ID` */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly rollbackWorkflow: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    /** @description why, for the record */
                    readonly reason?: string;
                    /** @description answers with what it would do, and does nothing */
                    readonly preview?: boolean;
                    /**
                     * @description what becomes of a step in whose place somebody else has changed something: it waits for a person, or is left standing
                     * @default block
                     * @enum {unknown}
                     */
                    readonly onConflict?: "block" | "skip";
                    /** @description of a preview: exactly what that showed is done, or nothing */
                    readonly digest?: string;
                };
            };
        };
        readonly responses: {
            /** @description `preview`: what it would do */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RollbackPreview"];
                };
            };
            /** @description ordered: the workflow */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly cancelWorkflow: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    /** @description why, for the record */
                    readonly reason?: string;
                };
            };
        };
        readonly responses: {
            /** @description ordered: the workflow */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly pauseWorkflow: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    /** @description why, for the record */
                    readonly reason?: string;
                };
            };
        };
        readonly responses: {
            /** @description ordered: the workflow */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly resumeWorkflow: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    /** @enum {unknown} */
                    readonly failedStep?: "retry" | "skip";
                };
            };
        };
        readonly responses: {
            /** @description ordered: the workflow */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly resolveStep: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
                readonly step: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @enum {unknown} */
                    readonly outcome: "succeeded" | "didNotHappen";
                    readonly output?: unknown;
                    /** @description how you know */
                    readonly reason: string;
                };
            };
        };
        readonly responses: {
            /** @description ordered: the workflow */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly addStep: {
        readonly parameters: {
            readonly query?: {
                /** @description for so many seconds at most, 30 unless given */
                readonly wait?: number;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly id: string;
                    readonly capability: string;
                    /** @description as the capability has it; `{ "$ref": "#/steps/<id>/output<JSON Pointer>" }` stands for an output, `{ "$literal": x }` escapes */
                    readonly input?: Record<string, unknown>;
                    readonly dependsOn?: readonly string[];
                    /** @default 30000 */
                    readonly timeoutMs?: number;
                    readonly retry?: {
                        /** @default 1 */
                        readonly attemptsMax: number;
                    };
                };
            };
        };
        readonly responses: {
            /** @description the step, which has ended or waits for a person */
            readonly 200: {
                headers: {
                    /** @description `true` for a repeat */
                    readonly "Idempotent-Replayed"?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Step"];
                };
            };
            /** @description the step, still under way */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    /** @description `true` for a repeat */
                    readonly "Idempotent-Replayed"?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Step"];
                };
            };
        };
    };
    readonly commitTransaction: {
        readonly parameters: {
            readonly query?: {
                /** @description for so many seconds at most, 30 unless given */
                readonly wait?: number;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": Record<string, unknown>;
            };
        };
        readonly responses: {
            /** @description it has ended, or waits for a person: the workflow */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
            /** @description the workflow, which waits for its last steps */
            readonly 202: {
                headers: {
                    /** @description the workflow */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Workflow"];
                };
            };
        };
    };
    readonly listCapabilities: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description of this adapter */
                readonly adapter?: string;
                /** @description of this reversibility */
                readonly reversibility?: "readOnly" | "reversible" | "compensable" | "irreversible";
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Capability"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly getCapability: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the capability */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Capability"];
                };
            };
        };
    };
    readonly listAgents: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description with this `name` */
                readonly name?: string;
                /** @description with this `owner` */
                readonly owner?: string;
                /** @description with this `status` */
                readonly status?: string;
                /** @description with this role */
                readonly role?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Agent"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly createAgent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly name: string;
                    /** @description who answers for it */
                    readonly owner: string;
                    readonly roles: readonly string[];
                    readonly limits?: {
                        readonly requestsPerMinute?: number;
                    };
                    readonly repeatWindowMs?: number | null;
                    /** @description a public key (RFC 7517): OKP Ed25519 or EC P-256 */
                    readonly publicKey?: Record<string, unknown>;
                };
            };
        };
        readonly responses: {
            /** @description the agent with its token */
            readonly 201: {
                headers: {
                    /** @description the agent */
                    readonly Location?: string;
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Agent"] & components["schemas"]["AgentWithToken"];
                };
            };
        };
    };
    readonly getAgent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen: 304 if it is still that */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the agent */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Agent"];
                };
            };
            /** @description it has not changed */
            readonly 304: {
                headers: {
                    /** @description the one that was sent */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly putAgent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
            };
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly name: string;
                    /** @description who answers for it */
                    readonly owner: string;
                    readonly roles: readonly string[];
                    readonly limits?: {
                        readonly requestsPerMinute?: number;
                    };
                    readonly repeatWindowMs?: number | null;
                };
            };
        };
        readonly responses: {
            /** @description the agent */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Agent"];
                };
            };
        };
    };
    readonly deleteAgent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
            };
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is gone */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly suspendAgent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    readonly reason?: string;
                };
            };
        };
        readonly responses: {
            /** @description the agent */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Agent"];
                };
            };
        };
    };
    readonly resumeAgent: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    readonly reason?: string;
                };
            };
        };
        readonly responses: {
            /** @description the agent */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Agent"];
                };
            };
        };
    };
    readonly issueToken: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    readonly ttlDays?: number;
                };
            };
        };
        readonly responses: {
            /** @description the token */
            readonly 201: {
                headers: {
                    /** @description the token */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Token"];
                };
            };
        };
    };
    readonly revokeToken: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
                readonly tokenId: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is gone */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listKeys: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description its keys; when they were used last is known to the hour */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Key"][];
                        readonly revoked: readonly components["schemas"]["RevokedKey"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly registerKey: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly kid: string;
                    /** @description a public key (RFC 7517): OKP Ed25519 or EC P-256 */
                    readonly jwk: Record<string, unknown>;
                };
            };
        };
        readonly responses: {
            /** @description the key */
            readonly 201: {
                headers: {
                    /** @description the key */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Key"];
                };
            };
        };
    };
    readonly getKey: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
                readonly kid: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the key */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Key"];
                };
            };
        };
    };
    readonly removeKey: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
                readonly kid: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is gone */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listTenants: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Tenant"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly getTenant: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen: 304 if it is still that */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the tenant */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Tenant"];
                };
            };
            /** @description it has not changed */
            readonly 304: {
                headers: {
                    /** @description the one that was sent */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly putTenant: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
                /** @description `*`: must be new */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": {
                    /** @description for people */
                    readonly name?: string;
                    readonly labels?: {
                        readonly [key: string]: string;
                    };
                };
            };
        };
        readonly responses: {
            /** @description the tenant */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Tenant"];
                };
            };
            /** @description the tenant */
            readonly 201: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    /** @description the tenant */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Tenant"];
                };
            };
        };
    };
    readonly deleteTenant: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is gone */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listConnections: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description of this adapter */
                readonly adapter?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Connection"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly getConnection: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen: 304 if it is still that */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the connection */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Connection"];
                };
            };
            /** @description it has not changed */
            readonly 304: {
                headers: {
                    /** @description the one that was sent */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly putConnection: {
        readonly parameters: {
            readonly query?: {
                /** @description `false`: do not look at the target */
                readonly probe?: boolean;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
                /** @description `*`: must be new */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly adapter: string;
                    /** @description os: `{ root }` */
                    readonly config: Record<string, unknown>;
                    /** @description `env:NAME`, `file:/path` or `vault:path#field` per name */
                    readonly secretRefs?: {
                        readonly [key: string]: string;
                    };
                    readonly labels?: {
                        readonly [key: string]: string;
                    };
                };
            };
        };
        readonly responses: {
            /** @description the connection */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Connection"];
                };
            };
            /** @description the connection */
            readonly 201: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    /** @description the connection */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Connection"];
                };
            };
        };
    };
    readonly deleteConnection: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is gone */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listRoles: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Role"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly getRole: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen: 304 if it is still that */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the role */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Role"];
                };
            };
            /** @description it has not changed */
            readonly 304: {
                headers: {
                    /** @description the one that was sent */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly putRole: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
                /** @description `*`: must be new */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly capabilities: readonly string[];
                    readonly connections?: readonly string[];
                };
            };
        };
        readonly responses: {
            /** @description the role */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Role"];
                };
            };
            /** @description the role */
            readonly 201: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    /** @description the role */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Role"];
                };
            };
        };
    };
    readonly deleteRole: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is gone */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listPolicies: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Policy"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly getPolicySchema: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the schema */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, unknown>;
                };
            };
        };
    };
    readonly validatePolicy: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @description Cedar policies */
                    readonly cedar?: string;
                    readonly name?: string;
                    readonly version?: number;
                };
            };
        };
        readonly responses: {
            /** @description it is valid */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Validation"];
                };
            };
        };
    };
    readonly activatePolicy: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly name: string;
                    readonly version: number;
                };
            };
        };
        readonly responses: {
            /** @description the policy */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Policy"];
                };
            };
        };
    };
    readonly getPolicy: {
        readonly parameters: {
            readonly query?: {
                /** @description this version */
                readonly version?: number;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen: 304 if it is still that */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the policy */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Policy"];
                };
            };
            /** @description it has not changed */
            readonly 304: {
                headers: {
                    /** @description the one that was sent */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly putPolicy: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
                /** @description `*`: must be new */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @description Cedar policies */
                    readonly cedar: string;
                };
            };
        };
        readonly responses: {
            /** @description the policy */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Policy"];
                };
            };
            /** @description the policy */
            readonly 201: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    /** @description the policy */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Policy"];
                };
            };
        };
    };
    readonly deletePolicy: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is gone */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listKillSwitches: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["KillSwitch"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly getKillSwitch: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen: 304 if it is still that */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the kill switch */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["KillSwitch"];
                };
            };
            /** @description it has not changed */
            readonly 304: {
                headers: {
                    /** @description the one that was sent */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly engageKillSwitch: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
                /** @description `*`: must be new */
                readonly "If-None-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly scope: {
                        /** @enum {unknown} */
                        readonly kind: "all" | "agent";
                        /** @description of the agent */
                        readonly id?: string;
                    };
                    readonly reason: string;
                    readonly rollback?: boolean;
                    readonly includeUndo?: boolean;
                };
            };
        };
        readonly responses: {
            /** @description the kill switch */
            readonly 200: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["KillSwitch"];
                };
            };
            /** @description the kill switch */
            readonly 201: {
                headers: {
                    /** @description its revision */
                    readonly ETag?: string;
                    /** @description the kill switch */
                    readonly Location?: string;
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["KillSwitch"];
                };
            };
        };
    };
    readonly liftKillSwitch: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the ETag that was seen */
                readonly "If-Match"?: string;
            };
            readonly path: {
                readonly name: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it is lifted */
            readonly 204: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listAuditEntries: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description of this agent */
                readonly agent?: string;
                /** @description of this workflow */
                readonly workflow?: string;
                /** @description of this event type */
                readonly type?: string;
                /** @description that touch this resource */
                readonly resource?: string;
                /** @description at or after this time */
                readonly from?: string;
                /** @description before this time */
                readonly to?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["AuditEntry"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly getAuditEntry: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly index: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the entry */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["AuditEntry"];
                };
            };
        };
    };
    readonly getCheckpoint: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a signed note */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
        };
    };
    readonly getTile: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description 0 to 63, or `entries` */
                readonly level: string;
                /** @description in groups of three digits, all but the last with an `x`: `x001/x234/067`; a partial tile ends in `.p/<width>` */
                readonly index: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description its bytes */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/octet-stream": string;
                };
            };
        };
    };
    readonly getInclusionProof: {
        readonly parameters: {
            readonly query: {
                /** @description of the entry */
                readonly index: number;
                /** @description of the log, the newest checkpoint's unless given */
                readonly size?: number;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the proof */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["InclusionProof"];
                };
            };
        };
    };
    readonly getConsistencyProof: {
        readonly parameters: {
            readonly query: {
                /** @description the smaller size */
                readonly from: number;
                /** @description the larger size */
                readonly to: number;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the proof */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ConsistencyProof"];
                };
            };
        };
    };
    readonly listAuditKeys: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the keys */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["AuditKeys"];
                };
            };
        };
    };
    readonly exportAudit: {
        readonly parameters: {
            readonly query?: {
                /** @description at or after this time */
                readonly from?: string;
                /** @description before this time */
                readonly to?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a JCS document, a newline, a signature line */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/octet-stream": string;
                };
            };
        };
    };
    readonly listLocks: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description held by this workflow */
                readonly workflow?: string;
                /** @description on this resource */
                readonly resource?: string;
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["Lock"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly breakLock: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @description why */
                    readonly reason: string;
                };
            };
        };
        readonly responses: {
            /** @description the lock as it was */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Lock"];
                };
            };
        };
    };
    readonly listDeadLetters: {
        readonly parameters: {
            readonly query?: {
                /** @description how many at most, 50 unless given */
                readonly limit?: number;
                /** @description `next` of the page before */
                readonly cursor?: string;
                /** @description with this status */
                readonly status?: "parked" | "replayed" | "discarded";
                /** @description of this service */
                readonly service?: "gateway" | "orchestrator" | "policy" | "audit" | "adapter-os" | "adapter-sql";
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description a page */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly items: readonly components["schemas"]["DeadLetter"][];
                        readonly next: string | null;
                    };
                };
            };
        };
    };
    readonly replayDeadLetter: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": Record<string, unknown>;
            };
        };
        readonly responses: {
            /** @description what came of it */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, unknown>;
                };
            };
        };
    };
    readonly discardDeadLetter: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: never;
            readonly path: {
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: {
            readonly content: {
                readonly "application/json": Record<string, unknown>;
            };
        };
        readonly responses: {
            /** @description what came of it */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, unknown>;
                };
            };
        };
    };
    readonly callMcp: {
        readonly parameters: {
            readonly query?: {
                /** @description the administrator picks another tenant than `default` */
                readonly tenant?: string;
            };
            readonly header?: {
                /** @description the revision that the client speaks */
                readonly "MCP-Protocol-Version"?: string;
                /** @description W3C trace context; `_meta.traceparent` of the message goes before it */
                readonly traceparent?: string;
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    /** @constant */
                    readonly jsonrpc: "2.0";
                };
            };
        };
        readonly responses: {
            /** @description the answer; as `text/event-stream` where notifications may go before it */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        /** @constant */
                        readonly jsonrpc: "2.0";
                    };
                    readonly "text/event-stream": string;
                };
            };
            /** @description a notification was taken */
            readonly 202: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly isLive: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description it does */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        /** @enum {unknown} */
                        readonly status: "live";
                    };
                };
            };
        };
    };
    readonly isReady: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description every part does */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    readonly getMetrics: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description metrics */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
        };
    };
    readonly getOpenapi: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the document */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, unknown>;
                };
            };
        };
    };
    readonly getOpenapiOfVersion: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the document */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, unknown>;
                };
            };
        };
    };
    readonly getAsyncapi: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the document */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, unknown>;
                };
            };
        };
    };
    readonly getAsyncapiOfVersion: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description the document */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, unknown>;
                };
            };
        };
    };
}
