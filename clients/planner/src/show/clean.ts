/**
 * What drives a terminal or hides from a reader: control characters (ESC, the C1 range, DEL), those that change the
 * direction of text or can't be seen, line separators, lone surrogates. The two joiners stay: scripts and emoji need them.
 */
const UNSAFE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u2800\u3164\uffa0\u115f\u1160]/gu;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  return NAMED[character] ?? (code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`);
}

/** The same text in one line that drives nothing: what can't be seen is written out. @param max characters; what is cut is told */
export function clean(text: string, max = 2_000): string {
  const characters = Array.from(text.length > max * 2 ? text.slice(0, max * 2) : text);
  const cut = text.length - characters.slice(0, max).join('').length;
  return characters.slice(0, max).join('').replace(UNSAFE, escaped) + (cut > 0 ? ` … (${cut} more characters)` : '');
}

/** As `clean`, with tabs as spaces: a line of a file. */
export const cleanLine = (text: string, max = 500): string => clean(text.replaceAll('\t', '    '), max);
