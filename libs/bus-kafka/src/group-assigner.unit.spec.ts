import { assignmentOf } from './group-assigner';

const partitionsOf = (): readonly number[] => [0, 1, 2, 3, 4, 5];

describe('the assignment of partitions', () => {
  it('gives a partition to the same member for every topic, and each to one', () => {
    const assignment = assignmentOf(['b', 'a', 'c', 'd'], ['t', 'u'], partitionsOf);
    for (const topics of assignment.values()) expect(topics['t']).toEqual(topics['u']);
    expect([...assignment.values()].flatMap(topics => topics['t']!).sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });
  it('is the same whoever makes it', () => {
    expect(assignmentOf(['b', 'a'], ['t'], partitionsOf)).toEqual(assignmentOf(['a', 'b'], ['t'], partitionsOf));
  });
  it('names members that get nothing', () => {
    expect(assignmentOf(['a', 'b'], ['t'], () => [0])).toEqual(new Map([['a', { t: [0] }], ['b', {}]]));
  });
  it('leaves out what belongs to other shards', () => {
    expect(assignmentOf(['a'], ['t'], partitionsOf, { index: 1, of: 3 })).toEqual(new Map([['a', { t: [1, 4] }]]));
  });
});
