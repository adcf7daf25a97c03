import { run } from './cli';
import type { Surroundings } from './exit';

// Why: `aifirst get workflows | head` ends when head has seen enough.
for (const stream of [process.stdout, process.stderr]) stream.on('error', (error: NodeJS.ErrnoException) => { if (error.code === 'EPIPE') process.exit(0); throw error; });

const surroundings: Surroundings = {
  env: process.env,
  out: text => { process.stdout.write(text); },
  err: text => { process.stderr.write(text); },
  terminal: { out: process.stdout.isTTY === true, err: process.stderr.isTTY === true, columns: process.stdout.columns },
  input: () => (process.stdin.isTTY === true ? null : all(process.stdin)),
  onInterrupt: listener => {
    process.once('SIGINT', listener);
    return () => { process.off('SIGINT', listener); };
  },
};

async function all(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

void run(process.argv.slice(2), surroundings).then(code => { process.exitCode = code; });
