import fc from 'fast-check';
import { ConfigInvalid, readConfig } from './config';

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
    ['KAFKA_BROKERS', 'Kafka comes with start:distributed'], ['KAFKA_SASL_PASSWORD', 'Kafka comes with start:distributed'], ['KAFKA_TLS_CA', 'Kafka comes with start:distributed'],
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
      adapterLabels: {}, undoWindowDays: 30, idempotencyDays: 30, historyDays: 90, deployment: 'aifirst', demo: true, logLevel: 'info',
    });
  });

  it('takes what is given', () => {
    const url = 'postgresql:///aifirst?host=/var/run/postgresql';
    expect(readConfig({
      PORT: ' 0 ', HOST: '::', DATA_DIR: '../data', DATABASE_URL: url, AUDIT_DATABASE_URL: 'postgres://u:p@h:5433/audit', ADMIN_TOKEN: 'aifirst_admin_x',
      MASTER_KEY_FILE: '/run/secrets/master', AUDIT_KEY_FILE: 'keys/audit', ADAPTER_LABELS: 'zone=north, disk=fast', UNDO_WINDOW_DAYS: '7', DEPLOYMENT: 'example.com/prod',
      DEMO: '0', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', LOG_LEVEL: 'debug',
    }, at)).toEqual({
      port: 0, host: '::', dataDir: '/srv/data', databaseUrl: url, serviceDatabaseUrls: { audit: 'postgres://u:p@h:5433/audit' }, adminToken: 'aifirst_admin_x',
      masterKeyFile: '/run/secrets/master', auditKeyFile: '/srv/runtime/keys/audit', serviceKeyFile: '/srv/data/service.key',
      adapterLabels: { zone: 'north', disk: 'fast' }, undoWindowDays: 7, idempotencyDays: 30, historyDays: 90, deployment: 'example.com/prod',
      demo: false, otlpEndpoint: 'http://collector:4318', logLevel: 'debug',
    });
  });
});
