import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveSecret } from './secret-references';

describe('a reference to a secret', () => {
  const folder = mkdtempSync(join(tmpdir(), 'aifirst-secrets-'));
  afterAll(() => { rmSync(folder, { recursive: true, force: true }); });
  const file = (name: string, content: string): string => { writeFileSync(join(folder, name), content); return `file:${join(folder, name)}`; };

  it('is read from the environment as it stands, an empty one too', async () => {
    expect(await resolveSecret('env:A', { A: ' s ecret\n' })).toBe(' s ecret\n');
    expect(await resolveSecret('env:A', { A: '' })).toBe('');
  });

  it('is read from a file, without the line end that an editor adds', async () => {
    expect(await resolveSecret(file('a', 'secret\n'))).toBe('secret');
    expect(await resolveSecret(file('b', 'two\nlines\r\n'))).toBe('two\nlines');
    expect(await resolveSecret(file('c', 'none'))).toBe('none');
  });

  it.each([
    ['env:NOBODY', 'has no `NOBODY`'], [`file:${join(folder, 'absent')}`, 'ENOENT'], ['vault:kv/crm#password', 'not built yet'], ['password', 'a reference is'], ['', 'a reference is'],
  ])('%s is not to be had, and it is said why', async (reference, why) => {
    await expect(resolveSecret(reference, {})).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE', message: expect.stringContaining(why) });
  });

  it('is no file without end', async () => {
    await expect(resolveSecret(file('large', 'x'.repeat(64 * 1024 + 1)))).rejects.toThrow('more than 65536 bytes');
  });
});
