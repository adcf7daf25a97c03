// Sets what this benchmark printed beside what others printed who did the same work in the same hour: `cat lines | npm run --silent bench:ratios`.
// A line of ours has `benchmark`; a line of another has `peer` with `load_ok_c50.wf_per_s`, `load_ok_c200.wf_per_s` and `seq_ok.p50_ms`, its version if it likes.
// Prints one JSON line for each pair: times their rate at 50 and 200 in flight (more is better), times their latency alone (less is better).
import { readFileSync } from 'node:fs';

const lines = readFileSync(0, 'utf8').split('\n').flatMap(line => { try { const value = JSON.parse(line); return typeof value === 'object' && value !== null ? [value] : []; } catch { return []; } });
const rateOf = load => load?.wf_per_s;
const ours = lines.filter(line => line.benchmark !== undefined && line.inFlight50 !== undefined);
const peers = lines.filter(line => line.peer !== undefined);
if (ours.length === 0 || peers.length === 0) {
  console.error('there is nothing to compare: lines of `npm run bench` and of others are needed on standard input');
  process.exit(2);
}
const times = (a, b) => (a > 0 && b > 0 ? Number((a / b).toFixed(2)) : null);
for (const own of ours) {
  for (const peer of peers) {
    const [at50, at200, alone] = [rateOf(peer.load_ok_c50), rateOf(peer.load_ok_c200), peer.seq_ok?.p50_ms];
    console.log(JSON.stringify({
      benchmark: own.benchmark, ...(own.copies === undefined ? {} : { copies: own.copies }), peer: peer.peer, version: peer.version,
      ours: { at50: own.inFlight50.perSecond, at200: own.inFlight200?.perSecond, aloneMs: own.sequential.p50 }, theirs: { at50, at200, aloneMs: alone },
      times: { at50: times(own.inFlight50.perSecond, at50), at200: times(own.inFlight200?.perSecond, at200), alone: times(own.sequential.p50, alone) },
    }));
  }
}
