import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { startTestPostgres, type TestPostgres } from '@aifirst/embedded-postgres/testing';

/** Set by the jest project `distributed`: the same tests, every service its own process. */
export const isDistributed = process.env['AIFIRST_STACK'] === 'distributed';

/** Among how many the work of each stack is shared, unless a test says otherwise. */
const SHARDS = process.env['AIFIRST_SHARDS'] ?? '';

/** What services of their own need besides: a PostgreSQL server of this stack alone, and topics of its own on the broker that all share. */
export class Distribution {
  private postgres: TestPostgres | null = null;
  private readonly prefix = `t${randomBytes(5).toString('hex')}.`;

  async prepare(): Promise<void> { this.postgres ??= await startTestPostgres(); }

  environment(): Record<string, string> {
    const brokers = process.env['AIFIRST_TEST_KAFKA_BROKERS'] ?? '';
    const { host, port, user, password, database } = this.postgres!.connection;
    const url = `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
    return { ...(brokers === '' ? {} : { KAFKA_BROKERS: brokers }), KAFKA_TOPIC_PREFIX: this.prefix, DATABASE_URL: url, ...(SHARDS === '' ? {} : { SHARDS }) };
  }

  /** Of the database's server: another one after it was killed, as it is started again. */
  get postgresPid(): number { return this.postgres!.pid; }

  /** Where the shared broker keeps its logs, uncompressed; null: it is somebody else's. */
  readonly brokerFolder = process.env['AIFIRST_TEST_KAFKA_FOLDER'] ?? null;
  /** Topics of this stack begin with it. */
  get topicPrefix(): string { return this.prefix; }

  /** Resolves when all that the database's server holds is in its files. @returns their folder */
  async databaseOnDisk(): Promise<string> {
    const client = new Client(this.postgres!.connection);
    await client.connect();
    try { await client.query('CHECKPOINT'); } finally { await client.end(); }
    return this.postgres!.dataPath;
  }

  async stop(): Promise<void> { await this.postgres?.stop(); }
}
