/** 0: done, completed, or planned and no more was asked for. 1: refused, declined, given up, or it ended otherwise. 2: wrong usage. 3: server or model can't be reached. 130: interrupted. */
export const EXIT = { ok: 0, otherwise: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
  /** Which of them a person sits at. */
  readonly terminal: { readonly input: boolean; readonly out: boolean; readonly err: boolean };
  /** The next line that is typed after the question has been shown; null: there are no more. What was typed before is no answer. */
  ask(show: () => void): Promise<string | null>;
  /** Tells when somebody presses Ctrl-C. @returns how to have it end the process again */
  onInterrupt(listener: () => void): () => void;
}

/** Said in one line, with the usage. */
export class WrongUsage extends Error {}
