// The clients of `npm run bench:mcp`, in a process of their own: takes what to call as one JSON argument, prints one JSON line.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const { governed, bare, tokens, connection, folder, clients: count, rounds, alone, warm } = JSON.parse(process.argv[2]);
const REVISIONS = ['2025-11-25', '2026-07-28'];
const CONTENT = 'a line of text that says something\n'.repeat(8);
/** Longer than the runtime keeps an answer waiting. */
const CALL_MS_MAX = 120_000;
const ERRORS_SHOWN = 5;

const errors = [];
const failed = (what, error) => { errors.push(`${what}: ${error instanceof Error ? error.message : error}`); };

/** Holds outputs against schemas as each client does. Why shared: hundreds of clients in one process would compile the same schemas first. */
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const compiled = new Map();
const jsonSchemaValidator = {
  getValidator(schema) {
    const key = JSON.stringify(schema);
    const validate = compiled.get(key) ?? ajv.compile(schema);
    compiled.set(key, validate);
    return data => (validate(data) ? { valid: true, data, errorMessage: undefined } : { valid: false, data: undefined, errorMessage: ajv.errorsText(validate.errors) });
  },
};

async function connected(url, token, at) {
  const revision = REVISIONS[at % REVISIONS.length];
  const client = new Client({ name: 'bench', version: '1.0.0' }, { jsonSchemaValidator, versionNegotiation: { mode: revision === REVISIONS[0] ? 'legacy' : { pin: revision } } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }), { timeout: CALL_MS_MAX });
  await client.listTools(undefined, { timeout: CALL_MS_MAX });
  return client;
}

/** @returns what a tool answered with @throws what it says instead */
async function call(client, name, input) {
  const answer = await client.callTool({ name, arguments: input }, { timeout: CALL_MS_MAX });
  if (answer.isError) throw new Error(answer.content.map(({ text }) => text).join(' '));
  return answer.structuredContent;
}

/** Times of one kind of call. */
class Times {
  ms = [];
  async of(work) {
    const began = performance.now();
    const answer = await work();
    this.ms.push(performance.now() - began);
    return answer;
  }
  /** Of what is done at once: nobody else's turn counts for it. */
  ofNow(work) {
    const began = performance.now();
    work();
    this.ms.push(performance.now() - began);
  }
  get summary() {
    const sorted = [...this.ms].sort((a, b) => a - b);
    const at = share => (sorted.length === 0 ? null : Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(2)));
    return { count: sorted.length, p50: at(0.5), p99: at(0.99) };
  }
}

function writeDirectly(path) {
  const at = join(folder, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, CONTENT);
}

async function inTransaction(client, at, times, number) {
  const path = `c${at}/t${number}.txt`;
  const { transaction } = await times.begin.of(() => call(client, 'begin_transaction', { goal: 'a short transaction', idleTimeoutMs: 600_000 }));
  await times.call.of(() => call(client, 'fs_write', { connection, path, content: CONTENT, transaction }));
  const { content } = await times.call.of(() => call(client, 'fs_read', { connection, path, transaction }));
  if (content !== CONTENT) throw new Error('it did not read what it had written');
  const { status } = await times.commit.of(() => call(client, 'commit_transaction', { transaction }));
  if (status !== 'completed') throw new Error(`the transaction ended as ${status}`);
}

const timesOf = (...names) => Object.fromEntries(names.map(name => [name, new Times()]));
const summaries = times => Object.fromEntries(Object.entries(times).map(([name, one]) => [name, one.summary]));

/** The same write in several ways by one client, one after the other: nothing else runs. */
async function byOne() {
  const times = timesOf('direct', 'bare', 'single', 'begin', 'call', 'commit');
  const [plain, ruled] = [await connected(bare, '', 0), await connected(governed, tokens[0], 0)];
  const { transaction } = await call(ruled, 'begin_transaction', { goal: 'many calls' });
  const ways = {
    bare: n => call(plain, 'fs_write', { path: `alone/bare-${n}.txt`, content: CONTENT }),
    single: n => call(ruled, 'fs_write', { connection, path: `alone/single-${n}.txt`, content: CONTENT }),
    call: n => call(ruled, 'fs_write', { connection, path: `alone/call-${n}.txt`, content: CONTENT, transaction }),
  };
  for (let n = 0; n < alone; n++) times.direct.ofNow(() => { writeDirectly(`alone/direct-${n}.txt`); });
  for (const [name, write] of Object.entries(ways)) {
    for (let n = -warm; n < alone; n++) await (n < 0 ? write(n) : times[name].of(() => write(n)));
  }
  await call(ruled, 'commit_transaction', { transaction });
  for (let n = 0; n < Math.ceil(alone / 4); n++) await inTransaction(ruled, 'alone', { ...times, call: new Times() }, n);
  await Promise.all([plain.close(), ruled.close()]);
  return summaries(times);
}

/** All clients at once. */
async function byAll() {
  const times = timesOf('connect', 'direct', 'bare', 'single', 'begin', 'call', 'commit');
  const all = async (what, work) => Promise.all(Array.from({ length: count }, async (_, at) => { try { return await work(at); } catch (error) { failed(what, error); return null; } }));
  const ruled = await all('connecting', at => times.connect.of(() => connected(governed, tokens[at % tokens.length], at)));
  let transactions = 0;
  const began = performance.now();
  await all('a transaction', async at => { for (let n = 0; n < rounds; n++) { await inTransaction(ruled[at], at, times, n); transactions++; } });
  const seconds = (performance.now() - began) / 1_000;
  await all('a single call', at => times.single.of(() => call(ruled[at], 'fs_write', { connection, path: `c${at}/single.txt`, content: CONTENT })));
  await all('closing', at => ruled[at].close());
  const plain = await all('connecting to the bare server', at => connected(bare, '', at));
  await all('a bare call', async at => { for (let n = 0; n < 2 * rounds; n++) await times.bare.of(() => call(plain[at], 'fs_write', { path: `c${at}/bare-${n}.txt`, content: CONTENT })); });
  await all('closing', at => plain[at].close());
  await all('a direct write', async at => { for (let n = 0; n < 2 * rounds; n++) times.direct.ofNow(() => { writeDirectly(`c${at}/direct-${n}.txt`); }); });
  return { transactions, transactionsPerSecond: Number((transactions / seconds).toFixed(1)), ...summaries(times) };
}

process.once('disconnect', () => { process.exit(1); });
const one = await byOne().catch(error => { failed('a client alone', error); return null; });
process.send?.({ phase: 'alone' });
const load = await byAll();
process.send?.({ phase: 'load' });
console.log(JSON.stringify({ one, load, errors: errors.length, ...(errors.length > 0 && { firstErrors: [...new Set(errors.map(error => error.slice(0, 500)))].slice(0, ERRORS_SHOWN) }) }));
process.exit(0);
