import { createServer } from 'node:net';

/** Below the ports that systems give to outgoing connections, so that one stays free between a stop and the next start. */
const FIRST = 12_000;
const COUNT = 20_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

/** The first of so many in a row. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const all = await Promise.all(Array.from({ length: count }, (_, at) => isFree(first + at)));
    if (all.every(Boolean)) return first;
  }
}

const isFree = (port: number): Promise<boolean> => new Promise(resolve => {
  const server = createServer();
  server.once('error', () => { resolve(false); });
  server.listen(port, '127.0.0.1', () => { server.close(() => { resolve(true); }); });
});
