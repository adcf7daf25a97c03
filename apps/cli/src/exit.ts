/** 0: done, verified. 1: tampered. 2: what was asked makes no sense, or can't be done here and now. */
export const EXIT = { ok: 0, tampered: 1, usage: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Said in one line, without a stack. */
export class CannotDo extends Error {}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
}
