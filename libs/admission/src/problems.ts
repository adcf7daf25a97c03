import type { Problem } from '@aifirst/kernel';
import { PROBLEMS_MAX } from './limits';

/** What was found wrong so far, in the order of the body. */
export class Problems {
  readonly found: Problem[] = [];
  add(code: string, pointer: string, detail: string): void {
    if (this.found.length < PROBLEMS_MAX) this.found.push({ code, detail, pointer });
  }
  /** What is not built yet comes first, as it decides the answer; the rest as found. */
  ordered(): Problem[] {
    return [...this.found.filter(isNotImplemented), ...this.found.filter(problem => !isNotImplemented(problem))];
  }
}
const isNotImplemented = (problem: Problem): boolean => problem.code === 'NOT_IMPLEMENTED';
