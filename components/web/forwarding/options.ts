import * as z from "zod/mini";
import { option } from "../../fleet/options/documented.ts";
import { duration, durationUnit, seconds, text, word } from "../../fleet/options/values.ts";

/** The keys of the file's `[forwarding]`. */
export const forwardingOptions = {
  provider: option(z._default(z.enum(["local", "docker"]), "local"), {
    description:
      "What keeps it running. `local`: this machine's supervisor, as the scheduler. `docker`: a container on this machine's network that docker restarts.",
    example: "docker",
    planned: ["modal"],
  }),
  port: option(z._default(z.int().check(z.gte(1), z.lte(65_535)), 8420), {
    description: "The port that it listens on.",
    example: 8080,
  }),
  host: option(z._default(word(), "127.0.0.1"), {
    description:
      "The address that it binds. Beyond this machine's loopback only with `public_url`, behind a server that speaks TLS.",
    unit: "IP address, or `localhost`",
    example: "0.0.0.0",
  }),
  public_url: option(z.optional(word()), {
    description:
      'The https origin that browsers see. With `routing = "host"` each agent is at `<agent id>.` and its host, which takes a wildcard record and certificate.',
    unit: "URL",
    example: "https://agents.example.com",
    defaultInWords: "`http://localhost:<port>`",
  }),
  routing: option(z._default(z.enum(["host", "path"]), "host"), {
    description:
      "How agents are told apart. `host`: each has a host of its own, and can't reach the others' cookies. `path`: all share one origin, and a service worker mends their absolute links; an agent's page can then ask the others' with your cookies.",
    example: "path",
  }),
  code_ttl: option(z._default(duration(), "15m"), {
    description: "How long a one-time code of a login URL may be used.",
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
      "How long an agent's server may take until its response begins; then the browser gets a 504. 0: for ever. What streams once it has begun has no limit.",
    unit: "seconds",
    example: 1800,
  }),
  trusted_proxies: option(z._default(z.array(word()), []), {
    description:
      "The servers in front of it whose `X-Forwarded-For` says who asks, for the limit of failed logins. Without any, all that come through a front count as one.",
    unit: "IP addresses, or ranges such as `10.0.0.0/8`",
    example: ["127.0.0.1", "::1"],
  }),
  build_args: option(z._default(z.array(text()), []), {
    description:
      "With `provider = \"docker\"` alone: arguments for building the server's image, each as `KEY=VALUE`. `NODE_IMAGE`, `PYTHON_IMAGE` and `DOCKER_IMAGE` say what it is made of, where Docker Hub can't be reached; `PIP_INDEX_URL` where Python packages come from.",
    example: ["PYTHON_IMAGE=registry.example.com/python:3.12-slim-bookworm"],
  }),
} as const;

export const forwardingTable = z.strictObject(forwardingOptions);

export type ForwardingOptions = z.output<typeof forwardingTable>;
