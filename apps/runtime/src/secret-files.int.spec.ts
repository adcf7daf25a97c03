import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureAdminToken, ensureSecretFile } from './config';

describe('secrets in files', () => {
  let folder: string;
  let path: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'aifirst-test-')); path = join(folder, 'master.key'); });
  afterEach(() => { rmSync(folder, { recursive: true }); });
  const invalid = (message: string) => expect.objectContaining({ code: 'SECRET_FILE_INVALID', message: expect.stringContaining(message) });

  it.each([
    ['too short', Buffer.alloc(31).toString('base64')], ['too long', Buffer.alloc(33).toString('base64')], ['empty', ''], ['not base64', '*'.repeat(44)], ['hex', 'ab'.repeat(32)],
  ])('are refused and left alone when the content is %s', (_, content) => {
    writeFileSync(path, content, { mode: 0o600 });
    expect(() => ensureSecretFile(path, 32)).toThrow(invalid('32 bytes in base64'));
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  it.each([0o644, 0o640, 0o602, 0o610])('are refused with mode %o', mode => {
    ensureSecretFile(path, 32);
    chmodSync(path, mode);
    expect(() => ensureSecretFile(path, 32)).toThrow(invalid(`mode ${mode.toString(8)}`));
  });

  it('are refused where they can not be', () => {
    mkdirSync(path, { mode: 0o700 });
    expect(() => ensureSecretFile(path, 32)).toThrow(invalid('is not a file'));
    expect(() => ensureSecretFile(join(folder, 'absent', 'master.key'), 32)).toThrow(invalid('ENOENT'));
  });

  it('are made once, for their owner alone, and nothing else is left', () => {
    const made = jest.fn();
    const secret = ensureSecretFile(path, 32, made);
    expect(ensureSecretFile(path, 32, made)).toEqual(secret);
    expect(secret).toHaveLength(32);
    expect(made).toHaveBeenCalledTimes(1);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['master.key']);
  });

  it('are read with a line end, as an editor or `base64` leaves one', () => {
    writeFileSync(path, `${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o400 });
    expect(ensureSecretFile(path, 32)).toEqual(Buffer.alloc(32, 7));
  });

  it('hold the administrator\'s token unless the environment gives it', () => {
    expect(ensureAdminToken(folder, 'given-by-hand')).toBe('given-by-hand');
    expect(readdirSync(folder)).toEqual([]);
    const made = jest.fn();
    const token = ensureAdminToken(folder, undefined, made);
    expect(token).toMatch(/^aifirst_admin_[A-Za-z0-9_-]{43}$/);
    expect(readFileSync(join(folder, 'admin.token'), 'utf8')).toBe(token);
    expect(statSync(join(folder, 'admin.token')).mode & 0o777).toBe(0o600);
    expect(ensureAdminToken(folder, undefined, made)).toBe(token);
    expect(made.mock.calls).toEqual([[join(folder, 'admin.token')]]);
    writeFileSync(join(folder, 'admin.token'), '');
    expect(() => ensureAdminToken(folder)).toThrow(invalid('does not hold a token'));
  });
});
