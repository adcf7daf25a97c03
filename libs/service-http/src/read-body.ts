import type { IncomingMessage } from 'node:http';
import { OperationalError } from '@aifirst/kernel';

export class BodyTooLarge extends Error {
  constructor(bytesMax: number) { super(`the body has more than ${bytesMax} bytes`); }
}

/** @throws BodyTooLarge before more than that is in memory; OperationalError CONNECTION_LOST */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) { reject(new BodyTooLarge(bytesMax)); return; }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= bytesMax) { chunks.push(chunk); return; }
      request.off('data', take);
      request.resume();
      reject(new BodyTooLarge(bytesMax));
    };
    request.on('data', take);
    request.once('end', () => { resolve(Buffer.concat(chunks)); });
    const lost = (cause?: unknown): void => { reject(new OperationalError('CONNECTION_LOST', 'the connection was lost in the middle of the question', { retryable: true, cause })); };
    request.once('error', lost);
    request.once('close', () => { lost(); });
  });
}
