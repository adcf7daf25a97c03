import type { Positions } from '@aifirst/store';
import type { Delivery } from './message-bus';

/** For slices whose deliveries of one source stand in the order of its rows: a row is done when no delivery of it is left. */
export function positionsOfFirst(deliveries: readonly Delivery[], count: number): Positions {
  const positions: Record<string, number> = {};
  const begun: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { source, position } = deliveries[i]!;
    const before = begun[source];
    if (before !== undefined && before !== position) positions[source] = before;
    begun[source] = position;
  }
  const open = new Set<string>();
  for (let i = count; i < deliveries.length; i++) {
    const { source, position } = deliveries[i]!;
    if (begun[source] === position) open.add(source);
  }
  for (const source of Object.keys(begun)) if (!open.has(source)) positions[source] = begun[source]!;
  return positions;
}
