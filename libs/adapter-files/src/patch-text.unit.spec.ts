import { createTwoFilesPatch } from 'diff';
import fc from 'fast-check';
import { CannotDo } from '@aifirst/execution';
import { PATCH_BYTES_MAX, patchText } from './patch-text';

const hunk = (...lines: string[]): string => `${lines.join('\n')}\n`;
const refused = (source: string, patch: string): readonly [string, string] => {
  try { patchText(source, patch); } catch (error) {
    if (error instanceof CannotDo) return [error.code, error.message];
    throw error;
  }
  return ['none', ''];
};
const changed = (source: string, patch: string): string => refused(source, patch)[1];

describe('a patch', () => {
  const text = fc.array(fc.tuple(fc.constantFrom('', 'a', 'b', 'c', 'ü', '-', '+', '\\', '@@ -1 +1 @@', '--- a'), fc.constantFrom('\n', '\n', '\n', '\r\n', '\r'))).map(lines => lines.flat().join(''));
  const oneKind = (end: string) => fc.array(fc.constantFrom('', 'a', 'b', 'c', 'd')).map(lines => lines.join(end));

  it('made from two texts turns the one into the other', () => {
    fc.assert(fc.property(text, text, fc.boolean(), (before, after, cutEnd) => {
      const [a, b] = cutEnd ? [before, after.replace(/\n$/, '')] : [before, after];
      fc.pre(a !== b);
      expect(patchText(a, createTwoFilesPatch('f', 'f', a, b))).toBe(b);
    }), { numRuns: 2000 });
  });

  it('with the other kind of line ends leaves the file with its own', () => {
    fc.assert(fc.property(oneKind('\n'), oneKind('\n'), (a, b) => {
      fc.pre(a !== b && a.split('\n').length > 2 && /\n/.test(b));
      const windows = (value: string): string => value.replaceAll('\n', '\r\n');
      expect(patchText(windows(a), createTwoFilesPatch('f', 'f', a, b))).toBe(windows(b));
      expect(patchText(a, windows(createTwoFilesPatch('f', 'f', a, b)))).toBe(b);
    }));
  });

  it('that does not fit is refused, and never half applied', () => {
    fc.assert(fc.property(text, text, text, (a, b, other) => {
      fc.pre(a !== b && a !== other);
      const patch = createTwoFilesPatch('f', 'f', a, b);
      const [code] = refused(other, patch);
      expect(['none', 'TARGET_CHANGED']).toContain(code);
    }), { numRuns: 1000 });
  });

  it('goes where its header says, else to the only place where its lines are', () => {
    expect(patchText('a\nb\na\nb\n', hunk('@@ -3,2 +3,2 @@', ' a', '-b', '+c'))).toBe('a\nb\na\nc\n');
    expect(patchText('x\ny\na\nb\n', hunk('@@ -1,2 +1,2 @@', ' a', '-b', '+c'))).toBe('x\ny\na\nc\n');
    expect(patchText('0\n1\na\n2\nb\n', hunk('@@ -1 +1 @@', '-a', '+A', '@@ -3 +3 @@', '-b', '+B'))).toBe('0\n1\nA\n2\nB\n');
    expect(changed('a\nb\nx\na\nb\n', hunk('@@ -2,2 +2,2 @@', ' a', '-b', '+c'))).toContain('hunk 1 of 1 (for line 2) does not apply: it fits in several places');
  });

  it('that does not apply says which hunk', () => {
    const patch = hunk('@@ -1 +1 @@', '-a', '+A', '@@ -3 +3 @@ in secret()', '-missing', '+B');
    expect(refused('a\nb\nc\n', patch)).toEqual(['TARGET_CHANGED', 'hunk 2 of 2 (for line 3) does not apply: it has lines that are not there as it says']);
    expect(changed('a\n', hunk('@@ -7,0 +8 @@', '+x'))).toContain('for a line the file does not have');
  });

  it('keeps a missing newline at the end, unless it says otherwise', () => {
    expect(patchText('a\nb', hunk('@@ -1,2 +1,2 @@', '-a', '+A', ' b'))).toBe('A\nb');
    expect(patchText('a\nb', hunk('@@ -2 +2 @@', '-b', '\\ No newline at end of file', '+b'))).toBe('a\nb\n');
    expect(patchText('a\nb\n', hunk('@@ -2 +2 @@', '-b', '+b', '\\ No newline at end of file'))).toBe('a\nb');
    for (const [source, lines] of [
      ['a\nb', ['@@ -2 +2 @@', '-b', '+c', '\\ No newline at end of file']],
      ['a\nb\n', ['@@ -2 +2 @@', '-b', '\\ No newline at end of file', '+c']],
      ['a\nb\n', ['@@ -1,2 +1,2 @@', '-a', '+c', ' b', '\\ No newline at end of file']],
      ['a\nb\nc\n', ['@@ -1 +1 @@', '-a', '+A', '\\ No newline at end of file']],
    ] as const) expect([source, lines, refused(source, hunk(...lines))[0]]).toEqual([source, lines, 'TARGET_CHANGED']);
  });

  it('keeps a byte order mark and whatever else stands in the file', () => {
    expect(patchText('\ufeffa\u0000\n\u2028b\n', hunk('@@ -2 +2 @@', '-\u2028b', '+c'))).toBe('\ufeffa\u0000\nc\n');
  });

  it('that is none is refused without being quoted', () => {
    for (const patch of ['', 'canary', 'canary\n@@ -1 +1 @@\n-a\n+b\ncanary\n-x\n', '@@ canary @@\n-a\n+b\n', '@@ -1,2 +1,2 @@\ncanary\n', '@@ -1 +1 @@\n-a\n+\ud800\n',
      '--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n',
      'diff --git a/f b/f\nold mode 100644\nnew mode 100755\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n', 'diff --git a/f b/f\ndeleted file mode 100644\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n',
      'diff --git a/f b/g\nrename from f\nrename to g\n--- a/f\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n', 'Binary files a/f and b/f differ\n', '@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n@@ -3 +3 @@\n-c\n+d\n']) {
      const [code, detail] = refused('a\nb\nc\n', patch);
      expect([patch, code]).toEqual([patch, 'INVALID_INPUT']);
      expect(detail).not.toContain('canary');
    }
    expect(refused('a\n', `@@ -1 +1 @@\n-a\n+${'x'.repeat(PATCH_BYTES_MAX)}\n`)[0]).toBe('TOO_LARGE');
  });

  it('that would take too long to place is given up', () => {
    const source = 'a\n'.repeat(100_000);
    const patch = hunk('@@ -1,20001 +1,20001 @@', ...Array.from({ length: 20_000 }, () => ' a'), '-b', '+c');
    expect(refused(source, patch)).toEqual(['TARGET_CHANGED', expect.stringContaining('in reasonable time')]);
  });
});
