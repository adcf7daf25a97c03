// A Kafka broker for development and tests: one node, in the foreground, gone with whoever started it.
//   npm run kafka -- --fetch only fetches the jars
//   npm run kafka            KAFKA_PORT (9092), KAFKA_DATA_DIR (.aifirst/kafka), KAFKA_HEAP_MB (512)
// Docker where an engine answers, else Kafka's jars (fetched once by Maven into KAFKA_HOME, default tmp/kafka) with Java 17 or newer.
// KAFKA_VIA=docker|jars leaves no choice. KAFKA_PROXIED=<listen>:<advertised>,… adds listeners that name another port as
// theirs, so that a proxy can stand in front of them (jars only).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../..');
const VERSION = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(readFileSync(join(HERE, 'pom.xml'), 'utf8'))[1];
/** Written into the data folder when it is formatted; one of ours is never mixed up with another cluster's. */
const CLUSTER_ID = 'YWlmaXJzdC1kZXYtMDAwMQ';
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 10_000;

const fail = line => { process.stderr.write(`${line}\n`); process.exit(2); };
const number = (name, fallback) => {
  const value = Number(process.env[name] ?? fallback);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) fail(`${name} must be a whole number from 1 to 65535`);
  return value;
};
const port = number('KAFKA_PORT', 9092);
const heapMb = number('KAFKA_HEAP_MB', 512);
const dataDir = resolve(process.env.KAFKA_DATA_DIR ?? '.aifirst/kafka');
const home = resolve(process.env.KAFKA_HOME ?? join(ROOT, 'tmp/kafka'));
const proxied = (process.env.KAFKA_PROXIED ?? '').split(',').filter(Boolean).map(pair => pair.split(':').map(Number));

const answers = (program, args) => { const { status } = spawnSync(program, args, { stdio: 'ignore', timeout: 10_000 }); return status === 0; };
const javaProgram = () => (process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin/java') : 'java');
const javaMajor = () => {
  const { status, stderr } = spawnSync(javaProgram(), ['-version'], { encoding: 'utf8' });
  return status === 0 ? Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) : 0;
};

function way() {
  const wanted = process.env.KAFKA_VIA;
  if (wanted !== undefined && wanted !== 'docker' && wanted !== 'jars') fail('KAFKA_VIA is docker or jars');
  if (wanted !== 'jars' && answers('docker', ['info'])) return 'docker';
  if (wanted !== 'docker' && javaMajor() >= 17 && (existsSync(join(home, VERSION)) || answers('mvn', ['-v']))) return 'jars';
  return fail(`no Kafka broker can be started here: ${wanted === 'docker' ? 'no Docker engine answers' : wanted === 'jars' ? 'it takes Java 17 or newer with Maven' : 'it takes a Docker engine, or Java 17 or newer with Maven'}`);
}

/** Fetched beside and moved into place, so that two starts at once and a start cut short leave no half of it. */
function jars() {
  const place = join(home, VERSION);
  if (existsSync(place)) return place;
  const beside = join(home, `.fetching-${process.pid}`);
  mkdirSync(beside, { recursive: true });
  const { status, stdout, stderr } = spawnSync('mvn', ['-q', '-B', '-f', join(HERE, 'pom.xml'), 'dependency:copy-dependencies', `-DoutputDirectory=${beside}`], { encoding: 'utf8' });
  const problem = (`${stdout}${stderr}`.split('\n').find(line => line.includes('ERROR')) ?? '').slice(0, 300);
  if (status !== 0) { rmSync(beside, { recursive: true, force: true }); fail(`Maven could not fetch Kafka ${VERSION}: ${problem}`); }
  try { renameSync(beside, place); } catch { rmSync(beside, { recursive: true, force: true }); }
  return place;
}

if (process.argv.includes('--fetch')) {
  console.log(`kafka ${VERSION} is in ${jars()}`);
  process.exit(0);
}

const freePort = () => new Promise((found, reject) => {
  const server = createServer().once('error', reject);
  server.listen(0, '127.0.0.1', () => { const { port: free } = server.address(); server.close(() => found(free)); });
});

async function properties() {
  const controller = await freePort();
  const extra = proxied.map(([listen, advertised], i) => ({ name: `PROXIED${i}`, listen, advertised }));
  const lists = entries => entries.join(',');
  return Object.entries({
    'process.roles': 'broker,controller', 'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`, 'controller.listener.names': 'CONTROLLER',
    listeners: lists([`PLAINTEXT://127.0.0.1:${port}`, `CONTROLLER://127.0.0.1:${controller}`, ...extra.map(({ name, listen }) => `${name}://127.0.0.1:${listen}`)]),
    'advertised.listeners': lists([`PLAINTEXT://127.0.0.1:${port}`, ...extra.map(({ name, advertised }) => `${name}://127.0.0.1:${advertised}`)]),
    'listener.security.protocol.map': lists(['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT', ...extra.map(({ name }) => `${name}:PLAINTEXT`)]),
    'inter.broker.listener.name': 'PLAINTEXT', 'log.dirs': join(dataDir, 'log'),
    ...SINGLE_NODE, 'broker.heartbeat.interval.ms': '500', 'broker.session.timeout.ms': '3000',
  }).map(([key, value]) => `${key}=${value}`).join('\n');
}
/** What a single node needs, and what makes it quick: nobody to wait for when a group forms. */
const SINGLE_NODE = {
  'offsets.topic.replication.factor': '1', 'offsets.topic.num.partitions': '4', 'transaction.state.log.replication.factor': '1', 'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1', 'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0', 'auto.create.topics.enable': 'false', 'delete.topic.enable': 'true', 'num.network.threads': '2', 'num.io.threads': '4',
};

async function startJars() {
  const classPath = join(jars(), '*');
  mkdirSync(dataDir, { recursive: true });
  const config = join(dataDir, 'server.properties');
  writeFileSync(config, `${await properties()}\n`);
  const jvm = [`-Xmx${heapMb}m`, `-Xms${Math.min(heapMb, 256)}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath];
  if (!existsSync(join(dataDir, 'log/meta.properties'))) {
    const { status, stderr } = spawnSync(javaProgram(), [...jvm, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', config], { encoding: 'utf8' });
    if (status !== 0) fail(`the data folder ${dataDir} can't be formatted: ${stderr.split('\n')[0]}`);
  }
  const log = openSync(join(dataDir, 'broker.log'), 'a');
  const broker = spawn(javaProgram(), [...jvm, 'kafka.Kafka', config], { stdio: ['ignore', log, log], detached: process.platform !== 'win32' });
  // Why: the kernel closes the pipe when this process ends, however it does; then the guard ends the broker.
  const guard = process.platform === 'win32' ? null : spawn('sh', ['-c', 'cat >/dev/null; kill -KILL "$0" 2>/dev/null', String(broker.pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  broker.once('exit', () => { guard?.kill('SIGKILL'); });
  return { child: broker, stop: () => broker.kill('SIGTERM'), kill: () => broker.kill('SIGKILL'), log: join(dataDir, 'broker.log') };
}

async function startDocker() {
  if (proxied.length > 0) fail('KAFKA_PROXIED takes the jars (KAFKA_VIA=jars)');
  mkdirSync(dataDir, { recursive: true });
  const name = `aifirst-kafka-${port}`;
  spawnSync('docker', ['rm', '-f', name], { stdio: 'ignore' });
  const settings = {
    'process.roles': 'broker,controller', 'node.id': '1', 'controller.quorum.voters': '1@localhost:9093', 'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://:${port},CONTROLLER://:9093`, 'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT', 'inter.broker.listener.name': 'PLAINTEXT', 'log.dirs': '/var/lib/kafka/data', ...SINGLE_NODE,
  };
  const env = Object.entries(settings).flatMap(([key, value]) => ['-e', `KAFKA_${key.toUpperCase().replaceAll('.', '_')}=${value}`]);
  const user = process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid()}`];
  const child = spawn('docker', ['run', '--rm', '-i', '--name', name, ...user, '-p', `127.0.0.1:${port}:${port}`, '-v', `${dataDir}:/var/lib/kafka/data`,
    '-e', `CLUSTER_ID=${CLUSTER_ID}`, '-e', `KAFKA_HEAP_OPTS=-Xmx${heapMb}m`, ...env, `apache/kafka:${VERSION}`], { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
  child.stderr.resume();
  const guard = spawn('sh', ['-c', 'cat >/dev/null; docker rm -f "$0" >/dev/null 2>&1', name], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.once('exit', () => { guard.kill('SIGKILL'); });
  return { child, stop: () => { spawn('docker', ['stop', name], { stdio: 'ignore' }); }, kill: () => { spawn('docker', ['rm', '-f', name], { stdio: 'ignore' }); }, log: `docker logs ${name}` };
}

async function answersAsBroker() {
  const { Kafka, logLevel } = createRequire(join(ROOT, 'package.json'))('kafkajs');
  const admin = new Kafka({ brokers: [`127.0.0.1:${port}`], clientId: 'kafka-is-ready', logLevel: logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: 2_000 }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length === 1;
  } catch { return false; } finally { await admin.disconnect().catch(() => undefined); }
}

async function isTaken() {
  return new Promise(found => {
    const server = createServer().once('error', () => found(true));
    server.listen(port, '127.0.0.1', () => { server.close(() => found(false)); });
  });
}

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const via = way();
if (await isTaken()) fail(`port ${port} is taken: set KAFKA_PORT`);
const broker = via === 'docker' ? await startDocker() : await startJars();

let stopping = false;
let ready = false;
const stop = () => {
  if (stopping) return;
  stopping = true;
  broker.stop();
  setTimeout(() => broker.kill(), STOP_WITHIN_MS).unref();
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.on('SIGHUP', stop);
broker.child.once('exit', (code, signal) => {
  if (!stopping) process.stderr.write(`kafka ended by itself (${signal ?? code}): see ${broker.log}\n`);
  process.exit(stopping ? 0 : ready ? 1 : 2);
});
for (const endsAt = Date.now() + READY_WITHIN_MS; !stopping && !ready;) {
  ready = await answersAsBroker();
  if (!ready && Date.now() > endsAt) { process.stderr.write(`kafka did not answer within ${READY_WITHIN_MS} ms: see ${broker.log}\n`); broker.kill(); break; }
  if (!ready) await new Promise(wake => { setTimeout(wake, 150); });
}
if (ready) process.stdout.write(`kafka ${VERSION} is ready at 127.0.0.1:${port} (${via}, pid ${broker.child.pid}, data in ${dataDir})\n`);
