import * as z from "zod/mini";
import { type Diagnostic, error } from "../../fleet/diagnostics.ts";
import { option } from "../../fleet/documented.ts";
import type { SettingsTable } from "../../fleet/kind.ts";
import { publicUrlProblem } from "../../fleet/public-url.ts";
import { word } from "../../fleet/values.ts";
import type { PageSettings } from "../page/settings.ts";

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
  port: option(z.optional(z.int().check(z.gte(1), z.lte(65_535))), {
    description: "The port of the sessions' page, which this machine serves on 127.0.0.1 in both cases.",
    example: 8421,
    defaultInWords: "a free port, which stays the same",
  }),
  public_url: option(z.optional(word()), {
    description:
      "The https origin at which browsers reach the page, through a server of yours that terminates TLS and forwards to `port`. URLs of `sandbox login-url` and `sandbox invite` begin with it.",
    unit: "URL",
    example: "https://sandboxes.example.com",
    defaultInWords: "`http://127.0.0.1:<port>`",
  }),
});

/** Tables of the fleet file that apply only to sandboxes. */
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
  /** undefined: a name made from the installation's id */
  readonly worker: string | undefined;
  readonly destroyData: boolean;
}

export interface SandboxesSettings {
  /** undefined: the sessions are on this machine */
  readonly cloudflare: DeclaredWorker | undefined;
  readonly page: PageSettings;
}

export const sandboxesSettings: SettingsTable<SandboxesKeys, SandboxesSettings> = {
  table: keys,
  check({ sandboxes }) {
    const { sessions, account_id: accountId, port, public_url: publicUrl } = sandboxes;
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
    const problem = publicUrl === undefined ? undefined : publicUrlProblem(publicUrl, "https://sandboxes.example.com");
    if (problem !== undefined) found.push(error(["sandboxes", "public_url"], problem.message, problem.remedy));
    else if (publicUrl !== undefined && port === undefined) {
      const remedy = "write the port that your server forwards to, for instance port = 8421";
      found.push(error(["sandboxes", "public_url"], "public_url needs a port", remedy));
    }
    return found;
  },
  resolve({ sandboxes }) {
    const { sessions, account_id: accountId, worker, destroy_data: destroyData, port, public_url } = sandboxes;
    return {
      cloudflare: sessions === "local" || accountId === undefined ? undefined : { accountId, worker, destroyData },
      page: { port, publicUrl: public_url === undefined ? undefined : new URL(public_url).origin },
    };
  },
};
