import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Client } from 'pg';
import { startTestPostgres } from './index';

describe('the PostgreSQL for a test file', () => {
  it('answers on its socket, makes databases, and leaves nothing', async () => {
    const postgres = await startTestPostgres();
    const client = new Client(await postgres.createDatabase('other'));
    await client.connect();
    const { rows } = await client.query('SELECT current_database() AS name, version() AS version');
    await client.end();
    await postgres.stop();
    expect(rows[0]).toMatchObject({ name: 'other', version: expect.stringContaining('PostgreSQL 18') });
    expect(existsSync(dirname(dirname(postgres.dataPath)))).toBe(false);
    expect(() => process.kill(postgres.pid, 0)).toThrow('ESRCH');
  });
});
