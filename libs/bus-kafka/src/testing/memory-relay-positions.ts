import type { RelayPositions } from '../relay-positions';

export class MemoryRelayPositions implements RelayPositions {
  position = 0;
  saves = 0;
  async load(): Promise<number> { return this.position; }
  async save(position: number): Promise<void> {
    this.saves++;
    this.position = position;
  }
}
