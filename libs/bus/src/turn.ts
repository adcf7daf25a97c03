/** Lets one piece of work run at a time, in the order they came. */
export class Turn {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.then(nothing, nothing);
    return result;
  }
}

const nothing = (): void => undefined;
