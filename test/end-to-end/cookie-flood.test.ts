import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openAccess } from "../../components/web/forwarding/program/auth/access.ts";
import { type Proxy as AgentProxy, createProxy } from "../../components/web/forwarding/program/proxy/proxy.ts";
import { createForwardingServer, type ForwardingServer } from "../../components/web/forwarding/program/server.ts";
import { openBrowser, type TestBrowser } from "../support/browser.ts";
import { portOf } from "../support/fault-proxy.ts";
import { ada, agentsOf, bob } from "../support/forwarding-site.ts";

/** Agents' hosts share a site with the main one only below a `public_url`: bob's page can set cookies for all of it. */
const site = "agents.example";
const flood = `<h1>bob</h1><script>
for (let index = 0; index < 150; index++)
  document.cookie = "flood" + index + "=" + "x".repeat(3900) + "; Domain=${site}; Path=/; Secure";
</script>`;

let folder: string;
let agent: Server;
let proxy: AgentProxy;
let server: ForwardingServer;
let front: Server;
let browser: TestBrowser;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "flood-"));
  agent = createServer(({ headers }, res) => {
    const isBob = headers.host?.startsWith(bob.id) === true;
    res.setHeader("content-type", "text/html").end(isBob ? flood : "<h1>ada</h1>");
  });
  await new Promise<void>((resolve) => agent.listen(0, "127.0.0.1", resolve));
  const agents = agentsOf([ada, bob]);
  agents.target = async () => ({ kind: "online", url: new URL(`http://127.0.0.1:${portOf(agent)}/`) });
  const ttl = { codeTtlSeconds: 900, cookieTtlSeconds: 3600 };
  const access = openAccess({ folder, ...ttl, isSecure: true, hasAgentHosts: true, log: () => {} });
  proxy = createProxy(agents);
  const config = {
    version: 1,
    port: 0,
    host: "127.0.0.1",
    publicUrl: `https://${site}`,
    routing: "host",
    ...ttl,
  } as const;
  server = await createForwardingServer({ config, access, agents, proxy, log: () => {} });
  front = tlsFront(server.port);
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const there = `127.0.0.1:${portOf(front)}`;
  browser = await openBrowser([`--host-resolver-rules=MAP ${site}:443 ${there}, MAP *.${site}:443 ${there}`]);
});
afterEach(async () => {
  await browser?.close();
  await server?.close();
  proxy?.stop();
  for (const each of [front, agent]) {
    each?.closeAllConnections();
    each?.close();
  }
  rmSync(folder, { recursive: true });
});

/** What is in front of a forwarding server with a `public_url`: it speaks TLS and takes headers of any size. */
function tlsFront(port: number): Server {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const made = ["req", "-x509", "-nodes", "-days", "1", "-subj", `/CN=${site}`, "-keyout", key, "-out", cert];
  execFileSync("openssl", [...made, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], { stdio: "pipe" });
  const tls = { key: readFileSync(key), cert: readFileSync(cert), maxHeaderSize: 2_000_000 };
  return createTlsServer(tls, (req, res) => {
    const { method, url, headers } = req;
    const onward = request({ host: "127.0.0.1", port, method, path: url, headers, setHost: false }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  });
}

test("a page that floods the site with cookies blocks neither the list nor other agents", async () => {
  const person = await browser.newPerson({ ignoreHTTPSErrors: true });
  const page = await person.newPage();
  for (const each of [ada, bob]) {
    await page.goto(server.loginUrl(each.id).url);
    await expect.poll(() => page.getByRole("heading", { level: 1 }).textContent()).toMatch(/ada|Your changelings/);
  }
  await page.goto(`https://${bob.id}.${site}/`);
  await expect.poll(() => page.getByRole("heading", { level: 1 }).textContent()).toBe("bob");
  const flooded = await person.context.cookies(`https://${site}/`);
  const size = flooded.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
  // More than any server of an agent is sent, and more than most servers read.
  expect(size).toBeGreaterThan(100_000);

  await page.goto(`https://${site}/`);
  await expect.poll(() => page.getByRole("listitem").getByRole("link", { name: ada.name }).count()).toBe(1);
  await page.goto(`https://${ada.id}.${site}/`);
  await expect.poll(() => page.getByRole("heading", { level: 1 }).textContent()).toBe("ada");
});
