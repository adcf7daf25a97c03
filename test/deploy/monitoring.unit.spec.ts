import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CATALOGUE } from '@aifirst/observability';
import { alerts, dashboards, generatedDashboards, isDistributed, metricsIn, read, ROOT } from './tools';

const known = new Set([...CATALOGUE.map(({ name }) => name), 'up', 'traces_span_metrics_duration_seconds']);
const labelsOf = new Map(CATALOGUE.map(({ name, labels }) => [name, labels]));

describe('the dashboards', () => {
  const all = dashboards();

  it('are what deploy/grafana/dashboards.mjs makes', () => {
    const made = generatedDashboards();
    expect(readdirSync(join(ROOT, 'deploy/grafana/dashboards')).sort()).toEqual(made.map(({ file }) => file).sort());
    for (const { file, text } of made) expect({ file, same: read(`deploy/grafana/dashboards/${file}`) === text }).toEqual({ file, same: true });
  });

  it('ask for metrics that there are, by labels that they have', () => {
    const wrong = all.flatMap(({ title, panels }) => panels.flatMap(panel => (panel.targets ?? []).flatMap(({ expr }) => {
      const unknown = metricsIn(expr).filter(name => !known.has(name)).map(name => `${title}, ${panel.title}: ${name}`);
      const labels = new Set(metricsIn(expr).flatMap(name => [...labelsOf.get(name) ?? ['span_name'], 'le', 'instance', 'job']));
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(',').map(label => label.trim())).filter(label => label !== '' && !labels.has(label));
      return [...unknown, ...grouped.map(label => `${title}, ${panel.title}: by ${label}`)];
    })));
    expect(wrong).toEqual([]);
  });

  it('show every metric that is recorded, but those for a closer look', () => {
    const shown = new Set(all.flatMap(({ panels }) => panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => metricsIn(expr)))));
    expect([...known].filter(name => !shown.has(name)).sort()).toEqual(['aifirst_dead_letters_total', 'aifirst_inputs_ignored_total', 'process_start_time_seconds']);
  });

  it('have a title, a unit for the reader, and panels that do not lie on one another', () => {
    for (const { panels } of all) {
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      for (const [index, { title, gridPos: one }] of panels.entries()) {
        expect(title).not.toBe('');
        expect(one.x + one.w).toBeLessThanOrEqual(24);
        for (const { title: other, gridPos: two } of panels.slice(index + 1)) {
          const apart = one.x + one.w <= two.x || two.x + two.w <= one.x || one.y + one.h <= two.y || two.y + two.h <= one.y;
          expect(`${title} and ${other}: ${apart}`).toBe(`${title} and ${other}: true`);
        }
      }
    }
    expect(new Set(all.map(({ uid }) => uid)).size).toBe(all.length);
  });

  it('name a few panels alone that one process leaves empty', () => {
    expect(all.flatMap(({ panels }) => panels.filter(isDistributed)).map(({ title }) => title).sort())
      .toEqual(['Records from outside that were refused', 'Rows that are not on Kafka yet', 'Spans, 95th percentile', 'Who writes']);
  });
});

describe('the alerts', () => {
  const all = alerts();
  const manual = read('docs/operations.md');
  const tests = read('deploy/prometheus/tests/alerts.yml');

  it('are there, each with its severity', () => {
    expect(all.length).toBeGreaterThan(15);
    for (const { name, severity } of all) expect(`${name} ${severity}`).toMatch(/^[A-Z]\w+ (critical|warning)$/);
  });
  it('ask for metrics that there are', () => { expect(all.flatMap(({ name, expr }) => metricsIn(expr).filter(metric => !known.has(metric)).map(metric => `${name}: ${metric}`))).toEqual([]); });
  it.each(all)('$name has a section of its own in docs/operations.md, which says what it means and what to do', ({ name, runbook }) => {
    expect(runbook).toBe(`docs/operations.md#${name.toLowerCase()}`);
    const section = new RegExp(`^### ${name}\\n([\\s\\S]*?)(?=^##|(?![\\s\\S]))`, 'm').exec(manual)?.[1] ?? '';
    expect(section).toMatch(/\*\*Means\*\*/);
    expect(section).toMatch(/\*\*Do\*\*/);
  });
  it.each(all)('$name is tested by what raises it and by what must not', ({ name }) => {
    expect(tests).toContain(`  # ${name}, quiet: `);
    expect(tests).toContain(`  # ${name}, raised: `);
  });
  it('are all that docs/operations.md explains', () => {
    const explained = [...(/^## Alerts\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(manual)?.[1] ?? '').matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect(explained).toEqual(all.map(({ name }) => name));
  });
});
