// Closed-loop load on a running server, from a process of its own: `node driver.mjs <url> <token>`, one JSON line as answer.
// SECS (20), WARM (5), CONCS (50,200), SEQ (200) set the size.
import http from 'node:http';

const [url, token] = process.argv.slice(2);
const seconds = Number(process.env.SECS ?? 20);
const warmSeconds = Number(process.env.WARM ?? 5);
const concurrencies = (process.env.CONCS ?? '50,200').split(',').map(Number);
const sequential = Number(process.env.SEQ ?? 200);
const { hostname, port } = new URL(url);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1024 });

const body = fail => JSON.stringify({
  goal: 'bench', steps: [1, 2, 3].map(step => ({
    id: `s${step}`, capability: 'noop', input: { value: step, ...(fail && step === 3 ? { fail: 'clean' } : {}) }, ...(step > 1 ? { dependsOn: [`s${step - 1}`] } : {}),
  })),
});
const BODIES = { good: body(false), failing: body(true) };

function once(kind) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      hostname, port, method: 'POST', path: '/v1/intents', agent,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=30', 'content-length': BODIES[kind].length },
    }, response => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', chunk => { text += chunk; });
      response.on('end', () => {
        if (response.statusCode !== 200) { reject(new Error(`${response.statusCode} ${text.slice(0, 300)}`)); return; }
        // Why: a whole parse of the answer would measure the driver.
        const wanted = kind === 'good' ? '"status":"completed"' : '"status":"rolledBack"';
        if (text.includes(wanted)) resolve(); else reject(new Error(`wrong outcome: ${text.slice(0, 300)}`));
      });
    });
    request.on('error', reject);
    request.end(BODIES[kind]);
  });
}

const quantile = (sorted, share) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(2));

async function closedLoop(kind, concurrency) {
  const latencies = [];
  let errors = 0, firstError;
  const from = performance.now() + warmSeconds * 1000;
  const until = from + seconds * 1000;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (performance.now() < until) {
      const start = performance.now();
      try {
        await once(kind);
        const end = performance.now();
        if (end >= from && end < until) latencies.push(end - start);
      } catch (error) {
        errors++;
        firstError ??= String(error);
        if (errors > 200) return;
      }
    }
  }));
  latencies.sort((a, b) => a - b);
  return { perSecond: Number((latencies.length / seconds).toFixed(1)), p50: latencies.length ? quantile(latencies, 0.5) : null, p99: latencies.length ? quantile(latencies, 0.99) : null, count: latencies.length, errors, ...(firstError && { firstError }) };
}

async function oneByOne(kind, count) {
  for (let i = 0; i < 30; i++) await once(kind);
  const latencies = [];
  for (let i = 0; i < count; i++) { const start = performance.now(); await once(kind); latencies.push(performance.now() - start); }
  latencies.sort((a, b) => a - b);
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), count };
}

const result = { sequential: await oneByOne('good', sequential), sequentialUndone: await oneByOne('failing', sequential) };
for (const concurrency of concurrencies) {
  result[`inFlight${concurrency}`] = await closedLoop('good', concurrency);
  process.send?.({ phase: `inFlight${concurrency}` });
}
result[`undoneInFlight${concurrencies[0]}`] = await closedLoop('failing', concurrencies[0]);
console.log(JSON.stringify(result));
agent.destroy();
