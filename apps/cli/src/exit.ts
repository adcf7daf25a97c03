/**
 * 0: done; verified; the workflow ended as was wanted. 1: the server refused, the workflow ended otherwise, the log was
 * tampered with. 2: what was asked makes no sense, or can't be done here. 3: the server can't be reached. 130: interrupted.
 */
export const EXIT = { ok: 0, tampered: 1, refused: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Said in one line, without a stack. */
export class CannotDo extends Error {
  constructor(message: string, readonly exitCode: ExitCode = EXIT.usage) { super(message); }
}

/** No answer, or none that a server of ours gives. */
export class Unreachable extends CannotDo {
  constructor(message: string) { super(message, EXIT.unreachable); }
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
  /** Which of standard output and standard error is a terminal, and how wide it is. Absent: neither. */
  readonly terminal?: { readonly out: boolean; readonly err: boolean; readonly columns: number | undefined };
  /** All of standard input; null: it is a terminal, where nobody would know that we wait. Absent: there is none. */
  readonly input?: () => Promise<Uint8Array> | null;
  /** Tells when somebody presses Ctrl-C. @returns how to have it end the process again */
  readonly onInterrupt?: (listener: () => void) => () => void;
}
