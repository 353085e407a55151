import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { writeRecord } from "../../../../components/web/agent/record.ts";
import { forwardingServerType } from "../../../../components/web/command-suffixes.ts";
import { deployedPageUrl, untilText } from "../../../../components/web/forwarding/server-client.ts";
import { orphanAgents } from "../../../../components/web/inspect/doctor.ts";
import { stateOf } from "../../../../components/web/inspect/list.ts";
import { addedTo } from "../../../../components/web/inspect/logs.ts";
import { targetsOf } from "../../../../scripts/changeling/fleet-file/apply.ts";
import { editOf, refuseOthers } from "../../../../scripts/changeling/kinds.ts";
import { redirectPage } from "../../../../scripts/changeling/terminal/open-url.ts";
import { requireWeb } from "../../../../scripts/changeling/web/require-web.ts";

const agentId = `agent-${"a".repeat(32)}`;

describe("targetsOf", () => {
  const urn = (type: string, name: string) => `urn:pulumi:dev::changelings::${type}::${name}`;
  const web = "changelings:web:WebChangeling";
  const command = "$command:local:Command";
  /** As Pulumi does: `**` is anything, `*` all but a colon. */
  const matches = (targets: string[], name: string) =>
    targets.some((target) =>
      new RegExp(
        `^${target
          .split("**")
          .map((part) => part.replace(/[$.]/g, "\\$&").replaceAll("*", "[^:]*"))
          .join(".*")}$`,
      ).test(name),
    );

  it.each([
    [urn(web, "chat"), true],
    [urn(web + command, "chat-agent"), true],
    [urn(web + command, "chat-agent-docker"), true],
    [urn(web + command, "chat-agent-modal"), true],
    [urn(web + command, "chat-secrets"), true],
    [urn("changelings:cron:CronChangeling", "chat"), true],
    [urn(web, "chat-agent"), false],
    [urn(web, "chat-2"), false],
    [urn(web + command, "chat-2-agent"), false],
    [urn(web + command, "my-chat-agent"), false],
    [urn(`changelings:web:ForwardingServer${command}`, "forwarding"), false],
  ])("for chat, %s: %s", (name, isTarget) => {
    expect(matches(targetsOf({ names: ["chat"] }), name)).toBe(isTarget);
  });

  it("takes what changelings on Modal share when it is asked to", () => {
    const home = urn("changelings:modal:ModalHome", "modal");
    const command = urn("changelings:modal:ModalHome$command:local:Command", "modal");
    for (const each of [home, command]) {
      expect(matches(targetsOf({ names: ["chat"] }), each)).toBe(false);
      expect(matches(targetsOf({ names: ["chat"], modal: true }), each)).toBe(true);
    }
  });

  it("takes the forwarding server when it is asked to", () => {
    const targets = targetsOf({ names: [], shared: [forwardingServerType] });
    expect(matches(targets, urn("changelings:web:ForwardingServer", "forwarding"))).toBe(true);
    expect(matches(targets, urn(`changelings:web:ForwardingServer${command}`, "forwarding"))).toBe(true);
    expect(matches(targets, urn(web, "chat"))).toBe(false);
  });
});

describe("stateOf", () => {
  it.each([
    ["WAITING", true, "running"],
    ["REPLACED", true, "running"],
    ["DONE", true, "died"],
    ["DONE", false, "stopped"],
    ["STOPPED", true, "not running"],
    ["STOPPED", false, "stopped"],
    ["UNKNOWN", true, "unknown"],
  ] as const)("calls %s of one that is enabled: %s %s", (state, enabled, expected) => {
    expect(stateOf({ state }, { enabled, isComplete: true })).toBe(expected);
  });

  it("reports an agent as gone only if mngr could query every provider", () => {
    expect(stateOf(undefined, { enabled: true, isComplete: true })).toBe("gone");
    expect(stateOf(undefined, { enabled: true, isComplete: false })).toBe("unknown");
  });
});

describe("orphanAgents", () => {
  it("finds this installation's web agents that no record has, and nobody else's", () => {
    const agent = (id: string, labels: Record<string, string>) => ({
      id,
      name: `n-${id}`,
      state: "DONE",
      labels,
      plugin: {},
    });
    const ours = { changelings_installation: "inst", changeling_kind: "web" };
    const agents = [
      agent(agentId, ours),
      agent("lost", ours),
      agent("removed", ours),
      agent("run", { changelings_installation: "inst" }),
      agent("theirs", { ...ours, changelings_installation: "other" }),
    ];
    const record = { version: 1, name: "chat", agentName: "chat", provider: "local", repo: "/r", data: "/d" } as const;
    const records = [
      { ...record, agentId },
      { ...record, agentId: "removed", removed: true as const },
    ];
    expect(orphanAgents(records, agents, "inst").map(({ name }) => name)).toEqual([
      "orphan agent n-lost",
      "orphan agent n-removed",
    ]);
  });
});

describe("orphanAgents in Docker", () => {
  it("are removed with their machine", () => {
    const host = { id: "host-1", name: "chat-2", provider_name: "docker", state: "RUNNING", ssh: null, snapshots: [] };
    const labels = { changelings_installation: "inst", changeling_kind: "web" };
    const agent = { id: agentId, name: "chat", state: "WAITING", labels, plugin: {}, host };
    expect(orphanAgents([], [agent], "inst")).toEqual([
      {
        name: "orphan agent chat",
        status: "failed",
        detail: `no changeling of this stack has it (${agentId})`,
        remedy: "remove its machine with: mngr destroy @chat-2.docker --force; its volumes stay",
      },
    ]);
  });
});

describe("addedTo", () => {
  it.each([
    ["", "a\nb", "a\nb"],
    ["a\nb", "a\nb", ""],
    ["a\nb", "a\nb\nc", "c"],
    ["a\nb\nc", "b\nc\nd", "d"],
    ["a", "x\ny", "x\ny"],
  ])("after %j, %j adds %j", (before, now, added) => {
    expect(addedTo(before, now)).toBe(added);
  });

  it("finds the longest overlap, also of equal lines", () => {
    const few = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(few, few, (old, lines) => {
        const starts = old.map((_, start) => old.slice(start));
        const found = starts.find((rest) => String(rest) === String(lines.slice(0, rest.length))) ?? [];
        expect(addedTo(old.join("\n"), lines.join("\n"))).toBe(lines.slice(found.length).join("\n"));
      }),
    );
  });

  it("compares long logs of equal lines", () => {
    const old = "same\n".repeat(200_000);
    expect(addedTo(`${old}last`, `${old}other`)).toBe(`${old}other`);
  });

  it("prints each line once, even if the terminal drops its first lines", () => {
    const different = fc.uniqueArray(fc.stringMatching(/^\w+$/), { minLength: 1 });
    fc.assert(
      fc.property(different, fc.nat(), fc.nat(), (lines, seen, forgotten) => {
        const [shown, lost] = [1 + (seen % lines.length), forgotten % (1 + (seen % lines.length))];
        const before = lines.slice(0, shown).join("\n");
        expect(addedTo(before, lines.slice(lost).join("\n"))).toBe(lines.slice(shown).join("\n"));
      }),
    );
  });
});

describe("redirectPage", () => {
  it("leads to the URL, whatever is in it", () => {
    const page = redirectPage('http://localhost:1/login?a=1&b="><script>');
    expect(page).toContain('content="0; url=http://localhost:1/login?a=1&amp;b=&quot;>&lt;script>"');
    expect(page).not.toContain("<script>");
  });
});

describe("untilText", () => {
  it("leaves the day away when it is today", () => {
    const now = new Date(2026, 10, 21, 15, 50);
    expect(untilText({ url: "", expiresAt: new Date(2026, 10, 21, 16, 5) }, now)).toBe("16:05");
    expect(untilText({ url: "", expiresAt: new Date(2026, 10, 22, 0, 5) }, now)).toBe("22 Nov 00:05");
  });
});

describe("a machine with one web changeling and one that was removed", () => {
  let home: string;
  const place = () => ({ stack: { name: "dev" }, paths: installationPaths("0123456789ab", home), provider: undefined });
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "kinds-"));
    const { paths } = place();
    const record = { version: 1, agentId, provider: "local", repo: "/r", data: "/d" } as const;
    writeRecord(paths, { ...record, name: "chat", agentName: "chat" });
    writeRecord(paths, { ...record, name: "gone", agentName: "gone", removed: true });
    writePrivateFile(join(paths.jobs, "ledger.json"), "{}");
  });
  afterAll(() => rmSync(home, { recursive: true }));

  it("finds the one that is deployed", async () => {
    expect((await requireWeb(place(), "chat", "open")).agentId).toBe(agentId);
    expect((await requireWeb(place(), agentId, "open")).name).toBe("chat");
  });

  it.each([
    ["chatt", 'no web changeling "chatt" is deployed on this stack; did you mean chat?'],
    ["zebra", 'no web changeling "zebra" is deployed on this stack; deployed are: chat'],
    ["gone", "gone was removed; its repo is kept in /r, and is used again if you declare gone again"],
    ["ledger", "ledger is a scheduled changeling: it has no page; what its runs did: changeling logs ledger"],
  ])("says of %s: %s", async (name, message) => {
    await expect(requireWeb(place(), name, "open")).rejects.toThrow(message);
  });

  it("says what to do instead of firing it", () => {
    expect(() => refuseOthers(place(), "chat", "run")).toThrow(
      "chat is a web changeling: it has no schedule, because it runs all the time; open it with: changeling open chat",
    );
    expect(() => refuseOthers(place(), "ledger", "run")).not.toThrow();
    expect(() => refuseOthers(place(), "gone", "run")).not.toThrow();
  });

  it("says who may have been meant when the file does not declare a name", () => {
    const change = editOf("chatt", (text) => text);
    expect(() => change("[changelings.chat]\n")).toThrow(
      'the fleet file declares no changeling "chatt"; did you mean chat?',
    );
    expect(() => change("[changelings.b]\n")).toThrow('the fleet file declares no changeling "chatt": b');
    expect(() => change("")).toThrow(/"chatt"$/);
  });

  it("knows a page's URL once a forwarding server was applied", () => {
    const { paths } = place();
    expect(deployedPageUrl(paths, agentId)).toBe(null);
    const config = {
      version: 1,
      port: 8421,
      host: "127.0.0.1",
      publicUrl: null,
      codeTtlSeconds: 900,
      cookieTtlSeconds: 900,
    };
    const write = (routing: string) =>
      writePrivateFile(join(paths.forwarding, "config.json"), JSON.stringify({ ...config, routing }));
    write("host");
    expect(deployedPageUrl(paths, agentId)).toBe(`http://${agentId}.localhost:8421/`);
    write("path");
    expect(deployedPageUrl(paths, agentId)).toBe(`http://localhost:8421/${agentId}/`);
  });
});
