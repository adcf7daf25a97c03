import { CannotDo } from '@aifirst/execution';
import fc from 'fast-check';
import { contentOf, modeOf } from './input';
import { pathParts } from './path';
import { timeText } from './seen';
import { mayHoldPart } from './verbs/append';

const codeOf = (act: () => unknown): string | null => {
  try { act(); return null; } catch (error) { return error instanceof CannotDo ? error.code : String(error); }
};

describe('a path', () => {
  it.each([
    ['', 'INVALID_PATH'], ['/', 'PATH_ESCAPES_ROOT'], ['/etc/passwd', 'PATH_ESCAPES_ROOT'], ['..', 'PATH_ESCAPES_ROOT'], ['a/../b', 'PATH_ESCAPES_ROOT'],
    ['a//b', 'INVALID_PATH'], ['a/', 'INVALID_PATH'], ['.', 'INVALID_PATH'], ['a/./b', 'INVALID_PATH'], ['a\0b', 'INVALID_PATH'], ['\ud800', 'INVALID_PATH'],
    ['.aifirst', 'INVALID_PATH'], ['.AIFirst/steps', 'INVALID_PATH'], ['a/.aifirst', 'INVALID_PATH'], ['x'.repeat(256), 'INVALID_PATH'], ['ü'.repeat(128), 'INVALID_PATH'],
    [`${'a/'.repeat(2048)}a`, 'INVALID_PATH'], [7, 'INVALID_PATH'], [null, 'INVALID_PATH'], [['a'], 'INVALID_PATH'],
  ])('%j is refused with %s', (path, code) => { expect(codeOf(() => pathParts(path))).toBe(code); });

  it('has the names it consists of', () => {
    expect(pathParts('a/b c/…/..d')).toEqual(['a', 'b c', '…', '..d']);
  });

  it('never has a name that leads anywhere but down', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('.', '/', 'a', '\0', '~') }), path => {
      if (codeOf(() => pathParts(path)) !== null) return;
      for (const part of pathParts(path)) expect(part).not.toMatch(/^(\.{0,2})$|\/|\0/);
    }));
  });
});

describe('input', () => {
  it('stands for bytes', () => {
    expect(contentOf({ content: 'ü' })).toEqual(Buffer.from([0xc3, 0xbc]));
    expect(contentOf({ content: 'AP8=', encoding: 'base64' })).toEqual(Buffer.from([0, 255]));
    fc.assert(fc.property(fc.uint8Array(), bytes => { expect(contentOf({ content: Buffer.from(bytes).toString('base64'), encoding: 'base64' })).toEqual(Buffer.from(bytes)); }));
  });
  it.each([[{ content: 5 }], [{}], [{ content: '\udc00' }], [{ content: 'a*b', encoding: 'base64' }], [{ content: 'a', encoding: 'latin1' }]])('%j is refused', input => {
    expect(codeOf(() => contentOf(input))).toBe('INVALID_INPUT');
  });
  it('takes modes without special bits, folders\' with all rights for the owner', () => {
    expect(modeOf({ mode: '0640' }, 'file')).toBe(0o640);
    expect(modeOf({}, 'file')).toBeNull();
    for (const mode of ['4755', '64', '0o644', '888', 420]) expect(codeOf(() => modeOf({ mode }, 'file'))).toBe('INVALID_INPUT');
    expect(codeOf(() => modeOf({ mode: '555' }, 'folder'))).toBe('INVALID_INPUT');
  });
});

describe('a time', () => {
  it('is shown with nanoseconds, also before 1970', () => {
    expect(timeText('1500000000123456789')).toBe('2017-07-14T02:40:00.123456789Z');
    expect(timeText(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
  });
});

describe('a part of an append', () => {
  it('is only found where a write can have been cut off: at its end or at a page', () => {
    const ours = Buffer.from('abcdef');
    expect(mayHoldPart(Buffer.from('abc'), ours, 0)).toBe(true);
    expect(mayHoldPart(Buffer.from('abcX'), ours, 0)).toBe(false);
    expect(mayHoldPart(Buffer.from('abcX'), ours, 4093)).toBe(true);
    expect(mayHoldPart(Buffer.from('XXab'), ours, 0)).toBe(true);
  });
});
