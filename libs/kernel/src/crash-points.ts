/**
 * Named points at every durable boundary. Off (the default) a call costs one comparison.
 * On, `AIFIRST_CRASH_AT=<name>[:<nth pass>]` kills the process there with SIGKILL, and the simulator throws in its place.
 */
let hook: ((name: CrashPoint) => void) | undefined;

export const CRASH_POINTS = [
  'gateway.intent.before', 'gateway.intent.after',
  'orchestrator.commit.before', 'orchestrator.commit.after',
  'policy.commit.before', 'policy.commit.after',
  'adapter.prepare.before', 'adapter.prepare.after',
  'adapter.act.before', 'adapter.act.after',
  'adapter.outcome.before', 'adapter.outcome.after',
  'adapter.undo.before', 'adapter.undo.after',
  'audit.bundle.before', 'audit.bundle.after',
  'views.flush.before', 'views.flush.after',
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

export function crashPoint(name: CrashPoint): void {
  if (hook !== undefined) hook(name);
}

export function setCrashHook(next: ((name: CrashPoint) => void) | undefined): void {
  hook = next;
}
