import type { JsonObject } from '@aifirst/kernel';
import { shownRollback } from './show-rollback';

const ID = '01980000-0000-7000-8000-000000000000';
const DIGEST = 'hmac-sha256:ab';
const aStep = (over: JsonObject = {}): JsonObject => ({ id: 'letter', capability: 'fs.write', order: 2, outcome: 'wouldUndo', summary: 'takes `letter.txt` away again', conflicts: [], reason: null, ...over });
const shown = (body: JsonObject, asked: JsonObject = { preview: true }, width: number | null = null) => shownRollback(ID, { digest: DIGEST, status: 'completed', dependents: [], ...body }, asked, width)!;
const plain = (body: JsonObject, asked?: JsonObject, width?: number): string => shown(body, asked, width).map(one => one.plain).join('\n');
const file = (content: string | null, size = 4): JsonObject => ({ type: 'file', size, mode: '0644', digest: `sha256:${'a'.repeat(64)}`, content });

describe('a preview of a rollback', () => {
  it('shows the steps in the order of undoing, and how to run exactly that', () => {
    expect(plain({ steps: [aStep(), aStep({ id: 'raise', capability: 'sql.execute', order: 1, outcome: 'nothingToDo', summary: 'it is undone already' })] })).toBe(`rollback of workflow ${ID}  completed  ${DIGEST}

  2  letter  fs.write  would be undone
     undo     takes \`letter.txt\` away again

  1  raise  sql.execute  nothing to do
     undo     it is undone already

2 steps: 1 would be undone, 1 nothing to do
run exactly this: aifirst rollback ${ID} --digest ${DIGEST}`);
  });

  it('shows files in conflict as they were before, after, and are now, with their text', () => {
    const text = plain({ steps: [aStep({ outcome: 'wouldBlock', summary: '`a`: its content is another', conflicts: [
      { resource: 'file://docs/a', what: 'its content is another', expected: 'x', found: 'y', before: null, after: file('ours\n'), current: file('theirs\x1b[2J\n\tand more\n', 22) },
      { resource: 'file://docs/b', what: 'it is gone', expected: 'x', found: 'nothing', before: file(null), after: file('', 0), current: null },
      { resource: 'file://docs/c', what: 'a link', expected: 'x', found: 'y', before: { type: 'directory', size: 0, mode: '0755', digest: null, content: null }, after: null, current: { type: 'link', size: 0, mode: '0777', digest: null, content: null } },
    ] })] });
    expect(text).toContain(`     conflict file://docs/a: its content is another
       before   nothing there
       after    4 B 0644 sha256:aaaaaaaaaaaa
         | ours
       now      22 B 0644 sha256:aaaaaaaaaaaa
         | theirs\\x1b[2J
         | \tand more
     conflict file://docs/b: it is gone
       before   4 B 0644 sha256:aaaaaaaaaaaa (no text to show)
       after    0 B 0644 sha256:aaaaaaaaaaaa
       now      nothing there
     conflict file://docs/c: a link
       before   directory 0755
       after    nothing there
       now      link 0777
`);
    expect(text).toContain('1 step: 1 would be blocked\n');
    expect(text).toContain(`leave out what others have changed: aifirst rollback ${ID} --on-conflict skip --preview`);
  });

  it('cuts long texts', () => {
    const long = file(`${Array.from({ length: 30 }, (_, i) => `line ${i + 1}`).join('\n')}\n`);
    const text = plain({ steps: [aStep({ outcome: 'wouldBlock', conflicts: [{ resource: 'r', what: 'w', before: null, after: null, current: long }], truncated: true })] });
    expect(text).toContain('| line 20\n         | … 10 more lines\n     … and more that is not shown');
    expect(text).not.toContain('line 21');
  });

  it('shows rows in conflict side by side, dim what nobody changed, and wide ones column by column', () => {
    const rows = { before: { id: 1, name: 'Ada', credit: 10 }, after: { id: 1, name: 'Ada', credit: 20 }, current: { id: 1, name: 'Ada', credit: null } };
    const lines = shown({ steps: [aStep({ outcome: 'wouldBlock', conflicts: [{ resource: 'sql://crm/public.t', what: 'the row 1 was changed since', ...rows }] })] });
    expect(lines.map(one => one.plain).join('\n')).toContain(`     conflict sql://crm/public.t: the row 1 was changed since
               id  name  credit
       before  1   Ada   10
       after   1   Ada   20
       now     1   Ada   NULL
`);
    expect(lines.find(({ plain: one }) => one.includes('after  '))!.render(true)).toContain('\x1b[33m20\x1b[39m');
    const narrow = plain({ steps: [aStep({ outcome: 'wouldBlock', conflicts: [{ resource: 'r', what: 'w', ...rows, current: null }] })] }, {}, 30);
    expect(narrow).toContain('       now      no row\n       id: before 1, after 1\n       credit: before 10, after 20\n');
  });

  it('says what was expected and found where no side is known, why a step can not be told of, and what is sealed', () => {
    const text = plain({ steps: [
      aStep({ outcome: 'wouldBlock', conflicts: [{ resource: 'docs', what: 'the connection was changed since', expected: 'sha256:1', found: 'sha256:2', before: null, after: null, current: null }] }),
      aStep({ outcome: 'unknown', summary: null, conflicts: null, reason: { code: 'NOT_PREVIEWABLE', detail: 'it can not be shown' } }), aStep({ outcome: 'wouldBlock', conflicts: { sealed: true, class: 'preview' }, reason: 'blocked' }),
    ] });
    expect(text).toContain('     conflict docs: the connection was changed since\n       expected sha256:1\n       found    sha256:2\n');
    expect(text).toContain('fs.write  unknown\n     because  it can not be shown NOT_PREVIEWABLE\n');
    expect(plain({ steps: [aStep({ outcome: 'irreversible', reason: 'nothing unsends it' }), aStep({ outcome: 'cannotTell', summary: '' }), aStep({ outcome: 'wouldBlock', summary: 'changed', reason: 'changed' })] })).toMatch(/can not be undone\n[^]*because {2}nothing unsends it\n[^]*can't be told before\n[^]*would be blocked\n {5}undo {5}changed\n\n/);
    expect(text).toContain('     because  blocked\n     conflict sealed (preview)\n');
  });

  it('shows what others have built on it, and what to do then', () => {
    const dependents = [{ workflow: 'w2', step: 'b', agent: 'clerk', kind: 'lock', resource: 'file://docs/a', at: '2026-01-01', blocks: true }];
    const text = plain({ steps: [aStep()], dependents });
    expect(text).toContain('what others have built on it:\n  WORKFLOW  STEP  AGENT  HOW   RESOURCE       AT\n  w2        b     clerk  lock  file://docs/a  2026-01-01  in the way\n');
    expect(text).toContain(`take back first: aifirst rollback w2 --preview\nrun exactly this regardless: aifirst rollback ${ID} --digest ${DIGEST}`);
    expect(plain({ steps: [aStep()], dependents: Array.from({ length: 7 }, (_, i) => ({ workflow: `w${i}`, blocks: true })), dependentsTruncated: true })).toMatch(/… and more that are not named\n[^]*take back first: aifirst rollback w6 --preview\n[^]*rollback w2 --preview\n… and 2 more\nrun/);
    expect(plain({ steps: [aStep()], dependents }, { cascade: true, onConflict: 'skip' })).toContain(`run exactly this: aifirst rollback ${ID} --cascade --on-conflict skip --digest ${DIGEST}`);
  });

  it('is not what has no steps, and bears what it does not know', () => {
    expect(shownRollback(ID, { digest: DIGEST }, {}, null)).toBeNull();
    expect(plain({ steps: [] })).toContain('there is nothing to take back');
    expect(plain({ steps: [{}], dependents: [{}] })).toContain('not known');
  });
});
