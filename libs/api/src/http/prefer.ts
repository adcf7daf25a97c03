/** RFC 7240 `wait`, at most this. */
export const WAIT_S_MAX = 60;

/** @returns how long the caller would wait, in seconds; 0: not at all. What can't be read is no preference. */
export function waitOf(prefer: string | undefined): number {
  if (prefer === undefined) return 0;
  const found = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?/i.exec(prefer);
  return found === null ? 0 : Math.min(Number(found[1]), WAIT_S_MAX);
}
