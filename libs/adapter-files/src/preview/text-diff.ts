import { isUtf8 } from 'node:buffer';
import { FILE_HEADERS_ONLY, formatPatch, structuredPatch, type StructuredPatch } from 'diff';

/** What is larger is not compared. */
export const DIFF_BYTES_MAX = 1024 * 1024;
/** Finding a diff takes time with the square of its length; more than this is not shown anyway. */
const EDITS_MAX = 1_000;
/** Where two texts differ in more, so many lines from the first difference on are compared. */
const WINDOW_LINES = 400;
const CONTEXT_LINES = 3;

export interface DiffBudget { lines: number; bytes: number }

/**
 * A unified diff, cut to the budget, which it takes from; null for what is no text (UTF-8 without NUL), too large or the same.
 * A side that is null is not there. `content` undefined: it was too large to be read.
 */
export function textDiff(path: string, before: Buffer | null | undefined, after: Buffer | null | undefined, budget: DiffBudget): { readonly diff: string | null; readonly truncated: boolean } {
  if (before === undefined || after === undefined) return { diff: null, truncated: true };
  if ([before, after].some(side => side !== null && side.length > DIFF_BYTES_MAX)) return { diff: null, truncated: true };
  if ([before, after].some(side => side !== null && (!isUtf8(side) || side.includes(0)))) return { diff: null, truncated: false };
  const a = before?.toString('utf8') ?? '', b = after?.toString('utf8') ?? '';
  if (a === b) return { diff: null, truncated: false };
  if (budget.lines <= 0 || budget.bytes <= 0) return { diff: null, truncated: true };
  const names = [before === null ? '/dev/null' : `a/${path}`, after === null ? '/dev/null' : `b/${path}`] as const;
  const whole = structuredPatch(...names, a, b, undefined, undefined, { context: CONTEXT_LINES, maxEditLength: EDITS_MAX });
  return cut(formatPatch(whole ?? firstDifference(names, a, b), FILE_HEADERS_ONLY), whole === undefined, budget);
}

function firstDifference(names: readonly [string, string], a: string, b: string): StructuredPatch {
  const [old, now] = [a.split('\n'), b.split('\n')];
  let same = 0;
  while (same < old.length && old[same] === now[same]) same++;
  const from = Math.max(0, same - CONTEXT_LINES);
  const window = (lines: readonly string[]): string => lines.slice(from, from + WINDOW_LINES).join('\n') + (lines.length > from + WINDOW_LINES ? '\n' : '');
  const patch = structuredPatch(...names, window(old), window(now), undefined, undefined, { context: CONTEXT_LINES });
  return { ...patch, hunks: patch.hunks.map(hunk => ({ ...hunk, oldStart: hunk.oldStart + from, newStart: hunk.newStart + from })) };
}

function cut(text: string, isPart: boolean, budget: DiffBudget): { readonly diff: string; readonly truncated: boolean } {
  const lines = text.replace(/\n$/, '').split('\n');
  const shown: string[] = [];
  for (const line of lines) {
    if (budget.lines <= 0 || budget.bytes <= 0) break;
    const bytes = Buffer.from(`${line}\n`);
    // Why the last character may go: the cut may have come in the middle of it.
    shown.push(bytes.length <= budget.bytes ? line : bytes.subarray(0, budget.bytes).toString('utf8').replace(/\ufffd$/, ''));
    budget.lines--;
    budget.bytes -= bytes.length;
  }
  return { diff: `${shown.join('\n')}\n`, truncated: isPart || shown.length < lines.length || budget.bytes < 0 };
}
