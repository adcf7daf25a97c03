import type { Batch, DeadLetters, MessageBus } from '@aifirst/bus';
import { MemoryWorkflowViews } from '@aifirst/api/testing';
import { ChaoticMessageBus, MemoryDeadLetters } from '@aifirst/bus/testing';
import type { CapabilityDescriptor } from '@aifirst/contracts';
import { OperationalError, setCrashHook, type CrashPoint } from '@aifirst/kernel';
import type { Log } from '@aifirst/store';
import { MemoryStore, type Fate } from '@aifirst/store/testing';
import { MemoryVault } from '@aifirst/vault/testing';
import { capabilitiesOf } from './capabilities';
import { SharedCedar } from './cedar';
import type { LiveChecks } from './checkers/live-checks';
import { GatewayLife } from './gateway';
import type { History } from './history';
import { pathsOf } from './intents';
import { Network } from './network';
import type { Faults, Options } from './options';
import type { Plant } from './planted-faults';
import { Random } from './random';
import { startAdapters, startOrchestrator, startPolicy, type Life } from './services';
import { SimProcess, type SimService } from './sim-process';
import { Target } from './target';
import { TargetAdapter } from './target-adapter';
import type { World } from './world';

export const SERVICES: readonly SimService[] = ['gateway', 'policy', 'adapter-os', 'orchestrator'];
const STORE_MS_MAX = 3;
const RETRY_START_MS = 500;
/** Without faults nobody has a reason to die; this many are left over from before. */
const LIVES_AFTER_FAULTS_MAX = 40;

/** No faults at all. */
export const CALM: Faults = {
  crashPoint: 0, together: 0, crashEveryMs: 0, restartMsMax: 50, patientRestart: 0, sleepEveryMs: 0, drop: 0, repeat: 0, delayMsMax: 5, commitRefused: 0, commitUnknown: 0,
  cleanFailure: 0, lostAnswer: 0, lostUndoAnswer: 0, slow: 0, blindProbe: 0, foreignEveryMs: 0, holdEveryMs: 0, ordersEveryMs: 0, skewMsMax: 0, lateEveryMs: 0,
};

export interface ClusterParts {
  readonly seed: number;
  readonly options: Options;
  readonly world: World;
  readonly history: History;
  readonly checks: LiveChecks;
  readonly plant: Plant;
}

/** All services with what outlives them: databases, bus, keys, target. Kills and restarts them. */
export class Cluster {
  faults: Faults = CALM;
  /** The life of each service that counts; others of it may still believe they do. */
  readonly lives = new Map<SimService, SimProcess>();
  gateway: GatewayLife | null = null;
  readonly target: Target;
  readonly bus: ChaoticMessageBus;
  readonly defects: string[] = [];
  /** The gateway's database of views. */
  readonly views = new MemoryWorkflowViews();
  private readonly engine = new SharedCedar();
  private readonly stores = new Map<SimService, MemoryStore>();
  private readonly letters = new Map<string, MemoryDeadLetters>();
  private readonly network: Network;
  private readonly vault: MemoryVault;
  private readonly capabilities: readonly CapabilityDescriptor[];
  private readonly rawLogs = new Map<SimProcess, Log>();
  private readonly starting = new Set<SimService>();
  private readonly random: Random;
  private lifeCount = 0;
  private lifeCountMax = Infinity;

  constructor(private readonly parts: ClusterParts) {
    const { seed, options, world, history, checks } = parts;
    this.random = new Random(seed, 'cluster');
    this.capabilities = capabilitiesOf(options.sensitive);
    this.target = new Target(world, change => checks.changed(change), key => checks.foundAsBefore(key));
    const vaultRandom = new Random(seed, 'vault');
    this.vault = new MemoryVault(count => Buffer.from(vaultRandom.bytes(count)));
    this.network = new Network(world, new Random(seed, 'network'));
    const busRandom = new Random(seed, 'bus');
    this.bus = new ChaoticMessageBus({
      schedule: (callback, delayMs) => { world.after(delayMs, callback); }, chance: () => busRandom.chance(), deadLetters: group => this.lettersOf(group),
      onParked: (group, letters) => { for (const { delivery, code, detail } of letters) this.defects.push(`${group} parks ${delivery.message.event.type}: ${code} ${detail}`); },
    });
    const storeRandom = new Random(seed, 'store');
    for (const service of SERVICES) {
      this.stores.set(service, new MemoryStore({
        serviceName: service, clock: { now: () => world.now }, defer: step => { world.after(storeRandom.between(0, STORE_MS_MAX), step); },
        fate: (producer, unit) => {
          const fate = this.fateOf(storeRandom, service);
          if (fate === 'stored' || fate === 'unknownStored') history.store(producer, unit);
          return fate;
        },
      }));
    }
  }

  /** Brings everything up, one after another and without faults; half of what there can be at the target is there already. */
  async start(): Promise<void> {
    pathsOf(this.parts.options.paths).forEach((path, i) => { if (i % 2 === 0) this.target.writeForeign(path, `was there ${i}`); });
    for (const service of SERVICES) {
      this.begin(service, 0, true);
      await this.parts.world.run(() => this.lives.has(service));
    }
    setCrashHook(point => this.pass(point));
  }

  storeOf(service: SimService): MemoryStore { return this.stores.get(service)!; }

  /** Processes die now, and come back after a while. */
  crash(services: readonly SimService[], why: string): void {
    for (const service of services) {
      const life = this.lives.get(service);
      if (life !== undefined) this.end(life, why);
    }
  }

  /** A life is over; if it was the one that counts, another begins. */
  end(life: SimProcess, why: string): void {
    if (!life.alive) return;
    this.parts.history.say(`${life.name} ends: ${why}`);
    if (life.life > this.lifeCountMax) this.defects.push(`${life.service} dies again and again: ${why}`);
    (this.rawLogs.get(life) as unknown as { cut?: (reason: OperationalError) => void } | undefined)?.cut?.(new OperationalError('CRASHED', 'the process was killed'));
    this.rawLogs.delete(life);
    life.kill();
    if (this.gateway?.process === life) this.gateway = null;
    if (this.lives.get(life.service) !== life) return;
    this.lives.delete(life.service);
    this.begin(life.service, this.random.between(0, this.faults.restartMsMax), !this.random.happens(this.faults.patientRestart));
  }

  /** It stops for a while, without knowing; in the meantime another may take its log over. */
  sleep(service: SimService, ms: number, replaced: boolean): void {
    const life = this.lives.get(service);
    const log = life === undefined ? undefined : this.rawLogs.get(life);
    if (life === undefined || log === undefined || life.isAsleep) return;
    this.parts.history.say(`${life.name} sleeps for ${ms} ms${replaced ? ' and is replaced' : ''}`);
    life.asleepUntil = this.parts.world.now + ms;
    this.storeOf(service).pause(log);
    if (!replaced) return;
    this.lives.delete(service);
    if (this.gateway?.process === life) this.gateway = null;
    if (this.random.happens(0.5)) life.loseConsumers();
    this.begin(service, 0, false);
  }

  /** Faults are over: who sleeps wakes up, who has a wrong clock starts anew with the right one. */
  heal(): void {
    this.faults = CALM;
    this.lifeCountMax = this.lifeCount + LIVES_AFTER_FAULTS_MAX;
    setCrashHook(undefined);
    Object.assign(this.bus.chaos, { drop: 0, repeat: 0, delayMsMax: CALM.delayMsMax });
    for (const life of this.rawLogs.keys()) life.asleepUntil = -Infinity;
    for (const life of [...this.lives.values()]) if (life.skewMs !== 0) this.end(life, 'its clock is set right');
  }

  setFaults(faults: Faults): void {
    this.faults = faults;
    Object.assign(this.bus.chaos, { drop: faults.drop, repeat: faults.repeat, delayMsMax: faults.delayMsMax });
  }

  /** What lies in a log, as its next writer would find it. */
  async read(service: SimService): Promise<Log> { return this.storeOf(service).open({ log: service, shard: 0, owner: 'reader', takeOver: true }); }

  stop(): void {
    setCrashHook(undefined);
    this.engine.end();
  }

  private begin(service: SimService, delayMs: number, takeOver: boolean): void {
    if (this.starting.has(service)) return;
    this.starting.add(service);
    this.parts.world.after(delayMs, () => { void this.bringUp(service, takeOver); });
  }

  private async bringUp(service: SimService, takeOver: boolean): Promise<void> {
    const { world, history } = this.parts;
    const again = (): void => { this.starting.delete(service); this.begin(service, RETRY_START_MS, takeOver); };
    let raw: Log;
    try {
      raw = await this.storeOf(service).open({ log: service, shard: 0, owner: 'simulated', takeOver });
    } catch (error) {
      if (!(error instanceof OperationalError && error.retryable)) throw error;
      again();
      return;
    }
    const { skewMsMax } = this.faults;
    const skewMs = skewMsMax === 0 ? 0 : this.random.between(-skewMsMax, skewMsMax);
    const process = new SimProcess(service, ++this.lifeCount, world, new Random(this.parts.seed, `life ${this.lifeCount}`), skewMs, this.bus);
    history.say(`${process.name} begins with epoch ${raw.epoch}${skewMs === 0 ? '' : `, its clock ${skewMs} ms off`}`);
    this.rawLogs.set(process, raw);
    await this.bus.attach(feedOf(raw));
    try {
      await this.compose(process, raw);
    } catch (error) {
      this.starting.delete(service);
      // Why: who waits for another service to come up is not to blame.
      this.lifeCountMax++;
      if (process.alive) this.end(process, `it can not start: ${String(error)}`);
      this.begin(service, RETRY_START_MS, takeOver);
      return;
    }
    this.starting.delete(service);
    if (process.alive) this.lives.set(service, process);
    else this.begin(service, RETRY_START_MS, takeOver);
  }

  private async compose(process: SimProcess, raw: Log): Promise<void> {
    const { options, checks, plant, world } = this.parts;
    const fatal = (error: unknown): void => { world.after(0, () => this.end(process, `it can not go on: ${String(error)}`)); };
    const own = process.own(raw);
    const life: Life = {
      process, options, checks, capabilities: this.capabilities, query: this.network.of(process), bus: process.ownBus(fatal), log: own,
      onFatal: fatal, onDefect: what => { this.defects.push(what); },
    };
    // Why: a crash on the way up never comes back from its await; whoever waits for the start must.
    const died = new Promise<void>(resolve => { process.onEnd(resolve); });
    await Promise.race([died, this.startOf(life, plant)]);
  }

  private startOf(life: Life, plant: Plant): Promise<void> {
    const { options, world, checks } = this.parts;
    switch (life.process.service) {
      case 'gateway':
        this.gateway = new GatewayLife({
          process: life.process, log: life.log, bus: life.bus, query: life.query, views: this.views, vault: this.vault, capabilities: this.capabilities,
          onHole: what => { checks.violations.push(`watchers are told of all in order: ${what}`); },
        });
        return this.gateway.start();
      case 'policy': return startPolicy(life, this.engine);
      case 'orchestrator': return startOrchestrator({ ...life, log: plant.orchestratorLog?.(life.log) ?? life.log, bus: hearing(life.bus, plant.orchestratorHears) });
      case 'adapter-os': {
        const adapter = new TargetAdapter({
          process: life.process, world, target: this.target, random: life.process.random, capabilities: this.capabilities, imageIsSensitive: options.sensitiveImages,
          faults: () => this.faults, paths: pathsOf(options.paths),
        });
        return startAdapters(life, this.vault, plant.adapter?.(adapter, this.target) ?? adapter, journal => plant.journal?.(journal));
      }
    }
  }

  private pass(point: CrashPoint): void {
    const service = point.startsWith('adapter') ? 'adapter-os' : point.slice(0, point.indexOf('.')) as SimService;
    const { current } = this.parts.world;
    const life = current?.service === service ? current : this.lives.get(service);
    if (life === undefined) return;
    if (life.alive && this.random.happens(this.faults.crashPoint)) {
      const together = this.random.happens(this.faults.together) && this.lives.get(service) === life;
      if (together) this.crash(SERVICES, `killed at ${point}`);
      else this.end(life, `killed at ${point}`);
    }
    if (!life.alive) throw new OperationalError('CRASHED', `killed at ${point}`);
  }

  private fateOf(random: Random, service: SimService): Fate {
    if (service === 'gateway' && this.gateway === null) return 'stored';
    if (random.happens(this.faults.commitRefused)) return 'refused';
    if (random.happens(this.faults.commitUnknown)) return random.happens(0.5) ? 'unknownStored' : 'unknownAbsent';
    return 'stored';
  }

  private lettersOf(group: string): DeadLetters {
    let letters = this.letters.get(group);
    if (letters === undefined) this.letters.set(group, letters = new MemoryDeadLetters(() => new Date(this.parts.world.now).toISOString()));
    return letters;
  }
}

/** Why not the log's own: the bus goes on when the process that wrote it is dead, and reads the rest from the next. */
const feedOf = (log: Log): Parameters<MessageBus['attach']>[0] => ({
  source: log.producer, head: () => log.head(), read: (after, limit) => log.read(after, limit).catch(() => []), onCommitted: listener => log.onCommitted(listener),
});

const hearing = (bus: MessageBus, change: ((batch: Batch) => Batch) | undefined): MessageBus => (change === undefined ? bus : {
  attach: feed => bus.attach(feed), pausing: (group, work) => bus.pausing(group, work), stop: () => bus.stop(),
  subscribe: subscription => bus.subscribe({ ...subscription, handle: batch => subscription.handle(change(batch)) }),
});
