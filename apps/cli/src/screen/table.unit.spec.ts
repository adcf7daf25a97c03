import fc from 'fast-check';
import { line, red, shownOf } from './shown';
import { table } from './table';
import { cut, padded, widthOf } from './width';

const texts = fc.string({ unit: 'grapheme', maxLength: 30 });

describe('the width of a text', () => {
  it.each([['abc', 3], ['', 0], ['Grüße', 5], ['e\u0301', 1], ['世界', 4], ['한국', 4], ['ｆｕｌｌ', 8], ['🎉', 2], ['👩‍👩‍👧', 2], ['🇨🇭', 2], ['❤️', 2], ['…', 1], ['a世b', 4], ['𠮷', 2]])('%s is %i columns', (text, width) => { expect(widthOf(text)).toBe(width); });

  it('is what was asked for after padding, and at most that after cutting', () => {
    fc.assert(fc.property(texts, fc.integer({ min: 1, max: 40 }), (text, width) => {
      const shown = shownOf(text);
      expect(widthOf(cut(shown, width).plain)).toBeLessThanOrEqual(width);
      if (widthOf(shown.plain) <= width) for (const align of ['left', 'right'] as const) expect(widthOf(padded(shown, width, align).plain)).toBe(width);
    }));
  });

  it('a cut says that it was one, halves no character and keeps its colours', () => {
    expect(cut(shownOf('世界人民'), 4).plain).toBe('世…');
    expect(cut(line`ab${red('cdef')}`, 4).render(true)).toBe('ab\x1b[31mc\x1b[39m…');
    expect(cut(shownOf('abcd'), 4).plain).toBe('abcd');
    expect(cut(shownOf('👩‍👩‍👧x'), 2).plain).toBe('…');
  });
});

describe('a table', () => {
  const columns = [{ title: 'ID' }, { title: 'N', align: 'right' as const }, { title: 'GOAL', flexible: true }];
  const plain = (rows: readonly (readonly (string | number)[])[], width: number | null) => table(columns, rows, width).map(one => one.plain);

  it('aligns by columns of the terminal, without spaces at the end', () => {
    expect(plain([['a', 1, 'x'], ['世界', 100, ''], ['long id', 20, 'y']], null)).toEqual(['ID         N  GOAL', 'a          1  x', '世界     100', 'long id   20  y']);
  });
  it('cuts the flexible columns where the terminal is too narrow, and nothing where it is none', () => {
    const rows = [['01980000', 1, 'correct the report of may']] as const;
    expect(plain(rows, 25)).toEqual(['ID        N  GOAL', '01980000  1  correct the…']);
    expect(plain(rows, null)[1]).toBe('01980000  1  correct the report of may');
    expect(plain(rows, 5)[1]).toBe('01980000  1  correct…');
  });
  it('shares what is missing among several flexible columns', () => {
    const two = [{ title: 'A', flexible: true }, { title: 'B', flexible: true }];
    const [, row] = table(two, [['a'.repeat(30), 'b'.repeat(20)]], 32);
    expect(row!.plain).toBe(`${'a'.repeat(14)}…  ${'b'.repeat(14)}…`.slice(0, 32));
    expect(widthOf(row!.plain)).toBeLessThanOrEqual(32);
  });
  it('keeps a row one line whatever is in it', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.integer(), fc.string({ unit: 'binary' })), { maxLength: 5 }), rows => {
      const lines = table(columns, rows, 40).map(one => one.plain);
      expect(lines).toHaveLength(rows.length + 1);
      for (const one of lines) expect(one).not.toMatch(/[\n\r\x1b]/);
    }));
  });
});
