import { areOne, lockerOf, workflowOf } from './lockers';
import { LockTable } from './lock-table';
import { aWorkflow, workflowId } from '../testing';
import type { Workflow } from './workflow';

const [R, S, A, B] = [1, 2, 3, 4].map(workflowId) as [string, string, string, string];
const write = [{ resource: 'f', mode: 'write' as const }];
const parent = { workflow: R, step: 't', task: `${R}.t.1`, root: R, chain: [] };
const named = (id: string, status: Workflow['status'], works: boolean): string => lockerOf({ id, status, start: aWorkflow([], works ? { parent } : {}) });

describe('who holds a lock', () => {
  it('is the workflow, or its root and itself, while it runs and after', () => {
    expect([named(R, 'running', false), named(A, 'running', true), named(A, 'completed', true)]).toEqual([R, `${R}/${A}`, `${R}#${A}`]);
    expect([R, `${R}/${A}`, `${R}#${A}`].map(workflowOf)).toEqual([R, A, A]);
  });

  it.each([
    [R, R, true], [R, `${R}/${A}`, true], [R, `${R}#${A}`, true], [`${R}/${A}`, `${R}#${B}`, true], [`${R}#${A}`, `${R}#${B}`, true], [`${R}/${A}`, `${R}/${A}`, true],
    [`${R}/${A}`, `${R}/${B}`, false], [R, S, false], [`${R}/${A}`, S, false], [`${R}/${A}`, `${S}/${A}`, false], [`${R}#${A}`, `${S}#${A}`, false], ['1', '10', false], ['1', '10/2', false],
  ])('%s and %s are one: %s', (a, b, expected) => {
    expect([areOne(a, b), areOne(b, a)]).toEqual([expected, expected]);
  });

  it('keeps others out for as long as one of the family holds', () => {
    const table = new LockTable();
    table.request(R, write, false, 0);
    expect(table.request(`${R}/${A}`, write, true, 0).answer).toBe('granted');
    table.release(R);
    expect(table.request(S, write, false, 0).answer).toBe('waiting');
    table.hold(`${R}#${A}`, write, 0);
    table.release(`${R}/${A}`);
    expect([table.request(`${R}/${B}`, write, true, 0).answer, table.grantWaiting(0)]).toEqual(['granted', []]);
    table.release(`${R}/${B}`);
    table.release(`${R}#${A}`);
    expect(table.grantWaiting(0).map(({ workflow }) => workflow)).toEqual([S]);
  });

  it('is as old as its root', () => {
    const table = new LockTable();
    table.request(S, write, false, 0);
    expect(table.request(`${R}/${B}`, write, true, 0).answer).toBe('waiting');
    expect(new LockTable().request(`${R}/${B}`, write, true, 0).answer).toBe('granted');
    const other = new LockTable();
    other.request(R, write, false, 0);
    expect(other.request(`${S}/${A}`, write, true, 0)).toEqual({ answer: 'die', holder: R });
  });
});
