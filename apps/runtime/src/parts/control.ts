import type { ControlState } from '@aifirst/contracts';
import { PolledControl } from '@aifirst/orchestration';
import { systemClock } from '../clock';
import type { Ground } from '../ground';

/** What policy says holds, asked for again and again. */
export function makeControl({ query, ends }: Ground): PolledControl {
  const control = new PolledControl(() => query.ask<{ tenants: ControlState[] }>('policy', 'controlState', { tenant: null }), systemClock);
  ends.push(() => control.stop());
  return control;
}
