import { Random } from './random';

/** Everything that one run is made of besides the seed's chance. Printed with a violation. */
export interface Options {
  readonly workflows: number;
  /** Workflows are sent within this time. */
  readonly arrivalMs: number;
  /** How long faults last; then everything is healed and must come to an end. */
  readonly faultsMs: number;
  readonly agents: number;
  readonly stepsMax: number;
  readonly graph: 'chain' | 'fan' | 'diamond' | 'random' | 'free';
  readonly paths: number;
  readonly references: number;
  /** Of these references, how many name what a step touches. */
  readonly dynamicPaths: number;
  readonly attemptsMax: number;
  readonly onFailure: Readonly<Record<'rollback' | 'pause' | 'keep', number>>;
  readonly deadlineMsMin: number;
  readonly timeoutMsMin: number;
  /** Steps of a plan that fail whatever is tried. */
  readonly hopeless: number;
  /** Steps that policy denies. */
  readonly forbidden: number;
  readonly irreversible: number;
  readonly sensitive: boolean;
  readonly sensitiveImages: boolean;
  readonly sharedCluster: boolean;
  /** Of all workflows, how many are interactive transactions. */
  readonly interactive: number;
  readonly faults: Faults;
}

/** Shares in [0, 1]; pauses in ms (0: never). Swarm: each seed leaves some out and overdoes others. */
export interface Faults {
  readonly crashPoint: number;
  /** Of crashes, how many take everything down: all services in one process. */
  readonly together: number;
  readonly crashEveryMs: number;
  readonly restartMsMax: number;
  /** Restarts wait for the lease instead of taking it over. */
  readonly patientRestart: number;
  readonly sleepEveryMs: number;
  readonly drop: number;
  readonly repeat: number;
  readonly delayMsMax: number;
  readonly commitRefused: number;
  readonly commitUnknown: number;
  readonly cleanFailure: number;
  readonly lostAnswer: number;
  readonly lostUndoAnswer: number;
  readonly slow: number;
  readonly blindProbe: number;
  readonly foreignEveryMs: number;
  readonly holdEveryMs: number;
  readonly ordersEveryMs: number;
  readonly skewMsMax: number;
  /** What seemed lost arrives after all. */
  readonly lateEveryMs: number;
}

export function optionsOf(seed: number): Options {
  const random = new Random(seed, 'options');
  const sometimes = (share: number, make: () => number): number => (random.happens(share) ? make() : 0);
  const upTo = (most: number): number => Math.round(random.chance() ** 2 * most * 1000) / 1000;
  // Why of its own: seeds that were here before it stay what they were, but for this.
  const manners = new Random(seed, 'manners');
  const calm = random.happens(0.05);
  const at = (share: number): number => (calm ? 0 : share);
  return {
    workflows: random.between(5, 12),
    arrivalMs: random.pick([200, 2_000, 20_000]),
    faultsMs: random.between(30_000, 120_000),
    agents: random.between(1, 3),
    stepsMax: random.pick([2, 4, 6, 8]),
    graph: random.pick(['chain', 'fan', 'diamond', 'random', 'free'] as const),
    paths: random.pick([2, 4, 6, 8, 40]),
    references: sometimes(0.6, () => random.between(1, 8) / 10),
    dynamicPaths: sometimes(0.6, () => random.between(1, 10) / 10),
    attemptsMax: random.pick([1, 2, 4]),
    onFailure: { rollback: 3 + random.between(0, 5), pause: random.between(0, 3), keep: random.between(0, 3) },
    deadlineMsMin: random.pick([20_000, 120_000, 600_000]),
    timeoutMsMin: random.pick([1_000, 5_000, 30_000]),
    hopeless: sometimes(0.7, () => upTo(0.2)),
    forbidden: sometimes(0.3, () => upTo(0.15)),
    irreversible: sometimes(0.2, () => upTo(0.1)),
    sensitive: random.happens(0.4),
    sensitiveImages: random.happens(0.3),
    sharedCluster: random.happens(0.5),
    interactive: manners.happens(0.4) ? manners.between(1, 10) / 10 : 0,
    faults: {
      crashPoint: sometimes(at(0.7), () => upTo(0.04)),
      together: random.pick([0, 0.5, 1]),
      crashEveryMs: sometimes(at(0.6), () => random.between(2_000, 60_000)),
      restartMsMax: random.pick([200, 3_000, 15_000]),
      patientRestart: sometimes(0.3, () => random.chance()),
      sleepEveryMs: sometimes(at(0.4), () => random.between(10_000, 60_000)),
      drop: sometimes(at(0.5), () => upTo(0.35)),
      repeat: sometimes(at(0.6), () => upTo(0.5)),
      delayMsMax: random.pick([0, 5, 50, 500, 5_000]),
      commitRefused: sometimes(at(0.4), () => upTo(0.05)),
      commitUnknown: sometimes(at(0.4), () => upTo(0.05)),
      cleanFailure: sometimes(at(0.6), () => upTo(0.3)),
      lostAnswer: sometimes(at(0.6), () => upTo(0.3)),
      lostUndoAnswer: sometimes(at(0.5), () => upTo(0.7)),
      slow: sometimes(at(0.5), () => upTo(0.3)),
      blindProbe: sometimes(at(0.4), () => upTo(0.6)),
      foreignEveryMs: sometimes(at(0.5), () => random.between(500, 20_000)),
      holdEveryMs: sometimes(at(0.4), () => random.between(5_000, 40_000)),
      ordersEveryMs: sometimes(at(0.5), () => random.between(1_000, 15_000)),
      skewMsMax: sometimes(at(0.3), () => random.pick([500, 5_000, 90_000])),
      lateEveryMs: sometimes(at(0.6), () => random.between(500, 10_000)),
    },
  };
}
