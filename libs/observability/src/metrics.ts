import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { ValueType, type Attributes } from '@opentelemetry/api';

/** Read when somebody asks for `/metrics`; nothing is pushed and no timer runs. */
class ScrapedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> { /* nothing is held back */ }
  protected override async onShutdown(): Promise<void> { /* nothing to end */ }
}

/** In seconds; from a step in memory to a workflow that waited for hours. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600];

/** What is counted, under CONTRACT's names. Gauges are asked for when scraped. */
export class Metrics {
  readonly #reader = new ScrapedReader();
  readonly #provider = new MeterProvider({ readers: [this.#reader] });
  readonly #meter = this.#provider.getMeter('aifirst');
  readonly #serializer = new PrometheusSerializer('', false, undefined, true, true);

  readonly workflows = this.#meter.createCounter('aifirst_workflows_total', { description: 'Workflows that ended or parked, by status', valueType: ValueType.INT });
  readonly steps = this.#meter.createCounter('aifirst_steps_total', { description: 'Steps that were settled, by capability and status', valueType: ValueType.INT });
  readonly decisions = this.#meter.createCounter('aifirst_decisions_total', { description: 'Policy decisions, by outcome', valueType: ValueType.INT });
  readonly workflowDuration = this.#meter.createHistogram('aifirst_workflow_duration_seconds', { description: 'From acceptance to the end', unit: 's', advice: { explicitBucketBoundaries: DURATION_BUCKETS } });
  readonly stepDuration = this.#meter.createHistogram('aifirst_step_duration_seconds', { description: 'From start to outcome', unit: 's', advice: { explicitBucketBoundaries: DURATION_BUCKETS } });
  readonly requests = this.#meter.createCounter('aifirst_http_requests_total', { description: 'HTTP answers, by route, method and status', valueType: ValueType.INT });
  readonly deadLetters = this.#meter.createCounter('aifirst_dead_letters_total', { description: 'Messages parked, by consumer', valueType: ValueType.INT });
  readonly ignored = this.#meter.createCounter('aifirst_inputs_ignored_total', { description: 'Inputs that came too late or too early, by kind', valueType: ValueType.INT });

  /** A value that is read at each scrape; one series per entry of what `read` answers. */
  gauge(name: string, description: string, read: () => readonly (readonly [number, Attributes])[]): void {
    this.#meter.createObservableGauge(name, { description }).addCallback(result => { for (const [value, attributes] of read()) result.observe(value, attributes); });
  }

  /** Prometheus' text format. */
  async render(): Promise<string> {
    const { resourceMetrics } = await this.#reader.collect();
    return this.#serializer.serialize(resourceMetrics);
  }
}
