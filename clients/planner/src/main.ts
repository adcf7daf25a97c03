import { run } from './cli/run';
import { TypedLines } from './cli/typed-lines';

// Why: `aifirst-planner … | head` ends when head has seen enough.
for (const stream of [process.stdout, process.stderr]) stream.on('error', (error: NodeJS.ErrnoException) => { if (error.code === 'EPIPE') process.exit(0); throw error; });

// Why read from the beginning: what is typed before the question must not become its answer.
const typed = process.stdin.isTTY === true ? new TypedLines(process.stdin) : null;

void run(process.argv.slice(2), {
  env: process.env,
  out: text => { process.stdout.write(text); },
  err: text => { process.stderr.write(text); },
  terminal: { input: typed !== null, out: process.stdout.isTTY === true, err: process.stderr.isTTY === true },
  ask: async show => (typed === null ? null : typed.next(show)),
  onInterrupt: listener => { process.once('SIGINT', listener); return () => { process.off('SIGINT', listener); }; },
}).then(code => { process.exitCode = code; }).finally(() => { typed?.close(); });
