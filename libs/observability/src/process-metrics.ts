import { performance } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';
import { PROCESS } from './catalogue';

/** How the process itself is: read when scraped, no timer runs. */
export function watchProcess(meter: Meter): void {
  const startedAt = (Date.now() / 1000) - process.uptime();
  let before = performance.eventLoopUtilization();
  const named = ({ name, description }: { name: string; description: string }) => [name, { description }] as const;
  meter.createObservableGauge(...named(PROCESS.memory)).addCallback(result => { result.observe(process.memoryUsage.rss()); });
  meter.createObservableGauge(...named(PROCESS.startedAt)).addCallback(result => { result.observe(startedAt); });
  meter.createObservableCounter(...named(PROCESS.cpu)).addCallback(result => {
    const { user, system } = process.cpuUsage();
    result.observe((user + system) / 1_000_000);
  });
  meter.createObservableGauge(...named(PROCESS.eventLoop)).addCallback(result => {
    const now = performance.eventLoopUtilization();
    result.observe(performance.eventLoopUtilization(now, before).utilization);
    before = now;
  });
}
