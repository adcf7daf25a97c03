import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { ValueType, type Attributes, type Counter, type Histogram } from '@opentelemetry/api';
import { BoundedLabel } from './bounded-label';
import { AGENTS_MAX, COUNTERS, GAUGES, HISTOGRAMS, type MetricDefinition, type Stage } from './catalogue';
import { watchProcess } from './process-metrics';

/** Read when somebody asks for `/metrics`; nothing is pushed and no timer runs. */
class ScrapedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> { /* nothing is held back */ }
  protected override async onShutdown(): Promise<void> { /* nothing to end */ }
}

/** In seconds; from a step in memory to a workflow that waited for hours. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600];

export type Reading = readonly (readonly [number, Attributes])[];

/** What is counted. Gauges are asked for when scraped. */
export class Metrics {
  readonly #reader = new ScrapedReader();
  readonly #provider = new MeterProvider({ readers: [this.#reader] });
  readonly #meter = this.#provider.getMeter('aifirst');
  readonly #serializer = new PrometheusSerializer('', false, undefined, true, true);
  readonly #agents = new BoundedLabel(AGENTS_MAX);

  readonly workflows = this.#counter(COUNTERS.workflows);
  readonly steps = this.#counter(COUNTERS.steps);
  readonly decisions = this.#counter(COUNTERS.decisions);
  readonly agentWorkflows = this.#counter(COUNTERS.agentWorkflows);
  readonly requests = this.#counter(COUNTERS.requests);
  readonly deadLetters = this.#counter(COUNTERS.deadLetters);
  readonly ignored = this.#counter(COUNTERS.ignored);
  readonly recordsRefused = this.#counter(COUNTERS.recordsRefused);
  readonly workflowDuration = this.#histogram(HISTOGRAMS.workflowDuration);
  readonly stepDuration = this.#histogram(HISTOGRAMS.stepDuration);
  readonly stageDuration = this.#histogram(HISTOGRAMS.stageDuration);

  constructor() { watchProcess(this.#meter); }

  /** A workflow ended or parked: counted by status, and by agent as far as there is room for its name. */
  workflow(status: string, agent: string): void {
    this.workflows.add(1, { status });
    this.agentWorkflows.add(1, { agent: this.#agents.of(agent), status });
  }

  /** One passage of a stage. Both in ms since 1970, maybe of two machines: a clock that runs behind makes it 0, never less. */
  stage(stage: Stage, startedAt: number, endedAt: number): void { this.stageDuration.record(Math.max(0, endedAt - startedAt) / 1000, { stage }); }

  /** A gauge of the catalogue; see `gauge`. */
  observe(gauge: keyof typeof GAUGES, read: () => Reading | Promise<Reading>): void { this.gauge(GAUGES[gauge].name, GAUGES[gauge].description, read); }

  /**
   * A value that is read at each scrape; one series per entry of what `read` answers. One that fails (a database that is
   * away) has no series in that scrape, and takes nothing from the others.
   */
  gauge(name: string, description: string, read: () => Reading | Promise<Reading>): void {
    this.#meter.createObservableGauge(name, { description }).addCallback(async result => { for (const [value, attributes] of await read()) result.observe(value, attributes); });
  }

  /** Prometheus' text format. */
  async render(): Promise<string> {
    const { resourceMetrics } = await this.#reader.collect();
    return this.#serializer.serialize(resourceMetrics);
  }

  #counter({ name, description }: MetricDefinition): Counter { return this.#meter.createCounter(name, { description, valueType: ValueType.INT }); }
  #histogram({ name, description }: MetricDefinition): Histogram { return this.#meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: DURATION_BUCKETS } }); }
}
