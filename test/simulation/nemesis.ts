import { SERVICES, type Cluster } from './cluster';
import { pathsOf } from './intents';
import type { Options } from './options';
import type { People } from './people';
import type { Random } from './random';
import type { World } from './world';

/** What is done to the cluster from outside while faults last. */
export class Nemesis {
  private over = false;
  private foreign = 0;

  constructor(private readonly cluster: Cluster, private readonly people: People, private readonly world: World, private readonly random: Random, private readonly options: Options) {}

  start(): void {
    const { cluster, people, random, options: { faults } } = this;
    const paths = pathsOf(this.options.paths);
    this.every(faults.crashEveryMs, () => { cluster.crash(random.happens(faults.together) ? SERVICES : [random.pick(SERVICES)], 'killed'); });
    this.every(faults.sleepEveryMs, () => { cluster.sleep(random.pick(['orchestrator', 'adapter-os', 'policy'] as const), random.pick([500, 5_000, 20_000, 40_000]), random.happens(0.6)); });
    this.every(faults.foreignEveryMs, () => { cluster.target.writeForeign(random.pick(paths), random.happens(0.2) ? null : `foreign ${++this.foreign}`); });
    this.every(faults.drop === 0 ? 0 : faults.lateEveryMs, () => { cluster.bus.redeliver(); });
    this.every(faults.holdEveryMs, () => people.hold());
    this.every(faults.ordersEveryMs, () => people.orderSomething());
  }

  stop(): void { this.over = true; }

  private every(meanMs: number, act: () => Promise<void> | void): void {
    if (meanMs === 0) return;
    const next = (): void => {
      this.world.after(this.random.between(1, 2 * meanMs), () => {
        if (this.over) return;
        void act();
        next();
      });
    };
    next();
  }
}
