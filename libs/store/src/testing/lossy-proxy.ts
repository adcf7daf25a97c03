import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * passing    carries everything
 * refusing   ends each new connection at once
 * swallowing hands on what the client says; the server's answer to it is lost with the connection
 * leaving    the client is cut off as soon as it has spoken, the server is left waiting for it
 */
export type ProxyMode = 'passing' | 'refusing' | 'swallowing' | 'leaving';

/** Stands between a client and a PostgreSQL on a Unix socket, for tests of lost connections. Loses once, then passes again unless it refuses. */
export class LossyProxy {
  mode: ProxyMode = 'passing';
  /** Goes to this once a connection was lost. */
  afterwards: ProxyMode = 'passing';
  readonly host = mkdtempSync(join(tmpdir(), 'aifirst-proxy-'));
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer(client => this.#join(client));

  constructor(private readonly target: { readonly host: string; readonly port: number }) {}

  async start(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(join(this.host, `.s.PGSQL.${this.target.port}`), resolve));
    return this;
  }

  /** Cuts every connection there is. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise(resolve => this.#server.close(resolve));
    rmSync(this.host, { recursive: true, force: true });
  }

  #join(client: Socket): void {
    if (this.mode === 'refusing') { client.destroy(); return; }
    const server = connect(join(this.target.host, `.s.PGSQL.${this.target.port}`));
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    }
    let isDoomed = false;
    client.on('data', chunk => {
      server.write(chunk);
      isDoomed ||= this.mode === 'swallowing';
      if (this.mode !== 'leaving') return;
      this.mode = this.afterwards;
      client.destroy();
    });
    server.on('data', chunk => {
      if (!isDoomed) { client.write(chunk); return; }
      this.mode = this.afterwards;
      client.destroy();
      server.destroy();
    });
    client.on('end', () => server.end());
    server.on('close', () => client.destroy());
  }
}
