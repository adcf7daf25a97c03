import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { AgentEntry } from '@aifirst/identity';
import type { JsonObject } from '@aifirst/kernel';
import type { RawRecord } from './raw-topic';
import { verifyRecord } from './verify-record';

const PACKAGE = join(__dirname, '../../../../clients/python');
/** `AIFIRST_TEST_PYTHON`: one that has what `clients/python/requirements.txt` names. */
const PYTHON = process.env['AIFIRST_TEST_PYTHON'] ?? 'python3';
const hasLibraries = spawnSync(PYTHON, ['-c', 'import cryptography, httpx'], { stdio: 'ignore' }).status === 0;
if (!hasLibraries) process.stderr.write(`What \`aifirst.kafka\` signs is not tried: ${PYTHON} has not what clients/python/requirements.txt names (AIFIRST_TEST_PYTHON)\n`);

interface Signed { readonly id: string; readonly kid: string; readonly jwk: JsonObject; readonly value: string; readonly headers: Record<string, string> }

(hasLibraries ? describe : describe.skip)('what the Python package signs', () => {
  const source = '0198c000-0000-7000-8000-000000000001';
  let signed: Signed[];
  beforeAll(() => {
    const { stdout, stderr, status } = spawnSync(PYTHON, [join(PACKAGE, 'tests/signed_records.py'), source], { encoding: 'utf8', env: { ...process.env, PYTHONPATH: join(PACKAGE, 'src'), PYTHONDONTWRITEBYTECODE: '1' } });
    if (status !== 0) throw new Error(stderr);
    signed = stdout.trim().split('\n').map(line => JSON.parse(line) as Signed);
  });
  const judge = ({ kid, jwk, value, headers }: Signed, change: (record: RawRecord) => RawRecord = record => record, deployment = 'aifirst') => {
    const agent = { tenant: 'default', id: source, revision: 1, data: { suspended: false, keys: [{ kid, jwk, createdAt: '' }] } } as unknown as AgentEntry;
    const record: RawRecord = {
      topic: 'aifirst.intents.v1', partition: 0, offset: 0, timestamp: Date.now(), timestampType: 'LogAppendTime', key: null, value: Buffer.from(value, 'base64'),
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
    };
    return verifyRecord(change(record), { findAgent: id => (id === source ? agent : null), deployment, freshnessMs: 300_000 });
  };
  const over = (name: string, text: string) => (record: RawRecord): RawRecord => ({ ...record, headers: { ...record.headers, [name]: Buffer.from(text) } });

  it('is taken as the intent that it was, in both modes and with both algorithms', async () => {
    expect(signed.map(({ kid }) => kid)).toEqual(['EdDSA binary', 'ES256 binary', 'EdDSA structured', 'ES256 structured']);
    for (const one of signed) {
      const verdict = await judge(one);
      expect(verdict).toMatchObject({ kind: 'intent', id: one.id, kid: one.kid, attributes: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } });
      if (verdict.kind !== 'intent') continue;
      expect(JSON.parse(verdict.data.toString())).toEqual({ goal: 'über Kafka 🗂', steps: [{ id: 'noop', capability: 'noop', input: { value: 42 } }, { id: 'noop-2', capability: 'noop', input: { value: { $ref: '#/steps/noop/output/value' } } }] });
    }
  });
  it('is refused once a byte of it is another, for another deployment, or with another end of its time', async () => {
    for (const one of signed) {
      expect(await judge(one, record => ({ ...record, value: Buffer.concat([record.value!, Buffer.from(' ')]) }))).toMatchObject({ kind: 'refused', code: 'BAD_SIGNATURE' });
      expect(await judge(one, undefined, 'another')).toMatchObject({ kind: 'refused', code: 'WRONG_AUDIENCE' });
      if (one.kid.endsWith('binary')) expect(await judge(one, over('ce_expirytime', '2100-01-01T00:00:00Z'))).toMatchObject({ kind: 'refused', code: 'ATTRIBUTE_MISMATCH' });
    }
  });
});
