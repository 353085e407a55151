/** Exit status 0 if the service answers `GET /health` with 200. */
const { SEED_HOST: host = "127.0.0.1", PORT: port = "4000" } = process.env;
// A server on all IPv6 addresses accepts IPv4 too, which every container has.
const address = ["::", "0.0.0.0"].includes(host) ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
const options = { signal: AbortSignal.timeout(3000) };
const answer = await fetch(`http://${address}:${port}/health`, options).catch(() => undefined);
process.exitCode = answer?.status === 200 ? 0 : 1;
