import type { JsonObject } from '@aifirst/kernel';
import { planIn } from './plan';
import { shownPlan } from './show-plan';

const DECISION = { outcome: 'allow', policies: ['role:clerk@3'], policyVersion: '7', reason: 'permitted', at: '2026-01-01T00:00:00.000Z' };
const aStep = (over: JsonObject = {}): JsonObject => ({
  order: 1, id: 'raise', capability: 'sql.execute', decision: DECISION, risk: { level: 'medium', score: 42 }, approvals: [], preview: null, undo: { how: 'exact', detail: 'the row images are put back' }, ...over,
});
const aPreview = (over: JsonObject = {}): JsonObject => ({ summary: 'changes 1 row', footprint: [], changes: [], truncated: false, ...over });
const shownOf = (steps: readonly JsonObject[], over: JsonObject = {}, width: number | null = null) => shownPlan(planIn({ planId: 'plan-1', digest: 'sha256:ab', pointOfNoReturn: null, steps, ...over })!, width);
const plain = (steps: readonly JsonObject[], over: JsonObject = {}, width: number | null = null): string => shownOf(steps, over, width).map(one => one.plain).join('\n');

describe('a plan', () => {
  it('shows order, decision, risk, what each step does and how it would be undone, and how to run exactly that', () => {
    expect(plain([aStep({ order: 2, id: 'letter', capability: 'fs.write' }), aStep({ preview: aPreview(), risk: { level: 'high', score: 61.5, factors: [{ factor: 'reversibility', weight: 0.4, value: 20 }] } })])).toBe(`plan plan-1  sha256:ab

  1  raise  sql.execute  allow  risk high (61.5)
     because  role:clerk@3
     does     changes 1 row
     undo     exact: the row images are put back
     risk     reversibility 20 × 0.4

  2  letter  fs.write  allow  risk medium (42)
     because  role:clerk@3
     does     can't be shown before
     undo     exact: the row images are put back

2 steps: 2 allow; highest risk high; everything can be undone
run exactly this: aifirst apply --plan plan-1`);
  });

  it.each([['by id', 'mail'], ['by order', 2]])('shows the point of no return after the step that is it, %s', (_, pointOfNoReturn) => {
    const text = plain([aStep(), aStep({ order: 2, id: 'mail', undo: { how: 'none', detail: 'nothing can unsend it' } }), aStep({ order: 3, id: 'log' })], { pointOfNoReturn });
    expect(text.indexOf('point of no return: after mail')).toBeGreaterThan(text.indexOf('not possible: nothing can unsend it'));
    expect(text.indexOf('point of no return')).toBeLessThan(text.indexOf('  3  log'));
    expect(text).toContain('not everything can be undone');
  });

  it('says why a step is denied, what needs approval, and does not offer to run what would be rejected', () => {
    const text = plain([aStep({ decision: { ...DECISION, outcome: 'deny', reason: 'nothing permits it', policies: [] } }), aStep({ order: 2, id: 'b', decision: { ...DECISION, outcome: 'approve' }, approvals: [{ by: '2 of credit-managers' }, 'ana'] })]);
    expect(text).toMatch(/raise {2}sql.execute {2}deny[^]*because {2}nothing permits it/);
    expect(text).toMatch(/approval by 2 of credit-managers\n {5}approval ana/);
    expect(text).toContain('1 deny, 1 approve');
    expect(text).toContain('policy denies a step');
    expect(text).not.toContain('apply --plan');
  });

  it('says why what a step does can not be shown', () => {
    expect(plain([aStep({ previewError: { code: 'EXISTS', detail: 'there is something at `a\nb` already' } })])).toContain("     does     can't be shown before: there is something at `a\\nb` already (EXISTS)\n");
    expect(plain([aStep({ previewError: {} })])).toContain("     does     can't be shown before\n");
  });

  it('shows files as coloured diffs with what becomes of size and mode', () => {
    const lines = shownOf([aStep({ preview: aPreview({ changes: [
      { kind: 'file', resource: 'file://docs/a.txt', action: 'change', diff: '--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\x1b[2J\n', before: { type: 'file', size: 4, mode: '0644', digest: `sha256:${'a'.repeat(64)}` }, after: { type: 'file', size: 5, mode: '0644', digest: `sha256:${'b'.repeat(64)}` } },
      { kind: 'file', resource: 'file://docs/b.bin', action: 'change', diff: null, before: { type: 'file', size: 1, mode: '0644', digest: null }, after: { type: 'file', size: 2, mode: '0644', digest: null } },
      { kind: 'file', resource: 'file://docs/c', action: 'create', diff: null, before: null, after: { type: 'directory', size: 0, mode: '0755', digest: null } },
      { kind: 'file', resource: 'file://docs/d', action: 'delete', diff: { $sealed: 'v1.x', class: 'content' }, before: null, after: null },
    ], truncated: true }) })]);
    const text = lines.map(one => one.plain).join('\n');
    expect(text).toContain('change file://docs/a.txt  4 B 0644 sha256:aaaaaaaaaaaa → 5 B 0644 sha256:bbbbbbbbbbbb\n     --- a\n     +++ b\n     @@ -1 +1 @@\n     -old\n     +new\\x1b[2J');
    expect(text).toContain('change file://docs/b.bin  1 B 0644 → 2 B 0644\n     no text to compare');
    expect(text).toContain('create file://docs/c  directory 0755');
    expect(text).toContain('delete file://docs/d\n     sealed (content)');
    expect(text).toContain('… and more that is not shown');
    expect(lines.find(one => one.plain.endsWith('-old'))!.render(true)).toBe('     \x1b[31m-old\x1b[39m');
  });

  it('shows rows before and after, what else is touched, and sealed values as such', () => {
    const text = plain([aStep({ preview: aPreview({ footprint: ['sql://crm/public.customer', 'sql://crm/public.audit'], changes: [{
      kind: 'rows', resource: 'sql://crm/public.customer', inserted: 1, updated: 1, deleted: 1,
      rows: [{ before: { id: 42, name: 'Ada', credit: 1000 }, after: { id: 42, name: 'Ada', credit: 5000 } }, { before: { id: 7, name: null, credit: 0 }, after: null }, { before: null, after: { id: 8, name: { $sealed: 'v1.x', class: 'rows' }, credit: 'a\nb' } }],
    }] }) })]);
    expect(text).toContain(`touches  sql://crm/public.audit
     sql://crm/public.customer  1 inserted, 1 updated, 1 deleted
        id  name           credit
     -  42  Ada            1000
     +  42  Ada            5000
     -  7   NULL           0
     +  8   sealed (rows)  a\\nb`);
  });

  it('shows rows of many columns one by one: of a changed one only what changes', () => {
    const row = (n: number): JsonObject => Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`column_${i}`, i === 3 ? n : `value ${i}`]));
    const text = plain([aStep({ preview: aPreview({ changes: [{ kind: 'rows', resource: 'sql://crm/public.wide', inserted: 0, updated: 1, deleted: 0, rows: [{ before: row(1), after: row(2) }] }] }) })], {}, 80);
    expect(text).toContain('     sql://crm/public.wide  1 updated\n     ~ column_0: value 0\n       column_3: 1 → 2\n\n');
  });

  it('is not there while it is being made, and bears what it does not know', () => {
    expect(planIn({ planId: 'plan-1' })).toBeNull();
    expect(plain([{}, { decision: 'allow', risk: null, undo: null, preview: { changes: [{ kind: 'other' }] } }])).toContain('undecided');
  });
});
