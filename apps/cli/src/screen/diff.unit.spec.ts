import { colouredDiff } from './diff';

const coloured = (diff: string): string[] => colouredDiff(diff).map(one => one.spans.map(({ text, styles }) => `${styles.join('+') || 'plain'}:${text}`).join('|'));

describe('a diff', () => {
  it('shows what goes in red, what comes in green, places in cyan, names bold', () => {
    expect(coloured('--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n same\n-old\n+new\n same\n\\ No newline at end of file\n')).toEqual([
      'bold:--- a/x', 'bold:+++ b/x', 'cyan:@@ -1,3 +1,3 @@', 'plain: same', 'red:-old', 'green:+new', 'plain: same', 'dim:\\ No newline at end of file',
    ]);
  });
  it('takes no line of content for a name or a place', () => {
    expect(coloured('--- a\n+++ b\n@@ -1,2 +1,2 @@\n--- x\n-@@ -1 +1 @@\n+++ y\n+z\n@@ -9 +9 @@\n-p\n+q')).toEqual([
      'bold:--- a', 'bold:+++ b', 'cyan:@@ -1,2 +1,2 @@', 'red:--- x', 'red:-@@ -1 +1 @@', 'green:+++ y', 'green:+z', 'cyan:@@ -9 +9 @@', 'red:-p', 'green:+q',
    ]);
  });
  it('shows what drives a terminal as text, and tabs as tabs', () => {
    expect(coloured('@@ -0,0 +1,2 @@\n+\ta\x1b[2J\n+b\r')).toEqual(['cyan:@@ -0,0 +1,2 @@', 'green:+\ta\\x1b[2J', 'green:+b\\r']);
  });
  it('of nothing is nothing', () => { expect(colouredDiff('')).toEqual([]); });
});
