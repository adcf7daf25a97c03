import { CannotDo } from '@aifirst/execution';
import { applyPatch, parsePatch, type StructuredPatch, type StructuredPatchHunk } from 'diff';

export const PATCH_BYTES_MAX = 1024 * 1024;
/** Lines compared before a search is given up: about a second at worst. */
const COMPARISONS_MAX = 5_000_000;

/**
 * Applies a unified diff of one file. A hunk belongs where its header says (moved along with the hunks before it), else at
 * the only place where all its lines are found as they are; where there is none, or several, nothing is applied. A diff
 * with the other kind of line ends than a file that has one kind only is taken as if it had that one; a missing newline at
 * the end stays missing unless the diff says otherwise. Names in its headers are not looked at.
 * @throws CannotDo `INVALID_INPUT` for what is no such diff, `TARGET_CHANGED` naming the hunk that does not apply
 */
export function patchText(source: string, patch: string): string {
  const hunks = parsed(patch).hunks;
  const unix = /(^|[^\r])\n/.test(source), windows = source.includes('\r\n');
  // Why there and back: so the last line, which has no end, is told from the others by neither.
  if (windows && !unix && !hunks.some(isWindowsSomewhere)) return apply(source.replaceAll('\r\n', '\n'), hunks).replaceAll('\n', '\r\n');
  return apply(source, unix && !windows ? withoutReturns(hunks) : hunks);
}

function apply(source: string, hunks: readonly StructuredPatchHunk[]): string {
  const budget = { left: COMPARISONS_MAX };
  const isSame = (a: string | undefined, b: string): boolean => {
    if (budget.left-- === 0) throw refusal('the patch', 'can\'t be found a place for in reasonable time');
    return a === b;
  };
  const placed = placeHunks(source, hunks, isSame);
  const file = { oldFileName: '', newFileName: '', oldHeader: '', newHeader: '', hunks: placed };
  const result = applyPatch(source, file, { fuzzFactor: 0, autoConvertLineEndings: false, compareLine: (_line, found, _operation, expected) => isSame(found, expected) });
  if (result === false) throw refusal(nameOf(placed.length - 1, hunks), 'says otherwise than the file about the newline at its end');
  return result;
}

const invalid = (what: string): CannotDo => new CannotDo('INVALID_INPUT', `\`patch\` ${what}`);
const refusal = (which: string, why: string): CannotDo => new CannotDo('TARGET_CHANGED', `${which} does not apply: it ${why}`);
const nameOf = (index: number, hunks: readonly StructuredPatchHunk[]): string =>
  `hunk ${index + 1} of ${hunks.length} (for line ${hunks[index]!.oldStart})`;

function parsed(patch: string): StructuredPatch {
  if (Buffer.byteLength(patch) > PATCH_BYTES_MAX) throw new CannotDo('TOO_LARGE', `\`patch\` has more than ${PATCH_BYTES_MAX} bytes`);
  if (/\p{Surrogate}/u.test(patch)) throw invalid('holds a lone surrogate');
  let files: StructuredPatch[];
  try {
    files = parsePatch(patch);
  } catch (error) {
    // Why not the message: it quotes the patch.
    const line = error instanceof Error ? /at line (\d+)/i.exec(error.message)?.[1] : undefined;
    throw invalid(`is no unified diff${line === undefined ? '' : `: see the hunk at its line ${line}`}`);
  }
  const [file, ...others] = files;
  if (others.length > 0) throw invalid('is about more than one file');
  if (file?.isBinary === true) throw invalid('is about bytes, not text');
  if (file?.isRename === true || file?.isCopy === true || file?.isCreate === true || file?.isDelete === true || file?.newMode !== undefined) {
    throw invalid('makes, removes, renames or copies a file or changes its mode: there are capabilities for each of these');
  }
  if (file === undefined || file.hunks.length === 0) throw invalid('has no hunk');
  if (file.hunks.some(({ oldStart, newStart }) => !Number.isSafeInteger(oldStart) || !Number.isSafeInteger(newStart))) throw invalid('has a hunk without line numbers');
  const lines = patch.trimEnd().split('\n');
  const read = file.hunks.reduce((sum, hunk) => sum + 1 + hunk.lines.length, 0);
  // Why: the parser passes over what it does not know, and a change must not be passed over.
  if (lines.length - lines.findIndex(line => line.startsWith('@@ ')) > read) throw invalid('holds something else between or after its hunks');
  if (file.hunks.slice(0, -1).some(({ lines }) => lines.some(line => line.startsWith('\\')))) throw invalid('speaks of the end of the file before its last hunk');
  return file;
}

/** The line has an end, so it shows of which kind: the one before "\ No newline at end of file" has none. */
const isEnded = (lines: readonly string[], index: number): boolean => !lines[index]!.startsWith('\\') && lines[index + 1]?.startsWith('\\') !== true;
const isWindowsSomewhere = ({ lines }: StructuredPatchHunk): boolean => lines.some((line, index) => line.endsWith('\r') && isEnded(lines, index));

/** Without the carriage returns of a diff that has them throughout. */
function withoutReturns(hunks: readonly StructuredPatchHunk[]): readonly StructuredPatchHunk[] {
  const ended = hunks.flatMap(({ lines }) => lines.filter((_, index) => isEnded(lines, index)));
  if (ended.length === 0 || !ended.every(line => line.endsWith('\r'))) return hunks;
  return hunks.map(hunk => ({ ...hunk, lines: hunk.lines.map(line => line.replace(/\r$/, '')) }));
}

/** The hunks, each with the line it is found at. */
function placeHunks(source: string, hunks: readonly StructuredPatchHunk[], isSame: (a: string | undefined, b: string) => boolean): StructuredPatchHunk[] {
  const lines = source.split('\n');
  const endsWithNewline = lines.at(-1) === '';
  const count = endsWithNewline ? lines.length - 1 : lines.length;
  let from = 0;
  let moved = 0;
  return hunks.map((hunk, index) => {
    const old = hunk.lines.filter(line => !line.startsWith('+') && !line.startsWith('\\')).map(line => line.slice(1));
    const marker = hunk.lines.findIndex(line => line.startsWith('\\'));
    const fits = (at: number): boolean => at >= from && at + old.length <= count
      && (marker < 0 || (at + old.length === count && !(hunk.lines[marker - 1]?.startsWith(' ') === true && endsWithNewline)))
      && old.every((line, offset) => isSame(lines[at + offset], line));
    const stated = hunk.oldStart - 1 + moved;
    const at = fits(stated) ? stated : onlyPlace(old, from, count, fits, nameOf(index, hunks));
    // Why: what stands unchanged at a hunk's end may stand at the start of the next one too.
    from = at + old.length - trailingContext(hunk.lines);
    moved = at + 1 - hunk.oldStart;
    return { ...hunk, oldStart: at + 1 };
  });
}

function trailingContext(lines: readonly string[]): number {
  const body = lines.filter(line => !line.startsWith('\\'));
  return body.length - 1 - body.findLastIndex(line => line.startsWith('+') || line.startsWith('-'));
}

function onlyPlace(old: readonly string[], from: number, count: number, fits: (at: number) => boolean, name: string): number {
  if (old.length === 0) throw refusal(name, 'has no line to be found by, and is for a line the file does not have');
  let found: number | null = null;
  for (let at = from; at + old.length <= count; at++) {
    if (!fits(at)) continue;
    if (found !== null) throw refusal(name, 'fits in several places, none of them where it says');
    found = at;
  }
  if (found === null) throw refusal(name, 'has lines that are not there as it says');
  return found;
}
