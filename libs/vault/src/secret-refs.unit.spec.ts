import { resolveSecretRefs } from './secret-refs';

const CANARY = 'canary-7c1f';
const read = (path: string): string => {
  if (path === '/run/pw') return `${CANARY}\n`;
  if (path === '/empty') return '\n';
  if (path === '/rude') throw new Error(`half of ${CANARY} read`);
  throw Object.assign(new Error(`no such file: ${CANARY}`), { code: 'ENOENT' });
};
const failure = async (refs: Record<string, string>): Promise<Record<string, unknown>> => {
  try { await resolveSecretRefs(refs, { SET: CANARY, EMPTY: '' }, read); } catch (error) {
    expect(String(error) + JSON.stringify(error) + (error as Error).stack!).not.toContain(CANARY);
    expect((error as Error).cause).toBeUndefined();
    return { ...(error as object) };
  }
  throw new Error('it succeeded');
};

describe('secret references', () => {
  it('give what the environment and the files hold', async () => {
    expect(await resolveSecretRefs({ password: 'file:/run/pw', user: 'env:SET' }, { SET: 'ana' }, read)).toEqual({ password: CANARY, user: 'ana' });
    expect(await resolveSecretRefs({}, {}, read)).toEqual({});
    expect(await resolveSecretRefs({ crlf: 'file:/x' }, {}, async () => 'a\n\r\n')).toEqual({ crlf: 'a\n' });
  });

  it.each([['env:UNSET', 'its environment variable is not set'], ['env:EMPTY', 'its environment variable is not set'], ['file:/empty', 'its file is empty'], ['file:/none', "its file can't be read (ENOENT)"], ['file:/rude', "its file can't be read"]])('%s: %s', async (reference, why) => {
    const { code, retryable } = await failure({ password: reference, other: 'env:SET' });
    expect([code, retryable]).toEqual(['SECRET_UNAVAILABLE', true]);
    await expect(resolveSecretRefs({ password: reference }, { EMPTY: '' }, read)).rejects.toThrow(`secret \`password\` is not to be had: ${why}`);
  });

  it('refuse what is not there yet, and what is no reference', async () => {
    expect(await failure({ 'a/b': 'vault:kv/x#y', other: 'env:SET' })).toMatchObject({ code: 'NOT_IMPLEMENTED', problems: [{ code: 'NOT_IMPLEMENTED', pointer: '/secretRefs/a~1b' }] });
    for (const reference of [CANARY, '', 'env:', 'env:A B', 'env:1', 'file:relative', 'file:', 'file:/a\0', 'ENV:SET', ' env:SET']) {
      expect(await failure({ password: reference })).toMatchObject({ code: 'INVALID_FIELD', problems: [{ pointer: '/secretRefs/password' }] });
    }
  });
});
