import { MasterKey, newMasterKeyText } from './master-key';

const dataKey = Buffer.alloc(32, 7);

describe('a master key', () => {
  it('unwraps what it wrapped, and what an older one did', () => {
    const [older, newer] = [newMasterKeyText(), newMasterKeyText()];
    const wrapped = new MasterKey(older).wrap(dataKey, 'owner');
    const rotated = new MasterKey(newer, [older]);
    expect(wrapped).toHaveLength(69);
    expect(wrapped.includes(dataKey.subarray(0, 8))).toBe(false);
    expect(rotated.unwrap(wrapped, 'owner')).toEqual(dataKey);
    expect(new MasterKey(newer).unwrap(rotated.wrap(dataKey, 'owner'), 'owner')).toEqual(dataKey);
  });

  it('says which key is missing', () => {
    const wrapped = new MasterKey(newMasterKeyText()).wrap(dataKey, 'owner');
    expect(() => new MasterKey(newMasterKeyText()).unwrap(wrapped, 'owner')).toThrow(expect.objectContaining({ code: 'MASTER_KEY_UNKNOWN' }));
  });

  it('finds another owner and every flipped bit', () => {
    const master = new MasterKey(newMasterKeyText());
    const wrapped = master.wrap(dataKey, 'owner');
    expect(() => master.unwrap(wrapped, 'other')).toThrow(expect.objectContaining({ code: 'SEAL_BROKEN' }));
    for (let at = 0; at < wrapped.length; at++) {
      const changed = Buffer.from(wrapped);
      changed[at]! ^= 1;
      expect(() => master.unwrap(changed, 'owner')).toThrow(expect.objectContaining({ code: at >= 1 && at <= 8 ? 'MASTER_KEY_UNKNOWN' : 'SEAL_BROKEN' }));
    }
    expect(() => master.unwrap(wrapped.subarray(1), 'owner')).toThrow(expect.objectContaining({ code: 'SEAL_BROKEN' }));
  });

  it.each(['', 'short', Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64'), `${Buffer.alloc(32).toString('base64')}x`, '!'.repeat(44)])('refuses %j as a file', text => {
    expect(() => new MasterKey(text)).toThrow(expect.objectContaining({ code: 'MASTER_KEY_INVALID' }));
  });
});
