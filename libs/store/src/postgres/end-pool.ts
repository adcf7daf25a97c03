import type { Pool } from 'pg';

/** The pool's own `end` resolves before its sockets are closed. */
export async function endPool(pool: Pool): Promise<void> {
  if (pool.ended || pool.ending) return;
  const closed = pool.totalCount === 0 ? Promise.resolve() : new Promise<void>(resolve => {
    pool.on('remove', () => { if (pool.totalCount === 0) resolve(); });
  });
  await pool.end();
  await closed;
}
