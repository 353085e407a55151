import { existsSync, mkdirSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { findPlugins } from "../../../../../scripts/stack/setup/plugin.ts";
import { commandPluginFolder } from "../../../../../scripts/stack/setup/toolchain.mjs";
import { useMachine } from "../../../../support/setup.ts";

const machine = useMachine();
const own = (): string => join(machine.home, ".pulumi");
const privateHome = (): unknown => expect.stringMatching(new RegExp(`^${machine.cache}/pulumi-home/[0-9a-f]+$`));

let server: Server;
beforeEach(async () => {
  server = createServer((_request, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("CHANGELINGS_COMMAND_PLUGIN_URL", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const find = (pulumi: string) => findPlugins(pulumi, process.execPath);

test("the official plugin of the person's own PULUMI_HOME is used as it is", async () => {
  mkdirSync(commandPluginFolder(own()), { recursive: true });
  const pulumi = machine.program("pulumi", "exit 9");
  expect(await find(pulumi)).toEqual({ pulumiHome: own(), ownPulumiHome: null });
});

test("the official plugin is installed there when its server answers", async () => {
  const pulumi = machine.program(
    "pulumi",
    `[ "$*" = "plugin install resource command 1.2.1 --server $CHANGELINGS_COMMAND_PLUGIN_URL" ]`,
    'mkdir -p "$PULUMI_HOME/plugins/resource-command-v1.2.1"',
  );
  expect(await find(pulumi)).toEqual({ pulumiHome: own(), ownPulumiHome: null });
  expect(existsSync(join(machine.cache, "pulumi-home"))).toBe(false);
});

test("if the server does not have it, the stand-ins are installed, in a private PULUMI_HOME", async () => {
  const found = await find(machine.program("pulumi", "exit 255"));
  expect(found).toEqual({ pulumiHome: privateHome(), ownPulumiHome: own() });
  expect(existsSync(join(commandPluginFolder(found.pulumiHome), "pulumi-resource-command"))).toBe(true);
  const docker = join(found.pulumiHome, "plugins/resource-docker-v5.2.0/pulumi-resource-docker");
  expect(existsSync(docker)).toBe(true);
  expect(existsSync(own())).toBe(false);
});

test("Pulumi's CLI can't log into the private PULUMI_HOME", async () => {
  const { pulumiHome } = await find(machine.program("pulumi", "exit 255"));
  expect(statSync(join(pulumiHome, "logs")).isFile()).toBe(true);
});

test("a server that can't be reached is not waited for", async () => {
  vi.stubEnv("CHANGELINGS_COMMAND_PLUGIN_URL", "http://127.0.0.1:1");
  const pulumi = machine.program("pulumi", `: > ${machine.folder}/called`);
  const found = await find(pulumi);
  expect(found).toEqual({ pulumiHome: privateHome(), ownPulumiHome: own() });
  expect(existsSync(join(machine.folder, "called"))).toBe(false);
});

test("the person's own PULUMI_HOME is found again from within the private one", async () => {
  const home = join(machine.folder, "elsewhere");
  vi.stubEnv("PULUMI_HOME", home);
  const pulumi = machine.program("pulumi", "exit 255");
  const first = await find(pulumi);
  expect(first).toEqual({ pulumiHome: privateHome(), ownPulumiHome: home });
  vi.stubEnv("PULUMI_HOME", first.pulumiHome);
  vi.stubEnv("PULUMI_CREDENTIALS_PATH", home);
  expect(await find(pulumi)).toEqual(first);
});
