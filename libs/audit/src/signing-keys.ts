import { Client, type ClientConfig } from 'pg';

const CURRENT = `SELECT deployment = $1 AND public_key = $2 AS same FROM signing_key WHERE to_at IS NULL ORDER BY place DESC LIMIT 1 FOR UPDATE`;

/** Notes with which key logs are signed from now on, and that a former one is not used any more. */
export async function recordSigningKey(connection: ClientConfig, deployment: string, publicKey: Buffer): Promise<void> {
  const client = new Client(connection);
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('BEGIN');
    const { rows: [current] } = await client.query<{ same: boolean }>(CURRENT, [deployment, publicKey]);
    if (current?.same !== true) {
      await client.query(`UPDATE signing_key SET to_at = clock_timestamp() WHERE to_at IS NULL`);
      await client.query(`INSERT INTO signing_key (deployment, public_key) VALUES ($1, $2)`, [deployment, publicKey]);
    }
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}
