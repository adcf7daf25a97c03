import { ADAPTER_HOSTS, type CapabilityDescriptor } from '@aifirst/contracts';
import { Offers } from './offers';

const capability = (name: string): CapabilityDescriptor => ({ name }) as CapabilityDescriptor;

it('what adapters offer is known when all have answered, and stays when one of them is away later', async () => {
  const timers: (() => void)[] = [];
  const clock = { now: () => 0, after: (_: number, callback: () => void) => { timers.push(callback); return () => { timers.splice(timers.indexOf(callback), 1); }; } };
  const away = new Set<string>([ADAPTER_HOSTS[1]]);
  const asked: string[] = [];
  const query = { ask: async <A>(service: string) => { asked.push(service); if (away.has(service)) throw new Error(`${service} is away`); return { items: [capability(`${service}.${asked.length}`)] } as A; } };
  const told: string[] = [];
  const turn = async (): Promise<void> => { timers.shift()!(); await new Promise(setImmediate); };

  const offers = new Offers(query, clock);
  let known = false;
  const starting = offers.start(() => false, why => told.push(why)).then(() => { known = true; });
  await new Promise(setImmediate);
  await turn();
  expect([known, told]).toEqual([false, ['adapter-sql is away']]);
  away.clear();
  await turn();
  await starting;
  expect([asked, offers.all().map(({ name }) => name)]).toEqual([['adapter-os', 'adapter-sql', 'adapter-sql', 'adapter-sql'], ['adapter-os.1', 'adapter-sql.4']]);

  away.add('adapter-os');
  await turn();
  expect(offers.all().map(({ name }) => name)).toEqual(['adapter-os.1', 'adapter-sql.6']);
  offers.stop();
  expect(timers).toEqual([]);
});

it('nothing is waited for in a service that stops', async () => {
  const offers = new Offers({ ask: async () => { throw new Error('away'); } }, { now: () => 0, after: (_, callback) => { setImmediate(callback); return () => undefined; } });
  let stopping = false;
  setTimeout(() => { stopping = true; }, 10);
  await expect(offers.start(() => stopping, () => undefined)).rejects.toMatchObject({ code: 'STOPPED' });
});
