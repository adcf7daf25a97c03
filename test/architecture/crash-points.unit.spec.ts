import { CRASH_POINTS } from '@aifirst/kernel';
import { PRODUCT, read } from './repository';

/** Whose durable boundary it is. */
const OWNERS: Readonly<Record<string, string>> = {
  gateway: 'libs/api', views: 'libs/api', orchestrator: 'libs/orchestration', policy: 'libs/policy', adapter: 'libs/execution', audit: 'libs/audit',
};

const passed = PRODUCT.flatMap(path => [...read(path).matchAll(/crashPoint\('([^']+)'\)/g)].map(([, name]) => ({ path, name: name! })));

describe('crash points', () => {
  it.each(CRASH_POINTS.map(name => [name]))('%s is passed by its owner', name => {
    const places = passed.filter(place => place.name === name);
    expect(places).not.toEqual([]);
    expect(places.filter(({ path }) => !path.startsWith(`${OWNERS[name.split('.')[0]!]}/`))).toEqual([]);
  });

  it('stand on both sides of one boundary: before and after in the same file', () => {
    const placesOf = (name: string) => passed.filter(place => place.name === name).map(({ path }) => path).sort();
    for (const before of CRASH_POINTS.filter(name => name.endsWith('.before'))) expect(placesOf(before)).toEqual(placesOf(before.replace(/before$/, 'after')));
  });

  it('are armed by the entries of the process and of its thread alone', () => {
    expect(PRODUCT.filter(path => !path.startsWith('libs/kernel/') && /\bsetCrashHook\(/.test(read(path)))).toEqual(['apps/runtime/src/arm-crash-point.ts', 'libs/audit/src/audit-worker.ts']);
    expect(PRODUCT.filter(path => /\barmCrashPoint\(/.test(read(path)) && !path.endsWith('/arm-crash-point.ts'))).toEqual(['apps/runtime/src/main.ts', 'apps/runtime/src/service.ts']);
  });
});
