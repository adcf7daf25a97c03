/** An output rides sealed in one message of at most 2 MiB (docs/architecture.md). */
export const OUTPUT_BYTES_MAX = 1_048_576;
export const OUTPUT_ROWS_MAX = 10_000;
/** Of one connection in one process; each holds a server process of the target. */
export const POOL_CLIENTS_MAX = 4;
export const POOL_IDLE_MS = 30_000;
export const CONNECT_MS_MAX = 5_000;
/** How long a statement, an undo or a probe waits for rows that somebody else holds. */
export const LOCK_MS_MAX = 5_000;
/** The server ends a transaction that has heard nothing of us for so long: a client that vanished holds its rows no longer than that. */
export const IDLE_IN_TRANSACTION_MS_MAX = 30_000;
/** The same of a transaction in mode `atomic`, which waits for other steps of its workflow. */
export const IDLE_BETWEEN_STEPS_MS_MAX = 600_000;
/** Of what the adapter runs itself: installing, probing, undoing, forgetting. */
export const OWN_STATEMENT_MS_MAX = 60_000;
export const PREVIEW_ROWS_MAX = 50;
export const PREVIEW_BYTES_MAX = 131_072;
/** Sequences that a preview may shield; each is locked for its while. */
export const PREVIEW_SEQUENCES_MAX = 64;
