import { expect, it } from "vitest";
import type { StockChangeling } from "../../changelings/stock.ts";
import { changelingOf } from "../../components/cron/from-program.ts";
import { environmentOfJob, jobEnvironment, jobOf } from "../../components/cron/job-environment.ts";
import { digestOf } from "../../components/cron/local/job.ts";
import { appEnvironment, environmentOfApp, specOfApp } from "../../components/cron/modal/app-environment.ts";
import { tagOf } from "../../components/cron/modal/spec.ts";
import { digestOfSpec } from "../../components/web/agent/spec.ts";
import { environmentOfWeb, specOfWeb, webEnvironment } from "../../components/web/agent/web-environment.ts";
import {
  configOf,
  environmentOfForwarding,
  forwardingEnvironment,
} from "../../components/web/forwarding/forwarding-environment.ts";
import { forwardingOf } from "../../components/web/forwarding/from-program.ts";
import { webOf } from "../../components/web/from-program.ts";

/*
 * The environments of Commands, and what they become where they are applied, as release 0.1 had them: in the state of
 * every stack, so that a difference here is a change of everybody's resources.
 */

/** Of an own definition: those in changelings/ may change. */
const stockOf = ({ name }: { name: string }): StockChangeling | undefined =>
  name === "test-troll" ? troll : undefined;
const troll: StockChangeling = {
  ...{ name: "test-troll", summary: "Tests", parentType: "claude", isConversational: true, message: "Test it" },
  ...{ script: undefined, args: ["--verbose"], settings: ["agent_types.troll.x=1"], fingerprint: "0a1b2c3d" },
};
const anchors = { project: "/home/me/fleet", home: "/home/me" };
const zone = { timezone: "Asia/Tokyo" } as const;
const command = { agentType: "command", agentArgs: ["sh", "-c", "echo a:b, c"], ...zone } as const;
const fullAgent = {
  ...zone,
  agentType: "claude",
  schedule: "*/30 6-8 * * 1-5",
  branch: "next",
  enabled: false,
  template: "big",
  initialMessage: "Do\n it",
  agentArgs: ["--model", "x"],
  env: { B: "2", A: "1, 2" },
  timeoutSeconds: 7200,
  settleSeconds: 30,
  keepRuns: 2,
  renamedFrom: "brownie",
} as const;

const jobs = {
  least: changelingOf("fairy", { ...command, repo: "/home/me/app" }),
  most: changelingOf("fairy", {
    ...fullAgent,
    repo: "https://github.com/me/app",
    overlap: "queue",
    catchUp: false,
    catchUpWithinSeconds: 7200,
    fetch: false,
  }),
  below: changelingOf("fairy", { ...command, repo: "/home/me/fleet/repos/app" }),
  stock: changelingOf("test-troll", { ...zone, repo: "/srv/app" }),
};

it.each(Object.entries(jobs))("a job, %s", (kind, changeling) => {
  const stock = stockOf(changeling);
  const mngrProfile = kind === "most" ? "work" : undefined;
  const environment = environmentOfJob(changeling, { installation: "0123456789ab", mngrProfile, stock, anchors });
  const spec = jobOf(jobEnvironment.decode(environment), { stock, anchors });
  expect(known(environment)).toMatchSnapshot();
  expect(known(spec)).toMatchSnapshot();
  expect(digestOf(spec)).toMatchSnapshot();
});

const sizes = { buildArgs: ["cpu=2", "memory=4"] } as const;
const onModal = { provider: "modal", repo: "https://github.com/me/app" } as const;
const tip = { commit: "1a2b".repeat(10), subject: "Fix: the parser" };
const apps = {
  least: [changelingOf("fairy", { ...command, ...onModal }), undefined, undefined, []],
  most: [
    changelingOf("fairy", {
      ...fullAgent,
      ...onModal,
      verify: "none",
      image: "snapshot",
      snapshotMaxAge: 86_400,
      ...sizes,
    }),
    undefined,
    "0123456789abcdef",
    ["NPM_TOKEN", "GITHUB_TOKEN"],
  ],
  pinned: [
    changelingOf("fairy", {
      ...{ ...command, ...onModal, repo: "/home/me/app", remote: "https://github.com/me/app" },
      ...{ image: "pinned", historyDepth: 3 },
    }),
    tip,
    undefined,
    ["GITHUB_TOKEN"],
  ],
  stock: [changelingOf("test-troll", { ...zone, ...onModal }), undefined, undefined, []],
} as const;

it.each(Object.entries(apps))("an app, %s", (_kind, [changeling, pinned, snapshotLabel, secrets]) => {
  const stock = stockOf(changeling);
  const context = { stack: "home", stock, anchors, secrets, program: "0123456789ab", tip: pinned, snapshotLabel };
  const environment = {
    ...environmentOfApp(changeling, context),
    ...{ MODAL_ENVIRONMENT: "mngr-1f", MNGR_USER_ID: "1f", MNGR_PREFIX: "mngr-" },
  };
  const spec = specOfApp(appEnvironment.decode(environment), stock);
  expect(known(environment)).toMatchSnapshot();
  expect(known(spec)).toMatchSnapshot();
  expect(tagOf(spec)).toMatchSnapshot();
});

const webs = {
  least: webOf("elena", {}),
  most: webOf("elena", {
    ...{ description: "Mine", enabled: false, source: "/home/me/src/elena", branch: "next", agentType: "claude" },
    ...{ agentArgs: ["a b"], addPaths: ["/home/me/a:b/style.md:docs/style.md"], env: { B: "2", A: "1" } },
    ...{ data: "/home/me/elena", destroyData: true, remote: "/home/me/copy.git", memoryInGit: true },
    ...{ settings: { chat: { model: "mine" } }, startTimeoutSeconds: 90, renamedFrom: "elly" },
  }),
  modal: webOf("elena", {
    ...{ provider: "modal", source: "https://github.com/me/elena", data: "a-volume", buildArgs: ["cpu=2"] },
    ...{ remote: "https://github.com/me/copy" },
  }),
};

it.each(Object.entries(webs))("a web agent, %s", (kind, declared) => {
  const most = kind === "most";
  const environment = environmentOfWeb(declared, {
    installation: "0123456789ab",
    mngrProfile: most ? "work" : undefined,
    commit: most ? "1".repeat(40) : undefined,
    definition: most ? "abc" : undefined,
    added: most ? "def" : undefined,
    secrets: most ? ["B", "A"] : [],
    anchors,
  });
  const spec = specOfWeb(webEnvironment.decode({ ...environment, SECRETS_DIGEST: "0123" }), anchors);
  expect(known(environment)).toMatchSnapshot();
  expect(known(spec)).toMatchSnapshot();
  expect(digestOfSpec(spec)).toMatchSnapshot();
});

const servers = {
  least: forwardingOf({}),
  most: forwardingOf({
    ...{ provider: "docker", host: "0.0.0.0", port: 9000, publicUrl: "https://agents.example.com", routing: "path" },
    ...{ codeTtlSeconds: 60, cookieTtlSeconds: 3600, responseTimeoutSeconds: 5, trustedProxies: ["10.0.0.0/8", "::1"] },
  }),
};

it.each(Object.entries(servers))("a forwarding server, %s", (_kind, declared) => {
  const environment = environmentOfForwarding("0123456789ab", declared);
  expect(known(environment)).toMatchSnapshot();
  expect(known(configOf(forwardingEnvironment.decode(environment)))).toMatchSnapshot();
});

/** What is not undefined, as the engine takes it. */
function known(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
