import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { AgentEntry } from '@aifirst/identity';
import type { JsonObject } from '@aifirst/kernel';
import type { RawRecord } from './raw-topic';
import { verifyRecord } from './verify-record';

const CLIENT = join(__dirname, '../../../../test/clients/python/intents.py');
/** `AIFIRST_TEST_PYTHON`: one that has what `requirements.txt` names. */
const PYTHON = process.env['AIFIRST_TEST_PYTHON'] ?? 'python3';
const hasLibrary = spawnSync(PYTHON, ['-c', 'import joserfc'], { stdio: 'ignore' }).status === 0;
if (!hasLibrary) process.stderr.write(`The Python client's signatures are not tried: ${PYTHON} has no joserfc (pip install -r test/clients/python/requirements.txt, AIFIRST_TEST_PYTHON)\n`);

interface Signed { readonly mode: string; readonly kid: string; readonly jwk: JsonObject; readonly event: { readonly id: string }; readonly value: string; readonly headers: Record<string, string> }

(hasLibrary ? describe : describe.skip)('what a Python JOSE library signs', () => {
  const source = '0198c000-0000-7000-8000-000000000001';
  let signed: Signed[];
  beforeAll(() => {
    const { stdout, stderr, status } = spawnSync(PYTHON, [CLIENT, 'sign', '--source', source, '--deployment', 'aifirst'], { encoding: 'utf8' });
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

  it('is taken, in both modes and with both algorithms', async () => {
    expect(signed.map(({ mode, kid }) => `${mode} ${kid}`)).toEqual(['binary ed', 'binary p256', 'structured ed', 'structured p256']);
    for (const one of signed) expect(await judge(one)).toMatchObject({ kind: 'intent', id: one.event.id, kid: one.kid });
  });
  it('is refused once a byte of it is another, or for another deployment', async () => {
    for (const one of signed) {
      expect(await judge(one, record => ({ ...record, value: Buffer.concat([record.value!, Buffer.from(' ')]) }))).toMatchObject({ kind: 'refused', code: 'BAD_SIGNATURE' });
      expect(await judge(one, undefined, 'another')).toMatchObject({ kind: 'refused', code: 'WRONG_AUDIENCE' });
    }
  });
});
