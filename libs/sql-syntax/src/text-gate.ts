import { problem } from './problem';
import type { KindOfProblem } from './statement';

/** Bytes of UTF-8. Above it the parser takes tens of milliseconds, and nobody reads what is to be approved. */
export const STATEMENT_BYTES_MAX = 65_536;

/** What is wrong with a text before it is parsed. */
export function problemOfText(text: string): KindOfProblem | null {
  if (text.length > STATEMENT_BYTES_MAX || Buffer.byteLength(text) > STATEMENT_BYTES_MAX) {
    return problem('size', `a statement has at most ${STATEMENT_BYTES_MAX} bytes: pass data as parameters`);
  }
  if (text.trim() === '') return problem('statements', 'there is no statement');
  const nul = text.indexOf('\0');
  // Why: a parser in C ends there, and would not see what follows.
  if (nul >= 0) return problem('text', 'a NUL character is not allowed', nul);
  const surrogate = text.search(/\p{Cs}/u);
  if (surrogate >= 0) return problem('text', 'half of a surrogate pair is not a character', surrogate);
  const hint = text.indexOf('/*+');
  // Why also inside of strings: an extension that reads hints finds them by the letters alone, and a hint can change settings.
  if (hint >= 0) return problem('text', 'hints to the planner (`/*+`) are not allowed', hint);
  return null;
}
