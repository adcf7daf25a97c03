/** What an intent may be at most. Each number is part of the promise or bounds what one caller can cost everybody. */
const DAY_MS = 24 * 60 * 60 * 1000;

export const BODY_BYTES_MAX = 1024 * 1024;
export const DEPTH_MAX = 64;
/** Why: 1,000 steps with every field and a reference each hold about 12,000 keys; no intent within a megabyte needs many more. */
export const KEYS_MAX = 32_768;

export const GOAL_BYTES_MAX = 4096;
export const STEPS_MAX = 1000;
export const LABELS_MAX = 64;
export const LABEL_NAME_BYTES_MAX = 128;
export const LABEL_VALUE_BYTES_MAX = 1024;
export const SUBJECTS_MAX = 100;
export const SUBJECT_BYTES_MAX = 256;
export const DEADLINE_MS = { min: 1, max: 30 * DAY_MS, default: 600_000 } as const;
/** Of an interactive transaction as a whole: a session of work, not a lease for ever. */
export const TRANSACTION_DEADLINE_MS = { min: 1, max: 30 * DAY_MS, default: DAY_MS } as const;
/** How long one may say nothing to an interactive transaction. */
export const IDLE_TIMEOUT_MS = { min: 1_000, max: DAY_MS, default: 300_000 } as const;
export const TIMEOUT_MS = { min: 1, max: DAY_MS, default: 30_000 } as const;
export const ATTEMPTS = { min: 1, max: 20, default: 1 } as const;

export const PATH_BYTES_MAX = 4096;
export const PATH_PART_BYTES_MAX = 255;
/** Why: an intent that is wrong a thousand times over is as well described by the first hundred. */
export const PROBLEMS_MAX = 100;
