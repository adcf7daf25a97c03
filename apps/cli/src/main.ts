import { run } from './cli';

void run(process.argv.slice(2), { env: process.env, out: text => { process.stdout.write(text); }, err: text => { process.stderr.write(text); } })
  .then(code => { process.exitCode = code; });
