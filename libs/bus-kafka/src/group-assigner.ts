import type { Share } from '@aifirst/bus';
import { AssignerProtocol, type PartitionAssigner } from 'kafkajs';

/** kafkajs hands its cluster to assigners; of it this much is needed. */
export interface AssignersCluster {
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[];
}

/**
 * A partition goes to the same member for every topic, so that all messages of a key are handled in one process.
 * @param members ids, in any order
 */
export function assignmentOf(members: readonly string[], topics: readonly string[], partitionsOf: (topic: string) => readonly number[], share?: Share): ReadonlyMap<string, Record<string, number[]>> {
  const sorted = [...members].sort();
  const assignment = new Map(sorted.map(member => [member, {} as Record<string, number[]>]));
  for (const topic of topics) {
    for (const partition of partitionsOf(topic)) {
      if (share !== undefined && partition % share.of !== share.index) continue;
      const member = sorted[partition % sorted.length]!;
      (assignment.get(member)![topic] ??= []).push(partition);
    }
  }
  return assignment;
}

export function groupAssigner(share: Share | undefined, onCluster: (cluster: unknown) => void): PartitionAssigner {
  return ({ cluster }) => {
    onCluster(cluster);
    const { findTopicPartitionMetadata } = cluster as unknown as AssignersCluster;
    const partitionsOf = (topic: string): readonly number[] => findTopicPartitionMetadata.call(cluster, topic).map(({ partitionId }) => partitionId);
    return {
      name: 'aifirst.by-partition', version: 1,
      async assign({ members, topics }) {
        const assignment = assignmentOf(members.map(({ memberId }) => memberId), topics, partitionsOf, share);
        return [...assignment].map(([memberId, partitions]) => ({
          memberId, memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 1, assignment: partitions, userData: Buffer.alloc(0) }),
        }));
      },
      protocol: ({ topics }) => ({ name: 'aifirst.by-partition', metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }) }),
    };
  };
}
