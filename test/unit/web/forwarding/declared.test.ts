import { afterAll, describe, expect, it } from "vitest";
import { Sandbox, usualForwarding } from "../../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
afterAll(() => sandbox[Symbol.dispose]());

const web = '[changelings.chat]\nkind = "web"\n';

async function forwardingOf(lines: string) {
  const { fleet, diagnostics } = await sandbox.load(`[forwarding]\n${lines}\n${web}`);
  expect(sandbox.words(diagnostics)).toEqual([]);
  return fleet?.settings.web.forwarding;
}

describe("[forwarding]", () => {
  it.each([
    ["", {}],
    ["port = 1", { port: 1 }],
    ["host = '127.9.9.9'", { host: "127.9.9.9" }],
    ["host = '::1'", { host: "::1" }],
    ["host = 'localhost'", { host: "localhost" }],
    [
      "host = '0.0.0.0'\npublic_url = 'https://Agents.Example.com:443/'",
      { host: "0.0.0.0", publicUrl: "https://agents.example.com" },
    ],
    ["public_url = 'https://x.y:8443'", { publicUrl: "https://x.y:8443" }],
    ["public_url = 'https://192.0.2.1'\nrouting = 'path'", { publicUrl: "https://192.0.2.1", routing: "path" }],
    ["provider = 'docker'", { provider: "docker" }],
    [
      "provider = 'docker'\nbuild_args = ['BASE=a=b', 'EMPTY=']",
      { provider: "docker", buildArgs: ["BASE=a=b", "EMPTY="] },
    ],
    ["code_ttl = '90s'\ncookie_ttl = '400d'", { codeTtlSeconds: 90, cookieTtlSeconds: 34_560_000 }],
    ["response_timeout = 0", { responseTimeoutSeconds: 0 }],
    ["trusted_proxies = ['127.0.0.1', 'fd00::/8']", { trustedProxies: ["127.0.0.1", "fd00::/8"] }],
  ])("%j", async (lines, differs) => expect(await forwardingOf(lines)).toEqual({ ...usualForwarding, ...differs }));

  it("is read with dotted keys too, and without web changelings", async () => {
    sandbox.repo("app");
    const { fleet } = await sandbox.load("forwarding.port = 9\n[changelings.fixme-fairy]\nrepo = 'app'");
    expect(fleet?.settings.web.forwarding.port).toBe(9);
  });

  const beyond = "is reachable from other machines, and without TLS anybody on the network can read the traffic";
  const behindTls = 'put a reverse proxy with TLS in front and write public_url = "https://…", or remove the line';
  const notOrigin = "it must be an origin, without a path, a query or a user name";
  const url = 'write public_url = "https://agents.example.com", or remove the line';
  const noNames = 'with routing = "host" agents are at <agent id>.<host>, and an IP address has no names below it';

  /** Each on line 2. */
  it.each([
    ["prt = 1", 'prt: unknown key "prt"', 'did you mean "port"?'],
    [
      "timezone = 'UTC'",
      'timezone: unknown key "timezone"',
      "its keys are provider, port, host, public_url, routing, code_ttl, cookie_ttl, response_timeout, trusted_proxies, build_args",
    ],
    ["provider = 'dcoker'", 'provider: there is no provider "dcoker"', 'did you mean provider = "docker"?'],
    [
      "provider = 'modal'",
      'provider: the provider "modal" is not in this version',
      'write provider = "local" or provider = "docker", or remove the line',
    ],
    [
      "build_args = ['BASE=x']",
      'build_args: build_args only applies to provider = "docker"',
      'remove the line, or write provider = "docker"',
    ],
    ["port = 0", "port: 0 is too small", "write 1 or more"],
    ["port = 65536", "port: 65536 is too large", "write 65535 or less"],
    ["port = '8420'", 'port: expected a number, found the string "8420"', "write port = 8080"],
    ["routing = 'hosts'", 'routing: there is no routing "hosts"', 'did you mean routing = "host"?'],
    ["code_ttl = '15'", 'code_ttl: "15" is not a duration', 'write code_ttl = "1h"'],
    [
      "cookie_ttl = '58w'",
      "cookie_ttl: browsers don't keep a cookie for longer than 400 days",
      'write cookie_ttl = "400d" or less',
    ],
    ["host = '0.0.0.0'", `host: 0.0.0.0 ${beyond}`, behindTls],
    ["host = '::'", `host: :: ${beyond}`, behindTls],
    ["host = '192.168.1.5'", `host: 192.168.1.5 ${beyond}`, behindTls],
    [
      "host = 'example.com'",
      'host: "example.com" is not an IP address',
      `write host = "127.0.0.1", or the address of one of this machine's interfaces`,
    ],
    ["public_url = 'http://x.y'", 'public_url: "http://x.y" is not an https URL', url],
    ["public_url = 'x.y'", 'public_url: "x.y" is not an https URL', url],
    ["public_url = 'https://x.y/agents'", `public_url: ${notOrigin}`, 'write public_url = "https://x.y"'],
    ["public_url = 'https://me:hunter2@x.y'", `public_url: ${notOrigin}`, 'write public_url = "https://x.y"'],
    ["public_url = 'https://192.0.2.1'", `public_url: ${noNames}`, 'write a name, or routing = "path"'],
    ["public_url = 'https://[2001:db8::1]'", `public_url: ${noNames}`, 'write a name, or routing = "path"'],
  ])("%s is reported", async (line, where, remedy) => {
    expect(await sandbox.diagnosticsOf(`[forwarding]\n${line}\n${web}`)).toEqual([
      `config.toml:2: forwarding.${where}`,
      `→ ${remedy}`,
    ]);
  });

  it("reports invalid build arguments", async () => {
    const args = `['BASE=x', 'base', '=x', 'A-B=x', 'TOKEN=ghp_${"a1B2".repeat(9)}']`;
    const example = '→ write for instance "PYTHON_IMAGE=registry.example.com/python:3.12"';
    expect(await sandbox.diagnosticsOf(`[forwarding]\nprovider = "docker"\nbuild_args = ${args}\n${web}`)).toEqual([
      'config.toml:3: forwarding.build_args[1]: "base" is not KEY=VALUE',
      example,
      'config.toml:3: forwarding.build_args[2]: "=x" is not KEY=VALUE',
      example,
      'config.toml:3: forwarding.build_args[3]: "A-B=x" is not KEY=VALUE',
      example,
      "config.toml:3: forwarding.build_args[4]: the value looks like a secret, and build arguments are kept in the image and in the stack's state",
      "→ remove it; the build must work without a secret",
    ]);
  });

  it("has all its errors reported together with those of changelings", async () => {
    const text = `[forwarding]\nport = -1\nhost = "0.0.0.0"\nrouting = 1\n${web}color = 1`;
    expect((await sandbox.diagnosticsOf(text)).filter((line) => line.startsWith("config.toml"))).toEqual([
      "config.toml:2: forwarding.port: -1 is too small",
      `config.toml:3: forwarding.host: 0.0.0.0 ${beyond}`,
      "config.toml:4: forwarding.routing: found 1",
      'config.toml:7: changelings.chat.color: unknown option "color"',
    ]);
  });

  it("is a table, and its keys stand in it", async () => {
    expect(await sandbox.diagnosticsOf(`forwarding = 8420\n${web}`)).toEqual([
      "config.toml:1: forwarding: expected a table, found 8420",
      "→ write forwarding = { port = 8080 }",
    ]);
    expect(await sandbox.diagnosticsOf(`public_url = "https://x.y"\n${web}`)).toEqual([
      'config.toml:1: public_url: "public_url" is a key of [forwarding]',
      "→ move it below [forwarding]",
    ]);
  });
});
