import * as z from "zod/mini";
import { option } from "../../fleet/documented.ts";
import { duration, durationUnit, seconds, text, word } from "../../fleet/values.ts";

/** The keys of the file's `[forwarding]`. */
const forwardingOptions = {
  provider: option(z._default(z.enum(["local", "docker"]), "local"), {
    description:
      "What keeps it running. `local`: this machine's supervisor, as for the scheduler. `docker`: Docker, in a container on this machine's network.",
    example: "docker",
    planned: ["modal"],
  }),
  port: option(z._default(z.int().check(z.gte(1), z.lte(65_535)), 8420), {
    description: "The port that it listens on.",
    example: 8080,
  }),
  host: option(z._default(word(), "127.0.0.1"), {
    description:
      "The address that it listens on. Any address but loopback needs `public_url`, and a reverse proxy that terminates TLS.",
    unit: "IP address, or `localhost`",
    example: "0.0.0.0",
  }),
  public_url: option(z.optional(word()), {
    description:
      'The https origin that browsers see. With `routing = "host"` each agent is at `<agent id>.<host>`, which needs a wildcard DNS record and certificate.',
    unit: "URL",
    example: "https://agents.example.com",
    defaultInWords: "`http://localhost:<port>`",
  }),
  routing: option(z._default(z.enum(["host", "path"]), "host"), {
    description:
      "How agents are addressed. `host`: each has its own host, and no access to the others' cookies. `path`: all share one origin, and a service worker rewrites their absolute links; one agent's page can then request another agent's pages with your cookies.",
    example: "path",
  }),
  code_ttl: option(z._default(duration(), "15m"), {
    description: "How long a login URL is valid.",
    unit: durationUnit,
    example: "1h",
  }),
  cookie_ttl: option(z._default(duration(), "30d"), {
    description: "How long a browser stays logged in.",
    unit: durationUnit,
    example: "1w",
  }),
  response_timeout: option(z._default(seconds(0, 86_400), 600), {
    description:
      "How long an agent's server may take to begin a response. After that, the browser gets a 504. 0: no limit. A response that has begun may stream without a limit.",
    unit: "seconds",
    example: 1800,
  }),
  trusted_proxies: option(z._default(z.array(word()), []), {
    description:
      "The reverse proxies whose `X-Forwarded-For` is trusted, for the limit on failed logins. Without it, all clients behind a reverse proxy count as one.",
    unit: "IP addresses, or ranges such as `10.0.0.0/8`",
    example: ["127.0.0.1", "::1"],
  }),
  build_args: option(z._default(z.array(text()), []), {
    description:
      'With `provider = "docker"` only: arguments for building the server\'s image, each as `KEY=VALUE`. `NODE_IMAGE`, `PYTHON_IMAGE` and `DOCKER_IMAGE` replace its base images, for instance where Docker Hub is not reachable. Python packages are installed from `PIP_INDEX_URL`.',
    example: ["PYTHON_IMAGE=registry.example.com/python:3.12-slim-bookworm"],
  }),
} as const;

export const forwardingTable = z.strictObject(forwardingOptions);

export type ForwardingOptions = z.output<typeof forwardingTable>;
