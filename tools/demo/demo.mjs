// `npm run demo [-- --pause]`: an agent cleans up a customer's database and files, goes wrong at the last step, and is taken back.
// Everything is real: the runtime, a PostgreSQL, files, the command line. Each claim is checked when it is made; one that does not
// hold ends this with exit code 1. What is printed is always the same, so that a test can compare it with the README.
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { build } from '../build.mjs';
import { colours, command, holds, say, scene, shown } from './screen.mjs';
import { CARDS, DROP, FILES, INTENT, NO_CARDS, TABLES } from './story.mjs';
import { World } from './world.mjs';

const ANSI = /\x1b\[[0-9;]*m/g;
/** In place of what is another each time. */
const NAMES = [
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>'], [/hmac-sha256:[0-9a-f]{64}/g, '<digest>'], [/aifirst\/default\+\S+/g, '<key>'], [/(root +)\S{40,}/, '$1<hash>'],
  [/^((?:\x1b\[\d+m)*) *\+\d+\.\d{3}s/, '$1'], [/\b\d+(?= (entries|bytes to)\b)/g, '<n>'], [/(?<=(tree of size|first bad index|entry) )\d+/g, '<n>'], [/(?<=\/0 1–)\d+/, '<n>'],
];
const steady = line => NAMES.reduce((text, [pattern, name]) => text.replace(pattern, name), line);
const plain = line => line.replace(ANSI, '');
const count = (number, what) => `${number} ${what}${number === 1 ? '' : 's'}`;

const world = new World();
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => { isInterrupted = true; void world.end().then(() => process.exit(130)); });

const COLOURS = { FORCE_COLOR: colours ? '1' : '0' };
const AS_AGENT = { ...COLOURS, AIFIRST_TOKEN_FILE: 'agent.token' };

/** Says what is run, and runs it: as the administrator, unless `env` names another token. */
function start(args, env, filter = '') {
  command(steady(`aifirst ${args.join(' ')}${filter}`));
  return world.aifirst(args, env);
}
/** @param hides lines that are not shown, as `grep -vE` would */
async function run(args, { env = COLOURS, hides = null } = {}) {
  const running = start(args, env, hides === null ? '' : ` | grep -vE '${hides.source}'`);
  for await (const line of running.lines) if (hides?.test(plain(line)) !== true) shown(steady(line));
  say();
  return running.ended;
}

async function prepare() {
  await world.start(TABLES, FILES);
  const { host, port, user, database } = world.reached;
  await world.ask('PUT', '/v1/connections/crm', { adapter: 'sql', config: { url: `postgres://${user}@socket/${database}?host=${encodeURIComponent(host)}&port=${port}` }, secretRefs: { password: `file:${world.at('crm.password')}` } });
  await world.ask('PUT', '/v1/connections/files', { adapter: 'os', config: { root: world.files } });
  await world.ask('PUT', '/v1/policies/no-cards', { cedar: NO_CARDS });
  await world.ask('POST', '/v1/policies/activate', { name: 'no-cards', version: 1 });
  await world.ask('PUT', '/v1/roles/cleaner', { capabilities: ['sql.*', 'fs.*'], connections: ['crm', 'files'] });
  const { token } = await world.ask('POST', '/v1/agents', { name: 'cleaner', owner: 'demo', roles: ['cleaner'] });
  writeFileSync(world.at('agent.token'), token, { mode: 0o600 });
  for (const [name, intent] of Object.entries({ cleanup: INTENT, drop: DROP, cards: CARDS })) writeFileSync(world.at(`${name}.json`), JSON.stringify(intent, null, 2));
}

/** Checks every value, and says how much was looked at. */
async function isAsBefore(before) {
  const now = await world.state();
  for (const [name, rows] of Object.entries(before.tables)) holds(isDeepStrictEqual(now.tables[name], rows), `table ${name}: ${count(rows.length, 'row')}, every value as before`, JSON.stringify(now.tables[name]));
  for (const [path, was] of Object.entries(before.files)) holds(now.files[path] === was, `file ${path}: content, mode, owner and time of change as before`, now.files[path]);
  holds(isDeepStrictEqual(now, before), 'no table and no file more or less than before');
}

async function tell() {
  await scene('The start', 'A company has a customer database and files, and lets an AI agent clean up. Can it control, audit and take back what the agent does?');
  await prepare();
  const before = await world.state();
  for (const [name, rows] of Object.entries(before.tables)) shown(`table ${name.padEnd(16)} ${count(rows.length, 'row')}`);
  for (const path of Object.keys(before.files)) shown(`file  ${path}`);

  await scene('The plan', 'Before anything happens you see what the agent would change, row by row, how risky each step is, and whether it can be undone.');
  const plan = await run(['plan', 'cleanup.json'], { env: AS_AGENT, hides: /^ +(because|risk) / });
  const planId = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(plain(plan.text))?.[0];
  const shows = /customers +2 deleted[^]*invoices +3 deleted/;
  holds(plan.code === 0 && planId !== undefined && shows.test(plain(plan.text)), 'the plan shows it: deleting two customers would take three invoices along', plan.text);
  holds(isDeepStrictEqual(await world.state(), before), 'making it has changed nothing');

  await scene('The act, live', 'The agent may do exactly what was planned, and you watch each step; the last one bills a customer whom the first has deleted.');
  const act = start(['apply', '--plan', planId], AS_AGENT);
  let line;
  for (;;) {
    const { done, value } = await act.lines.next();
    if (done) throw new Error(`it did not fail: ${(await act.ended).text}`);
    line = value;
    if (/rolling back/.test(plain(line))) break;
    shown(steady(line));
  }

  await scene('The way back', 'Nobody has to clean up after the agent: the runtime takes back every step by itself, last one first, and reads each target again to verify it.');
  shown(steady(line));
  for await (const next of act.lines) shown(steady(next));
  say();
  const { code, text } = await act.ended;
  holds(code === 1 && (plain(text).match(/ undone +\S+ +\S+ verified$/gm) ?? []).length === 4, 'all four steps that had been done are undone and verified', text);
  await isAsBefore(before);

  await scene('What is forbidden', 'Some acts must not even begin: what could not be undone is refused outright, and your policy says which tables nobody may touch.');
  const drop = await run(['apply', 'drop.json'], { env: AS_AGENT });
  holds(drop.code === 1 && plain(drop.text).includes('INVALID_SQL'), 'DROP TABLE is refused before it begins', drop.text);
  say();
  command('cat no-cards.cedar');
  shown(NO_CARDS);
  say();
  const cards = await run(['apply', 'cards.json'], { env: AS_AGENT });
  holds(cards.code === 1 && plain(cards.text).includes('POLICY_DENIED') && !cards.text.includes('4000'), 'reading card numbers is denied by policy, and no number has left the database', cards.text);
  holds(isDeepStrictEqual(await world.state(), before), 'neither has changed anything');

  await scene('The proof', 'Every decision, act and undo is in a signed log that you can hand to an auditor who trusts neither you nor us.');
  await isLogged(/^rejected +(\S+)$/m.exec(plain(cards.text))[1]);
  const { items: [{ vkey }] } = await world.ask('GET', '/v1/audit/keys');
  writeFileSync(world.at('audit.vkey'), `${vkey}\n`);
  holds((await run(['audit', 'export', '-o', 'audit.aifirst'])).code === 0, 'the log is one file');
  await world.stopRuntime();
  holds(await fetch(world.url).then(() => false, () => true), 'the runtime is off from here on: the file has to speak for itself');
  say();
  const verified = await run(['audit', 'verify', '--offline', 'audit.aifirst', '--key', 'audit.vkey']);
  holds(verified.code === 0, 'it is whole, signed, and no outcome lacks its decision', verified.text);

  await scene('The forgery', 'Somebody with all rights on the disk flips one byte of the denial to hide it, and is found out.');
  const at = await forge();
  const forged = await run(['audit', 'verify', '--offline', 'forged.aifirst', '--key', 'audit.vkey']);
  holds(forged.code === 1 && new RegExp(`first bad index ${at}\\b`).test(forged.text), 'the forgery is found, and the entry named is the one that was changed', `${at}: ${forged.text}`);

  say();
  say('Controlled before, watched during, taken back after, proven to anybody: that is the AI-First Runtime.');
}

/** What has just happened gets into the log a moment later: waits until it tells of this end, and grows no more. */
async function isLogged(workflow) {
  let before = -1;
  for (const until = performance.now() + 15_000; performance.now() < until; await new Promise(resolve => { setTimeout(resolve, 300); })) {
    const response = await fetch(`${world.url}/v1/audit/export`, { headers: { authorization: `Bearer ${world.admin}` } });
    if (!response.ok) continue;
    const entries = entriesOf(await response.text());
    if (entries.length === before && entries.some(entry => entry.includes('workflow-ended') && entry.includes(workflow))) return;
    before = entries.length;
  }
  throw new Error('the log does not tell of the denial');
}

const entriesOf = text => JSON.parse(text.slice(0, text.lastIndexOf('}') + 1)).entries.map(entry => JSON.stringify(entry));

/** @returns the index of the entry that is changed by it */
async function forge() {
  const text = readFileSync(world.at('audit.aifirst'), 'utf8');
  const bytes = Buffer.from(text);
  bytes[bytes.indexOf('"outcome":"deny"') + '"outcome":"'.length] ^= 1;
  writeFileSync(world.at('forged.aifirst'), bytes);
  return entriesOf(text).findIndex(entry => entry.includes('"outcome":"deny"'));
}

try {
  await build();
  await tell();
} catch (error) {
  process.exitCode = 1;
  if (!isInterrupted) process.stderr.write(`\ndemo: ${error instanceof Error ? error.message : String(error)}\n`);
} finally {
  await world.end();
}
