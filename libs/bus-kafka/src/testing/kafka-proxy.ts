import { connect, createServer, type Socket } from 'node:net';

const PRODUCE = 0;
/** Size, then api key, version and correlation id of a request; of an answer the correlation id. */
const REQUEST_HEADER_BYTES = 12;
const ANSWER_HEADER_BYTES = 8;

/** A proxy between clients and a broker that passes bytes, cuts connections, and keeps answers back. */
export interface KafkaProxy {
  readonly brokers: string[];
  /** How many answers to produce requests were kept back. */
  readonly acksCut: number;
  /** Of the next `count` produce requests that the broker has answered, the answer is lost and the connection cut. */
  cutAcks(count: number): void;
  /** Ends all connections there are. */
  cutAll(): void;
  /** While refusing, new connections end at once. */
  refuse(refusing: boolean): void;
  stop(): Promise<void>;
}

export async function startKafkaProxy({ listen, target }: { readonly listen: number; readonly target: number }): Promise<KafkaProxy> {
  const pairs = new Set<{ readonly client: Socket; readonly broker: Socket }>();
  let toCut = 0;
  let acksCut = 0;
  let refusing = false;
  const server = createServer(client => {
    if (refusing) { client.resetAndDestroy(); return; }
    const broker = connect(target, '127.0.0.1');
    const pair = { client, broker };
    pairs.add(pair);
    const produces = new Set<number>();
    const end = (): void => { pairs.delete(pair); client.destroy(); broker.destroy(); };
    for (const socket of [client, broker]) { socket.setNoDelay(true); socket.on('error', end); socket.on('close', end); }
    const requests = frames(REQUEST_HEADER_BYTES, frame => { if (frame.readInt16BE(4) === PRODUCE) produces.add(frame.readInt32BE(8)); });
    const answers = frames(ANSWER_HEADER_BYTES, frame => {
      if (!produces.delete(frame.readInt32BE(4)) || toCut === 0) return;
      toCut--;
      acksCut++;
      end();
    });
    client.on('data', chunk => { requests(chunk); broker.write(chunk); });
    broker.on('data', chunk => { answers(chunk); if (!client.destroyed) client.write(chunk); });
  });
  await new Promise<void>((resolve, reject) => { server.once('error', reject); server.listen(listen, '127.0.0.1', resolve); });
  const cutAll = (): void => { for (const { client, broker } of [...pairs]) { client.resetAndDestroy(); broker.destroy(); } };
  return {
    brokers: [`127.0.0.1:${listen}`],
    get acksCut() { return acksCut; },
    cutAcks: count => { toCut += count; },
    cutAll,
    refuse: value => { refusing = value; },
    stop: async () => { refusing = true; cutAll(); await new Promise<void>(resolve => { server.close(() => { resolve(); }); }); },
  };
}

/** Tells the head of each frame of a stream, whatever pieces it comes in. */
function frames(headBytes: number, onHead: (head: Buffer) => void): (chunk: Buffer) => void {
  let head = Buffer.alloc(0);
  let skip = 0;
  return chunk => {
    for (let at = 0; at < chunk.length;) {
      if (skip > 0) {
        const skipped = Math.min(skip, chunk.length - at);
        skip -= skipped;
        at += skipped;
        continue;
      }
      const wanted = headBytes - head.length;
      head = Buffer.concat([head, chunk.subarray(at, at + wanted)]);
      at += wanted;
      if (head.length < headBytes) return;
      skip = head.readInt32BE(0) + 4 - headBytes;
      onHead(head);
      head = Buffer.alloc(0);
    }
  };
}
