import * as z from "zod/mini";
import { type Diagnostic, error } from "../../../fleet/diagnostics.ts";
import { option } from "../../../fleet/documented.ts";
import type { SettingsTable } from "../../../fleet/kind.ts";

const sandboxesTable = z.strictObject({
  sessions: option(z._default(z.enum(["local", "cloudflare"]), "local"), {
    description:
      "Where the sessions are: on this machine, or in Durable Objects of your Cloudflare account. The sandboxes are made from this machine in both cases.",
    example: "cloudflare",
  }),
  account_id: option(z.optional(z.string().check(z.regex(/^[0-9a-f]{32}$/))), {
    description:
      'For `sessions = "cloudflare"`: the id of the Cloudflare account. Its API token is the environment variable `CLOUDFLARE_API_TOKEN` of `up`.',
    example: "0123456789abcdef0123456789abcdef",
    defaultInWords: "none: it is needed then",
  }),
  worker: option(z.optional(z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/))), {
    description: 'For `sessions = "cloudflare"`: the name of the worker, unique in the account.',
    example: "my-sessions",
    defaultInWords: "`changelings-<installation id>`",
  }),
  destroy_data: option(z._default(z.boolean(), false), {
    description:
      'For `sessions = "cloudflare"`: whether the sessions are deleted together with the worker. Otherwise the worker stays, and can\'t be reached.',
    example: true,
  }),
});

/** Keys of the fleet file that only apply to sandboxes. */
const keys = z.strictObject({
  sandboxes: option(z.prefault(sandboxesTable, {}), {
    description: "The session service of the sandboxes.",
    example: { sessions: "cloudflare", account_id: "0123456789abcdef0123456789abcdef" },
    defaultInWords: "the defaults of its keys",
  }),
});
export type SandboxesKeys = z.output<typeof keys>;

/** The worker on Cloudflare that has the sessions. */
export interface DeclaredWorker {
  readonly accountId: string;
  /** undefined: named for the installation */
  readonly worker: string | undefined;
  readonly destroyData: boolean;
}

export interface SandboxesSettings {
  /** undefined: the sessions are on this machine */
  readonly cloudflare: DeclaredWorker | undefined;
}

export const sandboxesSettings: SettingsTable<SandboxesKeys, SandboxesSettings> = {
  table: keys,
  check({ sandboxes }) {
    const { sessions, account_id: accountId } = sandboxes;
    const found: Diagnostic[] = [];
    if (sessions === "cloudflare" && accountId === undefined) {
      const remedy = 'write account_id = "…", which is in the address of dash.cloudflare.com';
      found.push(error(["sandboxes", "sessions"], 'sessions = "cloudflare" needs an account_id', remedy));
    }
    for (const name of ["account_id", "worker"] as const) {
      if (sessions === "cloudflare" || sandboxes[name] === undefined) continue;
      const remedy = 'remove the line, or write sessions = "cloudflare"';
      found.push(error(["sandboxes", name], `${name} is only for sessions = "cloudflare"`, remedy));
    }
    return found;
  },
  resolve: ({ sandboxes: { sessions, account_id: accountId, worker, destroy_data: destroyData } }) => ({
    cloudflare: sessions === "local" || accountId === undefined ? undefined : { accountId, worker, destroyData },
  }),
};
