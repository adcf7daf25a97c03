import fc from 'fast-check';
import { bold, contentLine, green, joined, line, red, safe, safeLines, UNSAFE } from './shown';
import { hasColours, Screen } from './screen';

const anything = fc.string({ unit: 'binary', maxLength: 40 });

describe('text that somebody else wrote', () => {
  it.each([
    ['a colour', 'a\x1b[31mb', 'a\\x1b[31mb'],
    ['a title of the window', '\x1b]0;owned\x07', '\\x1b]0;owned\\x07'],
    ['a link', '\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\', '\\x1b]8;;http://evil\\x1b\\here\\x1b]8;;\\x1b\\'],
    ['eight-bit CSI', 'a\x9b31mb', 'a\\x9b31mb'],
    ['line ends and back to the beginning', 'a\r\nb\tc\bd', 'a\\r\\nb\\tc\\x08d'],
    ['DEL', 'a\x7f', 'a\\x7f'],
    ['the other direction', 'a\u202egpj.exe\u202c', 'a\\u{202e}gpj.exe\\u{202c}'],
    ['isolates', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['what can not be seen', 'a\u200bb\ufeff\u2060\u{e0041}', 'a\\u{200b}b\\u{feff}\\u{2060}\\u{e0041}'],
    ['separators of lines', 'a\u2028b\u2029', 'a\\u{2028}b\\u{2029}'],
    ['half a character', 'a\ud83d', 'a\\u{d83d}'],
  ])('is written out where it holds %s', (_, text, expected) => { expect(safe(text)).toBe(expected); });

  it('stays as it is where it is only text, in any script', () => {
    for (const text of ['Grüße, 世界 🎉 👩‍👩‍👧', 'می‌خواهم', 'e\u0301', 'a`b"c\\d']) expect(safe(text)).toBe(text);
  });

  it('never drives a terminal, wherever it is filled in', () => {
    fc.assert(fc.property(anything, anything, (a, b) => {
      for (const shown of [line`x ${a} ${bold(b)}`, red(a), green(line`${a}`), joined([a, b])]) expect(shown.render(false)).not.toMatch(UNSAFE);
      expect(contentLine(a).plain.replaceAll('\t', '')).not.toMatch(UNSAFE);
      expect(safeLines(a).replaceAll(/[\n\t]/g, '')).not.toMatch(UNSAFE);
    }));
  });

  it('shows colours only where they are wanted, and the same text', () => {
    const shown = line`a ${red(line`b ${bold('c')}`)} d`;
    expect(shown.render(false)).toBe('a b c d');
    expect(shown.render(true)).toBe('a \x1b[31mb \x1b[39m\x1b[31m\x1b[1mc\x1b[22m\x1b[39m d');
  });
});

describe('colours', () => {
  it.each<readonly [string, Record<string, string>, boolean, boolean]>([
    ['a terminal', {}, true, true], ['no terminal', {}, false, false], ['NO_COLOR', { NO_COLOR: '1' }, true, false], ['an empty NO_COLOR', { NO_COLOR: '' }, true, true], ['a dumb terminal', { TERM: 'dumb' }, true, false],
    ['FORCE_COLOR without a terminal', { FORCE_COLOR: '1' }, false, true], ['FORCE_COLOR before NO_COLOR', { FORCE_COLOR: '1', NO_COLOR: '1' }, false, true], ['FORCE_COLOR=0', { FORCE_COLOR: '0' }, true, false], ['an empty FORCE_COLOR', { FORCE_COLOR: '' }, false, true],
  ])('with %s', (_, env, isTerminal, expected) => { expect(hasColours(env, isTerminal)).toBe(expected); });

  it('are decided for standard output and standard error each', () => {
    let [out, err] = ['', ''];
    const screen = new Screen({ env: {}, out: text => { out += text; }, err: text => { err += text; }, terminal: { out: false, err: true, columns: 80 } }, 'table');
    screen.line(red('x'));
    screen.note(red('y'));
    expect([out, err, screen.width]).toEqual(['x\n', '\x1b[31my\x1b[39m\n', null]);
  });
});
