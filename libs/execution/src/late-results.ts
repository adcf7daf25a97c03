import type { ActResult } from './execution-adapter';
import { RecentMap } from './recent-map';

/** Results nobody asks about any more must not pile up; a probe finds the outcome without them too. */
const KEPT_MIN = 1_000;

/** Definite results, by slot, of acts that came after their outcome was reported as unknown. */
export type LateResults = RecentMap<ActResult>;
export const lateResults = (): LateResults => new RecentMap(KEPT_MIN);
