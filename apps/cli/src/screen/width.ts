import { Shown } from './shown';

/** Unicode's East Asian Width W and F, in blocks: what takes two columns. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f], [0x2329, 0x232a], [0x2e80, 0x303e], [0x3041, 0x33ff], [0x3400, 0x4dbf], [0x4e00, 0x9fff], [0xa000, 0xa4cf], [0xa960, 0xa97f], [0xac00, 0xd7a3], [0xf900, 0xfaff],
  [0xfe10, 0xfe19], [0xfe30, 0xfe6f], [0xff01, 0xff60], [0xffe0, 0xffe6], [0x16fe0, 0x18dff], [0x1aff0, 0x1b2ff], [0x1f200, 0x1f265], [0x20000, 0x3fffd],
];
const ASCII = /^[\x20-\x7e]*$/;
const NO_WIDTH = /^[\p{Mn}\p{Me}\u200c\u200d]+$/u;
const EMOJI = /\p{Emoji_Presentation}|\ufe0f/u;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Columns that a terminal takes for it. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

function widthOfGrapheme(segment: string): number {
  if (NO_WIDTH.test(segment)) return 0;
  const code = segment.codePointAt(0)!;
  return EMOJI.test(segment) || WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

/** At most so many columns, the last of them `…` where something was left out. */
export function cut(shown: Shown, width: number): Shown {
  if (widthOf(shown.plain) <= width) return shown;
  const spans = [];
  let left = width - 1;
  for (const { text, styles } of shown.spans) {
    let kept = '';
    for (const { segment } of graphemes.segment(text)) {
      const needed = widthOfGrapheme(segment);
      if (needed > left) { left = -1; break; }
      left -= needed;
      kept += segment;
    }
    if (kept !== '') spans.push({ text: kept, styles });
    if (left < 0) break;
  }
  return new Shown([...spans, { text: '…', styles: [] }]);
}

export function padded(shown: Shown, width: number, align: 'left' | 'right' = 'left'): Shown {
  const missing = width - widthOf(shown.plain);
  if (missing <= 0) return shown;
  const space = { text: ' '.repeat(missing), styles: [] };
  return new Shown(align === 'left' ? [...shown.spans, space] : [space, ...shown.spans]);
}
