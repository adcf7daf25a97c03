import fc from 'fast-check';
import { clean, cleanLine } from './clean';

describe('text that is shown to a person', () => {
  it('drives no terminal and hides nothing', () => {
    expect(clean('a\u001b[2Jb\r\nc\u0007\u009bd\u202ee\u200bf\u2028g\ud800h\u{e0041}')).toBe('a\\x1b[2Jb\\r\\nc\\x07\\x9bd\\u202ee\\u200bf\\u2028g\\ud800h\\u{e0041}');
  });
  it('keeps what people write', () => { expect(clean('Zoë 猫 👩‍👩‍👧 — «x»')).toBe('Zoë 猫 👩‍👩‍👧 — «x»'); });
  it('keeps tabs of a file as spaces', () => { expect(cleanLine('\ta')).toBe('    a'); });
  it('is cut where it is long, and says so', () => {
    expect(clean('abcdef', 4)).toBe('abcd … (2 more characters)');
    expect(clean('x'.repeat(1_000_000), 10)).toBe(`${'x'.repeat(10)} … (999990 more characters)`);
  });
  it('is one line of visible characters, whatever it was', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => { expect(clean(text)).not.toMatch(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u); }));
  });
});
