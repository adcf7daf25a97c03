import { styleText } from 'node:util';

export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'dim' | 'bold';
interface Span { readonly text: string; readonly styles: readonly Style[] }

/**
 * What drives a terminal or hides from a reader: control characters (ESC, the C1 range, DEL), those that change the
 * direction of text or can't be seen, line separators, lone surrogates. The two joiners stay: scripts and emoji need them.
 */
export const UNSAFE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The same text with everything written out that is `UNSAFE`: it is one line and drives nothing. */
export const safe = (text: string): string => text.replace(UNSAFE, escaped);
/** As `safe`, with tabs as they are: for lines of files. */
export const safeLine = (text: string): string => text.replace(UNSAFE, character => (character === '\t' ? '\t' : escaped(character)));
/** As `safe`, with tabs and line ends as they are. */
export const safeLines = (text: string): string => text.replace(UNSAFE, character => (character === '\n' || character === '\t' ? character : escaped(character)));

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  return NAMED[character] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`);
}

/** A line to show: made of safe text only, coloured when it is shown, if at all. */
export class Shown {
  constructor(readonly spans: readonly Span[]) {}
  get plain(): string { return this.spans.map(({ text }) => text).join(''); }
  render(colours: boolean): string {
    // Why validateStream: whether there are colours was decided before, for the stream that it goes to.
    return this.spans.map(({ text, styles }) => (colours && styles.length > 0 && text !== '' ? styleText([...styles], text, { validateStream: false }) : text)).join('');
  }
}

export type Cell = string | number | Shown;
const spansOf = (value: Cell): readonly Span[] => (value instanceof Shown ? value.spans : [{ text: safe(String(value)), styles: [] }]);

/** `line`…${x}`: what is filled in is made safe, unless it is a line already. */
export function line(texts: TemplateStringsArray, ...values: readonly Cell[]): Shown {
  return new Shown(texts.flatMap((text, index) => [...(text === '' ? [] : [{ text, styles: [] }]), ...(index < values.length ? spansOf(values[index]!) : [])]));
}
export const styled = (value: Cell, ...styles: readonly Style[]): Shown => new Shown(spansOf(value).map(span => ({ text: span.text, styles: [...styles, ...span.styles] })));
export const shownOf = (value: Cell): Shown => (value instanceof Shown ? value : new Shown(spansOf(value)));
/** A line of a file: its tabs stay. */
export const contentLine = (text: string, ...styles: readonly Style[]): Shown => new Shown([{ text: safeLine(text), styles }]);
export const joined = (parts: readonly Cell[], between = ' '): Shown => new Shown(parts.flatMap((part, index) => [...(index === 0 ? [] : [{ text: between, styles: [] }]), ...spansOf(part)]));

export const red = (value: Cell): Shown => styled(value, 'red');
export const green = (value: Cell): Shown => styled(value, 'green');
export const yellow = (value: Cell): Shown => styled(value, 'yellow');
export const cyan = (value: Cell): Shown => styled(value, 'cyan');
export const dim = (value: Cell): Shown => styled(value, 'dim');
export const bold = (value: Cell): Shown => styled(value, 'bold');
