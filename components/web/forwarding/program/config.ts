import { join } from "node:path";
import * as z from "zod/mini";
import { readJson } from "../../../host/files.ts";
import { upCommand } from "../../../lib/own-commands.ts";

const loopback = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

/** `config.json`: how the forwarding server is reached. Only `pulumi up` writes it. */
export const forwardingConfig = z
  .object({
    version: z.literal(1),
    /** 0: any free port, for tests. */
    port: z.int().check(z.gte(0), z.lte(65535)),
    /** The address to listen on. */
    host: z.string().check(z.minLength(1)),
    /** The origin in the browser if a reverse proxy terminates TLS: `https://host[:port]`. */
    publicUrl: z.nullable(z.string().check(z.regex(/^https:\/\/[a-z0-9.-]+(:\d+)?\/?$/))),
    /** `host`: each agent has its own origin; `path`: all agents share one. */
    routing: z.enum(["host", "path"]),
    codeTtlSeconds: z.int().check(z.gte(1)),
    cookieTtlSeconds: z.int().check(z.gte(1)),
    /** How `changeling` was invoked when this was applied, shown on pages: `npm run changeling --`. */
    cli: z.optional(z.string().check(z.regex(/^[\w ./@:-]{1,200}$/))),
    /** Timeout for an agent's response headers; 0 for none. Older files lack it. */
    responseTimeoutSeconds: z.optional(z.int().check(z.gte(0))),
    /** IP addresses and ranges of reverse proxies whose `X-Forwarded-For` is trusted. */
    trustedProxies: z.optional(z.array(z.string())),
  })
  .check(
    z.refine(({ host, publicUrl }) => loopback.test(host) || publicUrl !== null, {
      error: "listens beyond this machine, so it needs a publicUrl with https",
      path: ["publicUrl"],
    }),
  );

export type ForwardingConfig = z.infer<typeof forwardingConfig>;

export function configPath(folder: string): string {
  return join(folder, "config.json");
}

/** @throws if the file does not exist, or is not what `pulumi up` writes */
export function readConfig(folder: string): ForwardingConfig {
  const path = configPath(folder);
  const parsed = forwardingConfig.safeParse(tryJson(path));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`.replace(/^: /, ""));
  throw new Error(`${path} can't be used (${problems.join("; ")}); repair it with: ${upCommand()}`);
}

function tryJson(path: string): unknown {
  try {
    return readJson(path);
  } catch {
    return undefined;
  }
}
