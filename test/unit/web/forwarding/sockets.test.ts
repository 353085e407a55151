import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentsLab, idOf } from "../../../support/agents-lab.ts";
import { agentsAt, ask, type Echo, kept, startEcho, startFront } from "../../../support/upstreams.ts";

describe("an agent that listens on a Unix socket", () => {
  const lab = new AgentsLab();
  let folder: string;
  let server: Server;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "socket-"));
  });
  afterEach(() => {
    server?.close();
    rmSync(folder, { recursive: true });
  });

  it("is found there, with the secret that identifies us to its servers", async () => {
    const path = join(folder, "web.sock");
    server = createServer((req, res) =>
      res.end(`${req.url} ${req.headers["x-changeling-secret"]} ${req.headers.host}`),
    );
    await new Promise<void>((resolve) => server.listen(path, resolve));
    lab.declare("quiet");
    lab.mngrSays("quiet", "WAITING", { web: `unix:${path}` });
    writeFileSync(join(lab.folderOf("quiet"), "forwarding-secret"), "s".repeat(43));
    await lab.start();
    const target = await lab.agents.target(idOf("quiet"), undefined);
    const url = new URL("http://localhost/");
    expect(target).toMatchObject({ kind: "online", url, socketPath: path, secret: "s".repeat(43) });
    const front = await kept(startFront(agentsAt(() => target)));
    const { body } = await ask(new URL("/x?y", front.url), { headers: { "x-changeling-secret": "forged" } });
    expect(body).toBe(`/x?y ${"s".repeat(43)} ${front.url.host}`);
  });

  it("is offline if nothing listens there", async () => {
    lab.declare("quiet");
    lab.mngrSays("quiet", "WAITING", { web: `unix:${folder}/no.sock` });
    await lab.start();
    expect(lab.states()).toEqual({ quiet: "starting" });
  });
});

it("no agent gets the secret that a browser sends, or that of another agent", async () => {
  const upstream = await kept(startEcho());
  const front = await kept(startFront(agentsAt(() => ({ kind: "online", url: upstream.url }))));
  const { body } = await ask(front.url, {
    headers: { "X-Changeling-Secret": "forged", x_changeling_secret: "forged" },
  });
  const echo: Echo = JSON.parse(body);
  expect(echo.rawHeaders.filter((each) => /secret|forged/i.test(each))).toEqual([]);
});
