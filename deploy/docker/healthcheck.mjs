// Exit 0 while the service in this container is ready: its own port, its own answer.
const port = process.env.PORT || '7400';
try {
  const { status } = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(4_000) });
  process.exit(status === 200 ? 0 : 1);
} catch {
  process.exit(1);
}
