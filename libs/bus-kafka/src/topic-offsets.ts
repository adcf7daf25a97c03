import { kafkaClient, within } from './kafka-client';
import type { KafkaLogEntry, KafkaSettings } from './kafka-settings';
import type { OffsetRange } from './where-to-go-on';

/** By `<topic>/<partition>`. @throws what kafkajs throws */
export async function topicOffsets(settings: KafkaSettings, topics: readonly string[], onLog: (entry: KafkaLogEntry) => void): Promise<ReadonlyMap<string, OffsetRange>> {
  const client = kafkaClient(settings, onLog);
  const admin = client.kafka.admin({ retry: { retries: 1 } });
  try {
    await admin.connect();
    const found = new Map<string, OffsetRange>();
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) found.set(`${topic}/${partition}`, { low: Number(low), high: Number(high) });
    }
    return found;
  } finally {
    await within(1_000, admin.disconnect());
    client.destroy();
  }
}
