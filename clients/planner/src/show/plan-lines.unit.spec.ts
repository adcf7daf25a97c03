import { aPlannedStep } from '../testing';
import { planLines } from './plan-lines';
import { workflowLines } from './workflow-lines';

const ESCAPES = '\u001b[2J\u202e';
const shown = (steps: Parameters<typeof planLines>[0]['plan'][], more: Parameters<typeof planLines>[0]['plan'] = {}): string =>
  planLines({ goal: 'g', understood: 'u', plan: { planId: 'p', steps, pointOfNoReturn: null, ...more }, steps: steps.map(({ id }) => ({ id: id as string, input: { path: 'in.txt' }, dependsOn: id === 'b' ? ['a'] : [] })) }).join('\n');

describe('a proposal as it is shown', () => {
  it('says in which order what is done, whether it may be, how risky it is, and how it is taken back', () => {
    const changes = [{ kind: 'file', action: 'change', resource: 'file://docs/a.txt', diff: '@@ -1 +1 @@\n-old\n+new\n' }];
    const text = shown([
      aPlannedStep('a', 1, { preview: { summary: 'writes `a.txt`', footprint: ['file://docs/a.txt', 'file://docs/'], changes, truncated: false } }),
      aPlannedStep('b', 2, { capability: 'sql.execute', decision: { outcome: 'approve', reason: 'two people' }, risk: { level: 'high', score: 80 }, approvals: [{ role: 'boss' }], undo: { how: 'none', detail: 'nothing takes it back' },
        preview: { summary: 's', footprint: [], changes: [{ kind: 'rows', resource: 'sql://crm/customer', inserted: 0, updated: 1, deleted: 2, rows: [{ before: { id: 1 }, after: { id: 2 } }] }], truncated: true } }),
      aPlannedStep('c', 3, { decision: { outcome: 'defer', reason: 'asked later' }, preview: null, previewError: { code: 'REFERENCE_UNRESOLVED', detail: 'known only later' } }),
    ], { pointOfNoReturn: 'b' });
    expect(text.split('\n').map(line => line.trimEnd())).toEqual([
      'goal      g', 'the model says that this does: u', 'plan      p', '',
      '  1  a  fs.write  allow  risk low (20)', '     does      writes `a.txt`', '     undo      exact: what was there before is put back', '     input     {"path":"in.txt"}',
      '     touches   file://docs/', '     change file://docs/a.txt', '     @@ -1 +1 @@', '     -old', '     +new', '',
      '  2  b  sql.execute  approve  risk high (80)', '     after     a', '     because   two people', '     approval  {"role":"boss"}', '     does      s', '     undo      not possible: nothing takes it back', '     input     {"path":"in.txt"}',
      '     sql://crm/customer: 1 updated, 2 deleted', '     - {"id":1}', '     + {"id":2}', '     … there is more that is not shown here', '',
      '---- point of no return: after `b` not everything can be undone ----', '',
      '  3  c  fs.write  defer  risk low (20)', '     because   asked later', '     does      can\'t be shown before: known only later (REFERENCE_UNRESOLVED)', '     undo      exact: what was there before is put back', '     input     {"path":"in.txt"}', '',
      '3 steps: 1 allow, 1 approve, 1 defer; highest risk high; NOT EVERYTHING CAN BE UNDONE',
    ]);
  });

  it('drives no terminal, whatever stands in it', () => {
    const bad = { summary: ESCAPES, footprint: [ESCAPES], changes: [{ kind: 'file', action: ESCAPES, resource: ESCAPES, diff: `+${ESCAPES}\r\n` }, { kind: 'rows', resource: ESCAPES, inserted: 1, rows: [{ before: null, after: { [ESCAPES]: ESCAPES } }] }] };
    const lines = planLines({
      goal: ESCAPES, understood: ESCAPES, steps: [{ id: ESCAPES, input: { [ESCAPES]: ESCAPES }, dependsOn: [ESCAPES] }],
      plan: { planId: ESCAPES, pointOfNoReturn: ESCAPES, steps: [
        aPlannedStep(ESCAPES, 1, { capability: ESCAPES, decision: { outcome: ESCAPES, reason: ESCAPES }, risk: { level: ESCAPES, score: ESCAPES }, approvals: [ESCAPES], preview: bad, undo: { how: ESCAPES, detail: ESCAPES } }),
        aPlannedStep('x', 2, { preview: null, previewError: { code: ESCAPES, detail: ESCAPES } }),
      ] },
    });
    for (const line of [...lines, ...workflowLines({ id: ESCAPES, status: ESCAPES, statusReason: { code: ESCAPES, detail: ESCAPES, actions: [{ method: ESCAPES, path: ESCAPES, by: ESCAPES }] }, steps: [{ id: ESCAPES, capability: ESCAPES, status: ESCAPES, error: { code: ESCAPES, detail: ESCAPES }, undo: { status: ESCAPES, reason: ESCAPES } }], residue: [{ resource: ESCAPES }] })]) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  it('tells what it leaves out', () => {
    const diff = Array.from({ length: 500 }, (_, index) => `+line ${index}`).join('\n');
    const rows = Array.from({ length: 30 }, (_, id) => ({ before: { id }, after: null }));
    const text = shown([aPlannedStep('a', 1, { preview: { summary: 's', footprint: Array.from({ length: 30 }, (_, index) => `file://docs/${index}`), changes: [{ kind: 'file', diff }, { kind: 'rows', resource: 'r', rows }] } })]);
    for (const told of ['… 300 more lines', '… 10 more rows', '10 more']) expect(text).toContain(told);
    expect(shown([aPlannedStep('a', 1, { preview: { summary: 's', changes: { sealed: true } } })])).toContain('what changes is sealed');
  });
});

it('an end is shown with what failed, what was undone and what stands', () => {
  expect(workflowLines({
    id: 'w', status: 'rollbackBlocked', statusReason: { code: 'TARGET_CHANGED', detail: 'somebody has changed it', actions: [{ method: 'POST', path: '/v1/workflows/w/rollback', by: 'admin' }] },
    steps: [{ id: 'a', capability: 'fs.write', status: 'undoBlocked', error: null, undo: { status: 'blocked', verified: false, reason: 'it is another' } }, { id: 'b', capability: 'fs.read', status: 'failed', error: { code: 'NOT_FOUND', detail: 'nothing there' }, undo: null }],
    residue: [{ step: 'a', resource: 'file://docs/a', what: 'written', why: 'blocked' }],
  })).toEqual([
    'workflow w rollbackBlocked: somebody has changed it (TARGET_CHANGED)', '  a  fs.write  undoBlocked; undo blocked: it is another', '  b  fs.read  failed: nothing there (NOT_FOUND)', '  stands: file://docs/a, written, blocked', '  admin may: POST /v1/workflows/w/rollback',
  ]);
});
