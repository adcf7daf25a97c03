import { connect, createServer, type Socket } from 'node:net';

export type Cut = /** COMMIT never arrives. */ 'before' | /** COMMIT arrives, and the line is gone at once. */ 'during' | /** The answer never comes back. */ 'after' | /** Nothing comes back, and nothing breaks. */ 'silent';
const COMMIT = Buffer.from('COMMIT\0');

export interface CuttingProxy {
  readonly port: number;
  /** At the next COMMIT that passes; once. */
  cutAt(cut: Cut | null): void;
  close(): Promise<void>;
}

/** Stands between a client and a server and breaks the line where it hurts. */
export async function openCuttingProxy(socketPath: string): Promise<CuttingProxy> {
  let armed: Cut | null = null;
  const sockets = new Set<Socket>();
  const server = createServer(client => {
    const target = connect(socketPath);
    let isMute = false;
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => { sockets.delete(socket); });
    }
    const cutBoth = (): void => { client.destroy(); target.destroy(); };
    client.on('close', () => target.destroy());
    target.on('close', () => { if (!isMute) client.destroy(); });
    client.on('data', bytes => {
      const cut = armed !== null && bytes.includes(COMMIT) ? armed : null;
      if (cut === null) { target.write(bytes); return; }
      armed = null;
      if (cut === 'before') return cutBoth();
      isMute = true;
      target.write(bytes, () => { if (cut === 'during') cutBoth(); });
      if (cut === 'after') target.once('data', cutBoth);
    });
    target.on('data', bytes => { if (!isMute) client.write(bytes); });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    cutAt: cut => { armed = cut; },
    close: () => new Promise(resolve => { for (const socket of sockets) socket.destroy(); server.close(() => resolve()); }),
  };
}
