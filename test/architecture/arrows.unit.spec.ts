import { builtinModules } from 'node:module';
import { importsOf, isTestSupport, PRODUCT, projectOf, PROJECTS, readJson, SOURCES } from './repository';

interface Manifest { readonly name: string; readonly nx: { readonly tags: readonly string[] }; readonly dependencies?: object }

const tagsOf = new Map(PROJECTS.map(project => [project, readJson<Manifest>(`${project}/package.json`).nx.tags]));
const kindOf = (project: string): string => tagsOf.get(project)!.find(tag => tag.startsWith('kind:'))!.slice('kind:'.length);
const contextOf = (project: string): string | undefined => tagsOf.get(project)!.find(tag => tag.startsWith('context:'))?.slice('context:'.length);

/** app → context → platform → contracts → kernel. Skipping a level is fine; upward or sideways is not. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  app: ['context', 'adapter', 'platform', 'contracts', 'kernel'],
  context: ['platform', 'contracts', 'kernel'],
  adapter: ['platform', 'contracts', 'kernel'],
  platform: ['platform', 'contracts', 'kernel'],
  contracts: ['kernel'],
  kernel: [],
};
/** The gateway's interface stands on what the gateway owns. */
const SAME_SERVICE: Readonly<Record<string, readonly string[]>> = { api: ['identity', 'admission'] };

const mayUse = (user: string, used: string): boolean =>
  MAY_USE[kindOf(user)]!.includes(kindOf(used)) || (SAME_SERVICE[contextOf(user) ?? '']?.includes(contextOf(used) ?? '') ?? false);

const imports = SOURCES.filter(path => /^(apps|libs)\//.test(path)).flatMap(importsOf);
/** What spans processes uses the doors too. */
const fromOutside = SOURCES.filter(path => path.startsWith('test/')).flatMap(importsOf).filter(({ to }) => to !== null && /^(apps|libs)\//.test(to));
const between = imports.filter(({ from, to }) => to !== null && projectOf(from) !== projectOf(to));

describe('the arrows between projects', () => {
  it('start from projects that say what kind they are', () => {
    expect(PROJECTS.filter(project => !(kindOf(project) in MAY_USE))).toEqual([]);
    expect(PROJECTS.filter(project => (kindOf(project) === 'context') !== (contextOf(project) !== undefined))).toEqual([]);
    expect(PROJECTS.filter(project => readJson<Manifest>(`${project}/package.json`).dependencies !== undefined)).toEqual([]);
  });

  it('point downwards, in tests too', () => {
    expect(between.filter(({ from, to }) => !mayUse(projectOf(from), projectOf(to!))).map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });

  it('go through the doors: index.ts, and testing/index.ts for tests', () => {
    expect([...between, ...fromOutside].filter(({ specifier }) => !specifier.startsWith('@aifirst/')).map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
    expect(between.filter(({ from, specifier }) => specifier.endsWith('/testing') && !isTestSupport(from)).map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });

  it('form no circle', () => {
    const uses = new Map(PROJECTS.map(project => [project, new Set<string>()]));
    for (const { from, to } of between) if (!isTestSupport(from)) uses.get(projectOf(from))!.add(projectOf(to!));
    const done = new Set<string>();
    const visit = (project: string, way: readonly string[]): void => {
      expect(way).not.toContain(project);
      if (done.has(project)) return;
      for (const used of uses.get(project)!) visit(used, [...way, project]);
      done.add(project);
    };
    for (const project of PROJECTS) visit(project, []);
  });
});

describe('the arrows inside a project', () => {
  const ringOf = (path: string): string | undefined => /^libs\/[^/]+\/src\/(domain|application|infrastructure)\//.exec(path)?.[1];
  const RINGS = ['domain', 'application', 'infrastructure'];

  it('go from infrastructure to application to domain', () => {
    const outward = imports.filter(({ from, to }) => {
      if (to === null || isTestSupport(from) || projectOf(from) !== projectOf(to)) return false;
      const [user, used] = [ringOf(from), ringOf(to)];
      return user !== undefined && used !== undefined && RINGS.indexOf(used) > RINGS.indexOf(user);
    });
    expect(outward.map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });

  it('lead to a file that is there', () => {
    expect(imports.filter(({ specifier, to }) => specifier.startsWith('.') && to === null).map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });

  it('never lead from the product to what stands in for it', () => {
    const product = new Set(PRODUCT);
    expect(imports.filter(({ from, to }) => product.has(from) && to !== null && isTestSupport(to)).map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });
});

describe('packages of others', () => {
  const { dependencies, devDependencies, optionalDependencies } = readJson<Record<string, Readonly<Record<string, string>>>>('package.json');
  const packageOf = (specifier: string): string => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  /** Types of what a declared package brings along in the one version that fits it. */
  const BROUGHT_BY: Readonly<Record<string, string>> = { fastify: '@nestjs/platform-fastify' };
  const isBuiltin = (specifier: string): boolean => specifier.startsWith('node:') || builtinModules.includes(specifier);

  it('are declared: what the product uses is no development dependency', () => {
    const runtime = { ...dependencies, ...optionalDependencies };
    const undeclared = imports.filter(({ from, to, specifier }) => to === null && !specifier.startsWith('.') && !isBuiltin(specifier)
      && !(packageOf(specifier) in runtime) && !((BROUGHT_BY[packageOf(specifier)] ?? '') in runtime) && !(isTestSupport(from) && packageOf(specifier) in devDependencies!));
    expect(undeclared.map(({ from, specifier }) => `${from} → ${specifier}`)).toEqual([]);
  });

  it('have exact versions', () => {
    const all = { ...dependencies, ...devDependencies, ...optionalDependencies };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });
});
