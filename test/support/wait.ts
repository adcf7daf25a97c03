/** Waits for a condition, never for a duration. */
export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

export async function until<T>(what: string, found: () => Promise<T | undefined | false | null> | T | undefined | false | null, withinMs = 20_000, everyMs = 25,
  /** Errors that end the waiting; all others are waited out. */
  fatal: (new (...args: never[]) => Error) | null = null): Promise<T> {
  const endsAtMs = Date.now() + withinMs;
  let last = '';
  for (;;) {
    try {
      const value = await found();
      if (value !== undefined && value !== false && value !== null) return value;
      last = '';
    } catch (error) {
      if (fatal !== null && error instanceof fatal) throw error;
      last = ` (last: ${error instanceof Error ? error.message : String(error)})`;
    }
    if (Date.now() > endsAtMs) throw new Error(`not within ${withinMs} ms: ${what}${last}`);
    await pause(everyMs);
  }
}

/** A size from the environment: the default is what every check runs, a larger one what a release runs. */
export function sizeOf(variable: string, fallback: number): number {
  const given = process.env[variable];
  return given === undefined || given === '' ? fallback : Number(given);
}
