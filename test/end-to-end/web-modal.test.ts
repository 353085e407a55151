import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modalClient } from "../../components/modal/client.ts";
import { modalToken } from "../../components/modal/token.ts";
import { mngrOnModal } from "../../components/web/modal/mngr-on-modal.ts";
import { hostNameTag } from "../../components/web/modal/place.ts";
import { readRecord, type WebRecord } from "../../components/web/record.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { Repository } from "../support/repository.ts";
import { freePort, loginUrl } from "../support/web-stack.ts";

/** A small agent: registers itself, counts its starts in its data, and says what it was made of. */
const agent = `
import http.server, json, os
data = os.environ["CHANGELING_DATA"]
with open(f"{data}/starts", "a") as file:
    file.write("*")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        starts = os.path.getsize(f"{data}/starts")
        secret = "has its secret" if os.environ.get("SOME_SECRET") == "s3cret" else "lacks its secret"
        body = f"{open('greeting').read().strip()}; started {starts} times; {secret}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
folder = os.environ["MNG_AGENT_STATE_DIR"] + "/logs"
os.makedirs(folder, exist_ok=True)
with open(f"{folder}/servers.jsonl", "a") as file:
    file.write(json.dumps({"server": "web", "url": f"http://127.0.0.1:{server.server_port}"}) + "\\n")
server.serve_forever()
`;
const settings = `
[agent_types.greeter]
parent_type = "command"
command = "python3 agent.py"
[create_templates.entrypoint]
type = "greeter"
`;
describe.skipIf(process.getuid?.() !== 0)("a web changeling on Modal", { timeout: 600_000 }, () => {
  let emulator: Emulator;
  let test: TestStack;
  let source: Repository;
  let port: number;

  beforeAll(async () => {
    emulator = await startEmulator();
    test = makeTestStack({ ...emulator.env, SOME_SECRET: "s3cret" });
    source = new Repository();
    source.commit({ "agent.py": agent, ".mngr/settings.toml": settings, greeting: "Hello" }, at(1));
    port = await freePort();
    const forwarding = `[forwarding]\nport = ${port}\n`;
    const greeter = `[changelings.greeter]\nkind = "web"\nprovider = "modal"\nsource = "${source.folder}"\n`;
    test.declare(`${forwarding}\n${greeter}secrets = ["SOME_SECRET"]\nstart_timeout_seconds = 120\n`);
  }, 120_000);
  afterAll(async () => {
    await test?.remove();
    source?.[Symbol.dispose]();
    await emulator?.stop();
  }, 300_000);

  it("is deployed, forwarded to, updated, started again, and destroyed", async () => {
    await up();
    const { agentId, data, repo, modal } = record();
    const open = await visitor();
    expect(await open()).toBe("Hello; started 1 times; has its secret");

    await inMachine("echo own >own.txt; git add own.txt; git commit --quiet --message=own; echo draft >draft.txt");
    source.commit({ greeting: "Good day" }, at(2));
    await up();
    expect(record().agentId).toBe(agentId);
    expect(await open()).toBe("Good day; started 2 times; has its secret");
    expect(
      await inMachine("git log --first-parent --format=%s; git branch --show-current; cat own.txt draft.txt"),
    ).toBe("Merge what is declared\nown\nPast\nmain\nown\ndraft");

    await endMachine();
    expect(await drift()).toEqual(["its machine has ended"]);
    // Whoever opens its page starts it.
    expect(await open()).toBe("Good day; started 3 times; has its secret");
    expect(await inMachine("git log -1 --format=%s; cat draft.txt")).toBe("Merge what is declared\ndraft");
    expect(await drift()).toEqual([]);

    await pulumi("destroy");
    const { environments, volumes, sandboxes, secrets } = await emulator.control.state();
    expect(environments).toEqual(["main", modal?.environment]);
    expect(sandboxes.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect(secrets).toEqual([]);
    const shared = ["changelings_dev", "changelings_dev_runs", "mngr-modal-state"];
    expect(volumes.map(({ name }) => name).sort()).toEqual([...shared, data, repo].sort());
    expect(readRecord(test.paths, "greeter")).toBeUndefined();
  });

  const at = (minute: number) => ({ author: "Me", at: `2026-01-01T00:0${minute}:00Z` });
  const up = () => pulumi("up");

  async function pulumi(what: "up" | "destroy"): Promise<void> {
    const { code, stdout, stderr } = await test.pulumi([what, "--yes", "--skip-preview", "--non-interactive"]);
    expect(code, stdout + stderr).toBe(0);
    // Whatever it says, it says no secret.
    expect(stdout + stderr).not.toContain("s3cret");
  }

  /** What the next `pulumi up` would mend of the agent. */
  async function drift(): Promise<string[]> {
    const { code, stdout } = await test.pulumi(["preview", "--diff", "--non-interactive", "--color", "never"]);
    expect(code, stdout).toBe(0);
    const own = stdout.split("[urn=").find((resource) => /^[^\]]*::greeter-modal-agent\]/.test(resource)) ?? "";
    return [...own.matchAll(/DRIFT *: (?:"[^"]*" => )?"(.+) \(seen /g)].map(([, what = ""]) => what);
  }

  function record(): WebRecord {
    const found = readRecord(test.paths, "greeter");
    if (found === undefined) throw new Error("greeter has no record");
    return found;
  }

  async function inMachine(command: string): Promise<string> {
    const { hostAddress = "", mngrHostDir: hostDir = "" } = record();
    const token = modalToken(test.env);
    const mngr = mngrOnModal({ hostDir, mngrProfile: undefined, token, env: test.env });
    const { results } = await mngr.exec([hostAddress], command);
    expect(results).toMatchObject([{ success: true }]);
    return results[0]?.stdout.trim() ?? "";
  }

  /** As Modal does after a day, or when it has an accident. */
  async function endMachine(): Promise<void> {
    const { environment = "", host = "" } = record().modal ?? {};
    const client = modalClient({ token: modalToken(test.env), env: test.env });
    expect(await client.endSandboxes(environment, { [hostNameTag]: host })).toHaveLength(1);
  }

  /** A browser that is logged in. @returns what opens its page, and waits while it is being started */
  async function visitor(): Promise<() => Promise<string>> {
    const cookies = new Map<string, string>();
    const login = new URL(await loginUrl(test, "greeter"));
    await navigate(new URL(`/authenticate${login.search}`, login), cookies);
    return async () => {
      for (let attempt = 0; attempt < 60; attempt += 1) {
        const { status, body } = await navigate(new URL(`/${record().agentId}/`, login), cookies);
        if (status === 200) return body;
        expect(status, body).toBeOneOf([502, 503]);
        await sleep(1000);
      }
      throw new Error("its page does not come");
    };
  }

  /** Follows redirects as a browser does, with its cookies by host. */
  async function navigate(url: URL, cookies: Map<string, string>): Promise<{ status: number; body: string }> {
    const navigation = { "sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none" };
    const cookie = cookies.get(url.host);
    const headers = { host: url.host, ...navigation, ...(cookie === undefined ? {} : { cookie }) };
    const sent = request({ host: "127.0.0.1", port, path: url.pathname + url.search, headers }).end();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once("response", resolve).once("error", reject);
    });
    const body = await text(response);
    const [set] = response.headers["set-cookie"] ?? [];
    if (set !== undefined) cookies.set(url.host, set.split(";")[0] ?? "");
    const { location } = response.headers;
    if (location !== undefined) return navigate(new URL(location, url), cookies);
    return { status: response.statusCode ?? 0, body };
  }
});
