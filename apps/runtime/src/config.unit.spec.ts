import fc from 'fast-check';
import { ConfigInvalid, readConfig, readServiceConfig } from './config';

const at = '/srv/runtime';
const refusalOf = (env: Record<string, string>): ConfigInvalid => {
  try { readConfig(env, at); } catch (error) { if (error instanceof ConfigInvalid) return error; throw error; }
  throw new Error('was accepted');
};

describe('the configuration', () => {
  it.each([
    ['PORT', '65536', '0 to 65535'], ['PORT', '-1', 'whole number'], ['PORT', '7400x', 'whole number'], ['PORT', '0x10', 'whole number'], ['PORT', '1e3', 'whole number'],
    ['HOST', 'http://x', 'IP address or a host name'], ['HOST', '127.0.0.1:80', 'without port'], ['HOST', '127.0.0.256', 'IP address'],
    ['UNDO_WINDOW_DAYS', '0', '1 to 36500'], ['IDEMPOTENCY_DAYS', '1.5', '1 to 36500'], ['HISTORY_DAYS', 'forever', '1 to 36500'],
    ['MCP_ORIGINS', 'console.example.com', 'origins'], ['MCP_ORIGINS', 'https://x.example/', 'without path'],
    ['DEPLOYMENT', 'a b', 'letters'], ['DEPLOYMENT', 'a+b', 'letters'],
    ['DEMO', 'yes', '0 or 1'], ['LOG_LEVEL', 'loud', 'debug, info, warn, error'],
    ['ADAPTER_LABELS', 'zone', 'zone=north'], ['ADAPTER_LABELS', 'a=1,a=2', 'every name once'], ['ADAPTER_LABELS', 'a=1,,b=2', 'zone=north'],
  ])('refuses %s=%s and says what is allowed', (variable, value, allowed) => {
    const refusal = refusalOf({ [variable]: value });
    expect(refusal).toMatchObject({ code: 'CONFIG_INVALID', variable, retryable: false });
    expect(refusal.message).toBe(refusal.message.split('\n')[0]);
    expect(refusal.message).toContain(`${variable} is ${JSON.stringify(value)}`);
    expect(refusal.message).toContain(allowed);
  });

  it.each([
    ['DATABASE_URL', 'mysql://u:hunter2@h/d'], ['DATABASE_URL', 'hunter2'], ['ADAPTER_OS_DATABASE_URL', 'hunter2'],
    ['ADMIN_TOKEN', 'hunter2'], ['ADMIN_TOKEN', 'hunter2 hunter2 hunter2'], ['ADMIN_TOKEN', `hunter2${'x'.repeat(600)}`], ['OTEL_EXPORTER_OTLP_ENDPOINT', 'u:hunter2@collector:4318'],
  ])('refuses a bad %s without showing it', (variable, value) => {
    const refusal = refusalOf({ [variable]: value });
    expect(refusal.message).toMatch(new RegExp(`^${variable} \\(its value is not shown\\) must be `));
    expect(`${refusal.message}${refusal.stack}`).not.toContain('hunter2');
  });

  it.each([
    ['KAFKA_BROKERS', 'Kafka comes with start:distributed'], ['SHARDS', 'Kafka comes with start:distributed'], ['KAFKA_SASL_PASSWORD', 'Kafka comes with start:distributed'], ['KAFKA_TLS_CA', 'Kafka comes with start:distributed'],
    ['OIDC_ISSUER', 'not built yet'], ['OIDC_AUDIENCE', 'not built yet'], ['GATEWAY_URLS', 'start:distributed'], ['ADAPTER_CLOUD_URLS', 'start:distributed'],
  ])('ignores nothing silently: %s is refused', (variable, why) => {
    expect(refusalOf({ [variable]: 'hunter2' }).message).toMatch(new RegExp(`^${variable} is set, but .*${why}`));
    expect(refusalOf({ [variable]: 'hunter2' }).message).not.toContain('hunter2');
    expect(() => readConfig({ [variable]: '' }, at)).not.toThrow();
  });

  it('refuses ALLOW_STDIO_MCP unless it says 0', () => {
    expect(refusalOf({ ALLOW_STDIO_MCP: '1' }).message).toContain('not built yet');
    expect(refusalOf({ ALLOW_STDIO_MCP: 'yes' }).message).toContain('0 or 1');
    expect(() => readConfig({ ALLOW_STDIO_MCP: '0' }, at)).not.toThrow();
  });

  it('says everything in one line, whatever the value', () => {
    fc.assert(fc.property(fc.constantFrom('PORT', 'HOST', 'LOG_LEVEL', 'DEMO', 'ADAPTER_LABELS', 'DEPLOYMENT', 'DATABASE_URL', 'ADMIN_TOKEN'), fc.string({ unit: 'binary' }), (variable, value) => {
      try {
        readConfig({ [variable]: value }, at);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigInvalid);
        expect((error as Error).message).not.toMatch(/[\n\r]/);
        expect((error as Error).message.length).toBeLessThan(700);
      }
    }));
  });

  it('needs nothing', () => {
    expect(readConfig({}, at)).toEqual({
      port: 7400, host: '127.0.0.1', dataDir: '/srv/runtime/.aifirst', serviceDatabaseUrls: {},
      masterKeyFile: '/srv/runtime/.aifirst/master.key', auditKeyFile: '/srv/runtime/.aifirst/audit.key', serviceKeyFile: '/srv/runtime/.aifirst/service.key',
      adapterLabels: {}, undoWindowDays: 30, idempotencyDays: 30, historyDays: 90, deployment: 'aifirst', mcpOrigins: [], demo: true, logLevel: 'info',
    });
  });

  it('takes what is given', () => {
    const url = 'postgresql:///aifirst?host=/var/run/postgresql';
    expect(readConfig({
      PORT: ' 0 ', HOST: '::', DATA_DIR: '../data', DATABASE_URL: url, AUDIT_DATABASE_URL: 'postgres://u:p@h:5433/audit', ADMIN_TOKEN: 'aifirst_admin_x',
      MASTER_KEY_FILE: '/run/secrets/master', AUDIT_KEY_FILE: 'keys/audit', ADAPTER_LABELS: 'zone=north, disk=fast', UNDO_WINDOW_DAYS: '7', DEPLOYMENT: 'example.com/prod',
      DEMO: '0', MCP_ORIGINS: 'https://console.example.com, http://10.0.0.1:8080', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', LOG_LEVEL: 'debug',
    }, at)).toEqual({
      port: 0, host: '::', dataDir: '/srv/data', databaseUrl: url, serviceDatabaseUrls: { audit: 'postgres://u:p@h:5433/audit' }, adminToken: 'aifirst_admin_x',
      masterKeyFile: '/run/secrets/master', auditKeyFile: '/srv/runtime/keys/audit', serviceKeyFile: '/srv/data/service.key',
      adapterLabels: { zone: 'north', disk: 'fast' }, undoWindowDays: 7, idempotencyDays: 30, historyDays: 90, deployment: 'example.com/prod', mcpOrigins: ['https://console.example.com', 'http://10.0.0.1:8080'],
      demo: false, otlpEndpoint: 'http://collector:4318', logLevel: 'debug',
    });
  });
});

describe('the configuration of one service', () => {
  const needed = { KAFKA_BROKERS: '127.0.0.1:9092', DATABASE_URL: 'postgres://u:p@h:5432/d' };
  const refused = (env: Record<string, string | undefined>): string => {
    try { readServiceConfig({ ...needed, ...env }, 'orchestrator', at); } catch (error) { if (error instanceof ConfigInvalid) return error.message; throw error; }
    throw new Error('was accepted');
  };

  it.each([
    [{ KAFKA_BROKERS: undefined }, 'KAFKA_BROKERS is not set'], [{ SHARDS: '0' }, 'from 1 to 64'], [{ SHARDS: '3' }, 'a number that divides KAFKA_PARTITIONS (4)'], [{ SHARDS: '8' }, 'divides KAFKA_PARTITIONS'], [{ KAFKA_BROKERS: 'broker' }, 'host:port'], [{ KAFKA_BROKERS: 'a:1,b' }, 'host:port'],
    [{ DATABASE_URL: undefined }, 'DATABASE_URL is not set, nor is ORCHESTRATOR_DATABASE_URL'], [{ DATABASE_URL: 'mysql://x' }, 'PostgreSQL address'],
    [{ KAFKA_SASL_USERNAME: 'u' }, 'set all or none'], [{ KAFKA_SASL_MECHANISM: 'gssapi', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' }, 'plain, scram-sha-256'],
    [{ KAFKA_TLS_CERT: 'c.pem' }, 'set both or none'], [{ POLICY_URLS: 'policy:7402' }, 'http://'], [{ KAFKA_PARTITIONS: '0' }, '1 to 1000'],
    [{ KAFKA_TOPIC_PREFIX: 'a b' }, 'letters'], [{ INTENT_FRESHNESS_SECONDS: '0' }, '1 to 86400'], [{ ADVERTISED_URL: 'gateway' }, 'http://'], [{ OIDC_ISSUER: 'https://x' }, 'not built yet'],
  ] as const)('refuses %j in one line', (env, says) => {
    const message = refused(env);
    expect(message).toContain(says);
    expect(message).not.toMatch(/[\n\r]/);
  });

  it('never shows a password', () => {
    expect(refused({ KAFKA_SASL_PASSWORD: 'hunter2' })).not.toContain('hunter2');
    expect(refused({ DATABASE_URL: 'mysql://u:hunter2@h' })).not.toContain('hunter2');
  });

  it('knows where each service listens and is asked', () => {
    expect(readServiceConfig(needed, 'gateway', at).port).toBe(7400);
    const { port, urls } = readServiceConfig({ ...needed, POLICY_URLS: 'http://a:7402, http://b:7402/' }, 'orchestrator', at);
    expect([port, urls.policy, urls['adapter-cloud']]).toEqual([7401, ['http://a:7402', 'http://b:7402'], ['http://127.0.0.1:7407']]);
  });

  it('takes a database without a host: a socket\'s folder', () => {
    expect(readServiceConfig({ ...needed, DATABASE_URL: 'postgres://u:p@/d?host=%2Frun%2Fpg' }, 'policy', at).databaseUrl).toContain('host=%2Frun%2Fpg');
  });

  it('takes what is given of Kafka', () => {
    const { kafka } = readServiceConfig({ ...needed, KAFKA_BROKERS: 'a:1, [::1]:2', KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p', KAFKA_TLS_CA: 'ca.pem', KAFKA_PARTITIONS: '12', KAFKA_TOPIC_PREFIX: 'stage.' }, 'audit', at);
    expect(kafka).toEqual({ brokers: ['a:1', '[::1]:2'], sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' }, tls: { caFile: '/srv/runtime/ca.pem' }, partitions: 12, topicPrefix: 'stage.' });
  });
});
