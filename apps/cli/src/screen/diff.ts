import { contentLine, type Shown } from './shown';

const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/**
 * A unified diff, line by line. What is a header and what content is told by the counts of the hunk, so that a removed
 * line `-- x` is not taken for a file's name.
 */
export function colouredDiff(diff: string): readonly Shown[] {
  const lines = diff.split('\n');
  if (lines.at(-1) === '') lines.pop();
  let [before, after] = [0, 0];
  return lines.map(text => {
    if (before > 0 || after > 0) {
      if (text.startsWith('+')) { after--; return contentLine(text, 'green'); }
      if (text.startsWith('-')) { before--; return contentLine(text, 'red'); }
      if (text.startsWith('\\')) return contentLine(text, 'dim');
      before--; after--;
      return contentLine(text);
    }
    const hunk = HUNK.exec(text);
    if (hunk !== null) {
      [before, after] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
      return contentLine(text, 'cyan');
    }
    return contentLine(text, text.startsWith('\\') ? 'dim' : 'bold');
  });
}
