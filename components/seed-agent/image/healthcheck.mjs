/** Exit status 0 if the service answers `GET /health` with 200. */
const host = process.env.SEED_HOST ?? "127.0.0.1";
const address = { "::": "[::1]", "0.0.0.0": "127.0.0.1" }[host] ?? (host.includes(":") ? `[${host}]` : host);
const answer = await fetch(`http://${address}:${process.env.PORT ?? 4000}/health`, {
  signal: AbortSignal.timeout(3000),
}).catch(() => undefined);
process.exitCode = answer?.status === 200 ? 0 : 1;
