import type { ServiceName, ServiceQuery } from '@aifirst/contracts';
import { OperationalError } from '@aifirst/kernel';
import type { Random } from './random';
import type { SimProcess } from './sim-process';
import type { World } from './world';

type Answer = (body: unknown) => unknown;

/** Whoever asks gives up after this long. */
const ANSWER_MS_MAX = 5_000;
const LATENCY_MS_MAX = 4;

const unavailable = (why: string): OperationalError => new OperationalError('SERVICE_UNAVAILABLE', why, { retryable: true });

/** Questions between processes: they take time, and get lost with whoever asks or answers. */
export class Network {
  private readonly answers = new Map<ServiceName, { readonly process: SimProcess; readonly table: Map<string, Answer> }>();

  constructor(private readonly world: World, private readonly random: Random) {}

  of(process: SimProcess): ServiceQuery {
    return {
      ask: <A>(service: ServiceName, question: string, body: unknown) => this.ask<A>(process, service, question, body),
      answer: <Q, A>(service: ServiceName, question: string, handler: (body: Q) => Promise<A> | A) => {
        const known = this.answers.get(service);
        const table = known?.process === process ? known.table : new Map<string, Answer>();
        table.set(question, handler as Answer);
        this.answers.set(service, { process, table });
      },
    };
  }

  private ask<A>(asker: SimProcess, service: ServiceName, question: string, body: unknown): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      let settled = false;
      const back = (settle: () => void): void => {
        if (settled) return;
        settled = true;
        this.world.after(this.latency(), settle, asker);
      };
      const cancel = this.world.after(ANSWER_MS_MAX, () => back(() => reject(unavailable(`\`${service}\` does not answer`))), asker);
      const answered = (settle: () => void): void => { cancel(); back(settle); };
      this.world.after(this.latency(), () => {
        const owner = this.answers.get(service);
        const handler = owner?.table.get(question);
        if (owner === undefined || handler === undefined || !owner.process.alive) { answered(() => reject(unavailable(`\`${service}\` is not there`))); return; }
        const forget = owner.process.onEnd(() => answered(() => reject(unavailable(`\`${service}\` has gone away`))));
        owner.process.guard(async () => handler(body)).then(
          value => { forget(); answered(() => resolve(value as A)); },
          (error: unknown) => { forget(); answered(() => reject(error as Error)); },
        );
      });
    });
  }

  private latency(): number { return this.random.between(0, LATENCY_MS_MAX); }
}
