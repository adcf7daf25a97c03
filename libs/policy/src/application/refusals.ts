import type { Problem } from '@aifirst/kernel';
import { Refusal } from '@aifirst/kernel';

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;

export const invalidField = (pointer: string, detail: string): Problem => ({ code: 'INVALID_FIELD', detail, pointer });

/** @throws Refusal INVALID_FIELD */
export function checkName(name: unknown): void {
  if (typeof name !== 'string' || !NAME.test(name)) throw new Refusal(invalidField('/name', 'a name is 1 to 64 letters, digits, `_`, `.` and `-`'));
}
export function refuseIfAny(problems: readonly Problem[]): void {
  const [first, ...rest] = problems;
  if (first !== undefined) throw new Refusal([first, ...rest]);
}
export const notFound = (what: string, name: string): Refusal => new Refusal({ code: 'NOT_FOUND', detail: `there is no ${what} \`${name}\`` });

/** @param current null: it is not there @throws Refusal PRECONDITION_FAILED */
export function checkRevision(expected: number | undefined, current: number | null): void {
  if (expected === undefined || expected === (current ?? 0)) return;
  const detail = current === null ? 'there is no such thing (any more)' : expected === 0 ? 'it is there already' : `it is at revision ${current} now`;
  throw new Refusal({ code: 'PRECONDITION_FAILED', detail }, { revision: current ?? 0 });
}

/** Sorted by name, after `after`. */
export function pageOf<A>(all: Iterable<readonly [string, A]>, page: { readonly limit: number; readonly after?: string }): (readonly [string, A])[] {
  const { after, limit } = page;
  return [...all].filter(([name]) => after === undefined || name > after).sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, limit);
}
