import { join } from "node:path";
import * as z from "zod/mini";
import { readJson } from "../../../host/files.ts";
import { upCommand } from "../../../lib/own-commands.ts";

const loopback = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

/** `config.json`: how the forwarding server is reached. Written by `pulumi up` alone. */
export const forwardingConfig = z
  .object({
    version: z.literal(1),
    /** 0: any that is free, for tests. */
    port: z.int().check(z.gte(0), z.lte(65535)),
    /** The address that it listens on. */
    host: z.string().check(z.minLength(1)),
    /** Where people reach it when TLS is terminated in front of it: `https://host[:port]`. */
    publicUrl: z.nullable(z.string().check(z.regex(/^https:\/\/[a-z0-9.-]+(:\d+)?\/?$/))),
    /** `host`: each agent has an origin of its own; `path`: all share one. */
    routing: z.enum(["host", "path"]),
    codeTtlSeconds: z.int().check(z.gte(1)),
    cookieTtlSeconds: z.int().check(z.gte(1)),
    /** How `changeling` is called where it was applied, for the pages: `npm run changeling --`. */
    cli: z.optional(z.string().check(z.regex(/^[\w ./@:-]{1,200}$/))),
    /** How long an agent may take until its response's headers are there; 0: for ever. Older files have none. */
    responseTimeoutSeconds: z.optional(z.int().check(z.gte(0))),
    /** IP addresses and ranges of servers in front whose `X-Forwarded-For` says who asks. */
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

/** @throws when there is none, or it is not what `pulumi up` writes */
export function readConfig(folder: string): ForwardingConfig {
  const path = configPath(folder);
  const parsed = forwardingConfig.safeParse(tryJson(path));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`.replace(/^: /, ""));
  throw new Error(`${path} can't be used (${faults.join("; ")}); repair it with: ${upCommand()}`);
}

function tryJson(path: string): unknown {
  try {
    return readJson(path);
  } catch {
    return undefined;
  }
}
