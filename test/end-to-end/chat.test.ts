import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type OutgoingHttpHeaders, type RequestOptions, request } from "node:http";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { isAlive } from "../../components/lib/process.ts";
import { registeredServers } from "../../components/web/agent/servers.ts";
import { ChatLab } from "../support/chat.ts";

let lab: ChatLab;
beforeEach(() => {
  lab = new ChatLab();
});
afterEach(() => lab.remove());

const services = () => readFileSync(join(lab.state, "events/services/events.jsonl"), "utf8");
const servers = () =>
  Object.fromEntries(registeredServers({ services: services(), servers: "", agentServer: "" }).servers);

test("registers its server while it runs", async () => {
  const first = await lab.startDeployed({ PORT: "0" });
  expect(servers()).toEqual({ web: `${first.url}/` });
  expect(await first.end("SIGTERM")).toBe(0);
  expect(servers()).toEqual({});
  await (await lab.startDeployed()).end("SIGKILL");
  const last = await lab.startDeployed();
  expect(servers()).toEqual({ web: last.url });
});

test("reports to mngr when user and agent were last active, not when it was started", async () => {
  const at = (file: string) => statSync(join(lab.state, "activity", file)).mtime.toISOString();
  const lines = [
    { id: 1, at: "2026-01-02T03:04:05.000Z", from: "person", text: "hi" },
    { id: 2, at: "2026-01-02T03:04:06.000Z", from: "agent", text: "hello", replyTo: 1 },
  ];
  lab.journal = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const chat = await lab.startDeployed({ PORT: "0" });
  const said = () => readFileSync(join(lab.state, "last-message"), "utf8");
  expect([at("user"), at("agent")]).toEqual(lines.map((line) => line.at));
  expect(said()).toBe("hello");
  const answer = await chat.ask("again");
  const { messages } = await chat.messages();
  await expect.poll(() => [at("user"), at("agent")]).toEqual([messages.at(-2)?.at, answer.at]);
  await expect.poll(said).toBe(answer.text.slice(0, 300));
});

describe("for other users of the machine", () => {
  const status = (to: RequestOptions, headers: OutgoingHttpHeaders = {}) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ ...to, path: "/", headers: { ...headers }, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.once("error", reject).end();
    });

  test("listens on a socket that only its user can access, also after it was killed", async () => {
    await (await lab.startDeployed()).end("SIGKILL");
    const chat = await lab.startDeployed();
    const [, path = ""] = /^unix:(.*)$/.exec(chat.url) ?? [];
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect(await status({ socketPath: path })).toBe(200);
    expect(await chat.end("SIGTERM")).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("finds a short path for its socket if mngr's folder has a long one", async () => {
    const state = join(lab.folder, "x".repeat(110));
    mkdirSync(state);
    const chat = await lab.startDeployed({ MNGR_AGENT_STATE_DIR: state, TMPDIR: lab.folder });
    const [, path = ""] = /^unix:(.*)$/.exec(chat.url) ?? [];
    expect([statSync(dirname(path)).mode & 0o777, await status({ socketPath: path })]).toEqual([0o700, 200]);
  });

  test("on a port, only responds to requests with the secret of this start", async () => {
    const before = await lab.startDeployed({ PORT: "0" });
    await before.end("SIGKILL");
    const chat = await lab.startDeployed({ PORT: "0" });
    const { port } = new URL(chat.url);
    expect(statSync(join(lab.state, "forwarding-secret")).mode & 0o777).toBe(0o600);
    expect(await status({ port }, chat.headers)).toBe(200);
    expect([await status({ port }), await status({ port }, before.headers)]).toEqual([403, 403]);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, ["chat.v1"]);
    const [error] = await once(socket, "error");
    expect(error.message).toBe("Unexpected server response: 403");
  });
});

describe("a message", () => {
  test("is stored, answered, and sent to every open page", async () => {
    const chat = await lab.start();
    const socket = new WebSocket(`${chat.url.replace("http", "ws")}/live?after=0`, ["other", "chat.v1"]);
    const heard: unknown[] = [];
    const ended = new Promise<void>((resolve) => {
      socket.on("message", (data) => {
        heard.push(JSON.parse(String(data)));
        if (heard.length === 5) resolve();
      });
    });
    await once(socket, "open");
    expect(socket.protocol).toBe("chat.v1");
    const answer = await chat.ask("hello");
    await ended;
    const [question] = (await chat.messages()).messages;
    expect(question).toMatchObject({ id: 1, from: "person", text: "hello" });
    expect(answer).toMatchObject({ id: 2, from: "agent", text: "You said: hello", replyTo: 1 });
    const changes = [{ answering: false }, { message: question }, { answering: true }, { message: answer }];
    expect(heard).toEqual([...changes, { answering: false }]);
    expect(lab.journal.split("\n").length).toBe(4);
    expect(statSync(join(lab.data, "memory/messages.jsonl")).mode & 0o777).toBe(0o600);

    const after = [];
    for await (const change of chat.events("", { "last-event-id": "1" })) {
      after.push(change);
      if (after.length === 2) break;
    }
    expect(after).toEqual([{ message: answer }, { answering: false }]);
    const closed = once(socket, "close");
    await chat.end("SIGTERM");
    expect((await closed)[0]).toBe(1001);
  });

  test("is accepted once if it is sent repeatedly, also from a form", async () => {
    const chat = await lab.start();
    const sent = await Promise.all(Array.from({ length: 5 }, () => chat.post("once", "one-mark-0001")));
    expect(sent.map(({ status }) => status)).toEqual(Array(5).fill(201));
    const body = new URLSearchParams({ text: "from a form\r\nwith two lines" });
    const form = await fetch(`${chat.url}/messages`, { method: "POST", body, redirect: "manual" });
    expect([form.status, form.headers.get("location")]).toEqual([303, "/"]);
    await chat.answerTo((await chat.messages()).messages.findLast(({ from }) => from === "person")?.id ?? 0);
    await chat.end("SIGKILL");
    const again = await lab.start();
    expect((await again.post("once", "one-mark-0001")).status).toBe(201);
    const said = (await again.messages()).messages.filter(({ from }) => from === "person").map(({ text }) => text);
    expect(said).toEqual(["once", "from a form\nwith two lines"]);
  });

  test.each([
    ["is empty", JSON.stringify({ text: " \n" }), 400],
    ["is none", "[]", 400],
    ["is no JSON", "{", 400],
    ["is too long", JSON.stringify({ text: "x".repeat(16_001) }), 413],
    ["is far too long", "x".repeat(200_000), 413],
  ])("that %s is refused", async (_fault, body, status) => {
    const chat = await lab.start();
    const headers = { "content-type": "application/json" };
    expect((await fetch(`${chat.url}/messages`, { method: "POST", headers, body })).status).toBe(status);
    expect((await chat.messages()).messages).toEqual([]);
  });

  test("is skipped if a crash truncated it, and later ones are complete", async () => {
    const said = { id: 1, at: "2026-11-21T03:00:00.000Z", from: "person", text: "before" };
    lab.journal = `${JSON.stringify(said)}\n{"started":1}\nnonsense\n{"id":2,"at":"2026`;
    const chat = await lab.start();
    expect(chat.log()).toContain("2 invalid lines of the journal were skipped");
    await chat.ask("after");
    const expected = [
      [1, "before"],
      [2, "I was restarted while I worked on an answer. Send the message again if you still want one."],
      [3, "after"],
      [4, "You said: after"],
    ];
    const seen = async () => (await chat.messages()).messages.map(({ id, text }) => [id, text]);
    expect(await seen()).toEqual(expected);
    await chat.end("SIGKILL");
    const again = await lab.start();
    expect((await again.messages()).messages.map(({ id, text }) => [id, text])).toEqual(expected);
  });

  test("is answered after a crash if no answer had begun", async () => {
    lab.journal = `${JSON.stringify({ id: 7, at: "2026-11-21T03:00:00.000Z", from: "person", text: "there?" })}\n`;
    const chat = await lab.start();
    expect(await chat.answerTo(7)).toMatchObject({ id: 8, text: "You said: there?" });
  });
});

describe("a responder", () => {
  test("of Claude gets the settings, the conversation so far, and the new message", async () => {
    const bin = lab.program(
      "claude",
      `printf '%s\\n' "$@" > ${lab.folder}/argv`,
      `cat > ${lab.folder}/stdin`,
      "pwd -P >> argv-folder",
      "echo; echo ' An answer. '",
    );
    const settings = ["[chat]", 'model = "claude-test"', "[chat.context]", "max_messages_line_count = 2"];
    writeFileSync(join(lab.state, "settings.toml"), [...settings, "max_content_length = 6"].join("\n"));
    const env = { PORT: "0", PATH: `${bin}:/usr/bin:/bin` };
    const chat = await lab.startDeployed(env, ["claude", "--verbose"]);
    await chat.ask("first");
    await chat.ask("the second one");
    expect(await chat.ask("third\nof three")).toMatchObject({ text: "An answer." });
    expect(readFileSync(join(lab.folder, "argv"), "utf8").trimEnd().split("\n")).toEqual([
      ...["-p", "--model", "claude-test", "--output-format", "text", "--permission-mode", "acceptEdits"],
      ...["--allowedTools", "Bash(git status:*),Bash(git diff:*),Bash(git log:*),Bash(git add:*),Bash(git commit:*)"],
      "--verbose",
    ]);
    expect(readFileSync(join(lab.folder, "stdin"), "utf8")).toContain(
      "\n\nPerson: the se…\nYou: An ans…\n\nThe person's new message, which you answer:\n\nthird\nof three",
    );
    // It ran in the agent's repo.
    expect(readFileSync(join(lab.repo, "argv-folder"), "utf8").split("\n")[0]).toBe(lab.repo);
  });

  test("reports a failure without the environment's secrets", async () => {
    const bin = lab.program("grump", 'echo "bad key $SOME_API_KEY" >&2', "exit 3");
    const chat = await lab.start({ RESPONDER: join(bin, "grump"), SOME_API_KEY: "sk-very-secret" });
    expect(await chat.ask("hello")).toMatchObject({
      text: `${join(bin, "grump")} failed (exit status 3). bad key ***`,
      failed: true,
    });
  });

  test("does not block the next one if it is missing, silent or too slow", async () => {
    const missing = await lab.start({ PATH: "/usr/bin:/bin" }, ["claude"]);
    expect(await missing.ask("?")).toMatchObject({
      text: "The Claude CLI is not installed where I run, so I can't answer.",
      failed: true,
    });
    await missing.end("SIGTERM");
    const bin = lab.program("slow", `case "$(cat)" in quick) echo "$1" ;; empty) ;; *) sleep 60 & wait ;; esac`);
    const slow = await lab.start({ RESPONDER_TIMEOUT_SECONDS: "1" }, [join(bin, "slow"), "an argument"]);
    expect((await slow.ask("wait")).text).toBe(`${join(bin, "slow")} gave no answer in 1 seconds and was ended.`);
    expect((await slow.ask("empty")).text).toBe(`${join(bin, "slow")} gave an empty answer.`);
    expect((await slow.ask("quick")).text).toBe("an argument");
  });

  test("ends with the server, even during an answer", async () => {
    const pidFile = join(lab.folder, "pid");
    const bin = lab.program("endless", `echo $$ > ${pidFile}.new`, `mv ${pidFile}.new ${pidFile}`, "exec sleep 60");
    const chat = await lab.start({ RESPONDER: join(bin, "endless") });
    await chat.post("go");
    await expect.poll(() => existsSync(pidFile)).toBe(true);
    expect(await chat.end("SIGTERM")).toBe(0);
    await expect.poll(() => hasEnded(Number(readFileSync(pidFile, "utf8")))).toBe(true);
    const again = await lab.start();
    expect((await again.messages()).messages.at(-1)?.text).toMatch(/^I was restarted while/);
  });
});

/** A process whose parent is gone may stay in the list for a while after its end, until somebody asks for its status. */
function hasEnded(pid: number): boolean {
  return !isAlive(pid) || / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

test("the conversation is stored as one file in the data, for when the agent is offline", async () => {
  const chat = await lab.start();
  await chat.ask("<script>alert(1)</script>");
  await chat.end("SIGTERM");
  const page = readFileSync(join(lab.data, "index.html"), "utf8");
  expect(page).toContain("You said: &#60;script&#62;alert(1)&#60;/script&#62;");
  expect(page).not.toMatch(/<script|<link|src=|url\(/);
});

test("a memory in the repo is committed, and nothing else", async () => {
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", lab.repo, ...args], { encoding: "utf8", env: { PATH: process.env["PATH"] ?? "" } });
  git("init", "--quiet", "--initial-branch=main");
  git("add", "--all");
  git("-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "--message=Begin");
  writeFileSync(join(lab.repo, "README.md"), "being edited");
  writeFileSync(join(lab.repo, "new.txt"), "staged");
  git("add", "new.txt");
  const chat = await lab.start({ CHANGELING_MEMORY: join(lab.repo, "memory") });
  await chat.ask("remember me");
  await chat.end("SIGTERM");
  expect(git("log", "--format=%an %s", "--name-only", "-1").trimEnd().split("\n")).toEqual([
    "elena Remember the conversation",
    "",
    "memory/messages.jsonl",
  ]);
  expect(git("status", "--short")).toBe(" M README.md\nA  new.txt\n");
  expect(git("show", "HEAD:memory/messages.jsonl").split("\n").length).toBe(4);
});

test("rejects requests that are not for this page, without side effects", async () => {
  const chat = await lab.start();
  const { port } = new URL(chat.url);
  const ask = (path: string, headers: Record<string, string>, method = "GET") =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ port, host: "127.0.0.1", path, method, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on("error", reject).end();
    });
  expect(await ask("/", { host: `evil.example:${port}` })).toBe(403);
  expect(await ask("/messages", { origin: "http://evil.example" }, "POST")).toBe(403);
  expect(await ask("//", {})).toBe(400);
  expect(await ask("/..%2f..%2fpackage.json", {})).toBe(404);
  expect(await ask("/../lib/page.mjs", {})).toBe(404);
  expect(await ask("/", {}, "PUT")).toBe(405);
  const refused = async (path: string, protocols: string[], origin?: string) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, origin === undefined ? {} : { origin });
    const [error] = await once(socket, "error");
    return error.message;
  };
  expect(await refused("/live", ["chat.v1"], "http://evil.example")).toBe("Unexpected server response: 403");
  expect(await refused("/live", [])).toBe("Unexpected server response: 400");
  expect(await refused("//", ["chat.v1"])).toBe("Unexpected server response: 404");
  expect((await fetch(chat.url)).status).toBe(200);
});
