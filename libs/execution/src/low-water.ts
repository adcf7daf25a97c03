/** Which claim rows recovery would have to look at: the mark is before the first of them. */
export class LowWater {
  /** In ascending order, as claims are numbered in commit order. */
  private readonly open = new Set<number>();

  opened(position: number): void { this.open.add(position); }
  settled(positions: readonly number[]): void { for (const position of positions) this.open.delete(position); }

  /** The mark that holds once these are settled too. */
  after(settled: readonly number[], head: number): number {
    const gone = new Set(settled);
    for (const position of this.open) if (!gone.has(position)) return position;
    return head + 1;
  }

  count(): number { return this.open.size; }
}
