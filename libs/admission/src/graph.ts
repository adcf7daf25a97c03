/**
 * The cycles among steps that wait for one another, each as the indices in the order in which one waits for the next.
 * Empty when the steps can be put in an order. Not every cycle is named, but no step of an unnamed one is in order.
 * @param after per step, the indices of the steps it waits for
 */
export function cyclesOf(after: readonly (readonly number[])[]): number[][] {
  const waitsFor = after.map(indices => indices.length);
  const next: number[][] = after.map(() => []);
  for (let step = 0; step < after.length; step++) for (const index of after[step]!) next[index]!.push(step);
  let left = after.length;
  const ready: number[] = [];
  for (let step = 0; step < after.length; step++) if (waitsFor[step] === 0) ready.push(step);
  const done = new Uint8Array(after.length);
  const settle = () => {
    for (let step = ready.pop(); step !== undefined; step = ready.pop()) {
      if (done[step] === 1) continue;
      done[step] = 1;
      left--;
      for (const follower of next[step]!) if (--waitsFor[follower]! === 0) ready.push(follower);
    }
  };
  settle();
  const cycles: number[][] = [];
  for (let from = 0; left > 0; from++) {
    if (done[from] === 1) continue;
    const cycle = cycleBehind(from, after, done);
    cycles.push(cycle);
    ready.push(...cycle);
    settle();
  }
  return cycles;
}

/** Every step that is left waits for one that is left: so going back must come round. */
function cycleBehind(from: number, after: readonly (readonly number[])[], done: Uint8Array): number[] {
  const place = new Map<number, number>();
  const way: number[] = [];
  for (let step = from; ; step = after[step]!.find(index => done[index] === 0)!) {
    const first = place.get(step);
    if (first !== undefined) return way.slice(first);
    place.set(step, way.length);
    way.push(step);
  }
}
