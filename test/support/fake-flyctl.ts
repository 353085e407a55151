import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import { parseSecretLines } from "../../components/seed-agent/fly/secret-lines.ts";
import { FakeCli, parseArguments, Refused, runFake } from "./fake-cli.ts";

/** Fly.io, as far as the provider uses it. flyctl's behaviour was read in its source (August 2026). */
export interface FakeFly {
  apps: Record<string, FakeApp>;
  /** Names that other people's apps have. */
  taken: string[];
  /** Releases of ours (SEED_RELEASE) whose machines fail their checks. */
  sick: string[];
  /** The output of the checks that fail. */
  checkOutput: string;
  made: number;
}
export interface FakeApp {
  organization: string;
  machines: FakeMachine[];
  volumes: FakeVolume[];
  secrets: Record<string, string>;
  releases: { Version: number; Status: string; ImageRef: string }[];
  toml: string;
}
interface FakeMachine {
  id: string;
  state: string;
  /** Changes when it is updated or started. */
  instance: number;
  region: string;
  config: { env: Record<string, string>; image: string; mounts: { volume: string }[] };
  checks: { name: string; status: string; output: string }[];
}
interface FakeVolume {
  id: string;
  name: string;
  state: string;
  region: string;
  size_gb: number;
  attached_machine_id: string | null;
}

const empty: FakeFly = { apps: {}, taken: [], sick: [], checkOutput: "connection refused", made: 0 };

export class FakeFlyctl extends FakeCli<FakeFly> {
  constructor() {
    super("flyctl", import.meta.filename, { ...empty }, serve);
  }
}

function serve(argv: readonly string[], state: FakeFly, stdin: string): string {
  const flags = ["--json", "--yes", "--stage", "--remote-only", "--ha", "--no-tail", "--force"];
  const { options, words } = parseArguments(argv, flags);
  const name = options.get("--app") ?? "";
  const verb = words.slice(0, words[0] === "deploy" || words[0] === "status" ? 1 : 2).join(" ");
  const rest = words.slice(verb.split(" ").length);
  const id = (prefix: string) => `${prefix}${(state.made++).toString(16).padStart(8, "0")}`;
  const app = () => {
    const found = state.apps[name];
    if (found === undefined) throw new Refused("Could not find App");
    return found;
  };
  switch (verb) {
    case "apps list":
      return json(Object.keys(state.apps).map((Name) => ({ Name, Status: "deployed" })));
    case "apps create": {
      const [created = ""] = rest;
      if (state.taken.includes(created) || state.apps[created]) throw new Refused("Name has already been taken");
      const organization = options.get("--org") ?? "";
      state.apps[created] = { organization, machines: [], volumes: [], secrets: {}, releases: [], toml: "" };
      return `New app created: ${created}\n`;
    }
    case "apps destroy":
      delete state.apps[rest[0] ?? ""];
      return "";
    case "status":
      return json({ Name: name, Hostname: `${name}.fly.dev`, Machines: app().machines, New: { field: [1] } });
    case "machine list":
      return json(app().machines);
    case "machine destroy": {
      for (const each of app().machines) if (rest.includes(each.id)) detach(app(), each);
      app().machines = app().machines.filter((each) => !rest.includes(each.id));
      return "";
    }
    case "machine start":
    case "machine restart":
      for (const each of app().machines.filter((one) => rest.includes(one.id))) {
        each.state = "started";
        each.instance += 1;
        check(each, state);
      }
      return "";
    case "volumes list":
      return json(app().volumes);
    case "volumes create":
      for (let made = 0; made < Number(options.get("--count")); made += 1) {
        app().volumes.push({
          ...{ id: id("vol_"), name: rest[0] ?? "", state: "created", region: options.get("--region") ?? "" },
          ...{ size_gb: Number(options.get("--size")), attached_machine_id: null },
        });
      }
      return "";
    case "volumes extend":
      for (const each of app().volumes) if (each.id === rest[0]) each.size_gb = Number(options.get("--size"));
      return "";
    case "secrets list": {
      const digest = (value: string) => createHash("sha256").update(`fly ${value}`).digest("hex").slice(0, 16);
      return json(Object.entries(app().secrets).map(([each, value]) => ({ name: each, digest: digest(value) })));
    }
    case "secrets import":
      for (const [each, value] of parseSecretLines(stdin)) app().secrets[each] = value;
      return "";
    case "secrets unset":
      for (const each of rest) delete app().secrets[each];
      return "";
    case "releases":
      return json([...app().releases].reverse().map((each) => ({ ...each, Description: "Release" })));
    case "config save":
      writeFileSync(options.get("--config") ?? "", app().toml);
      return "";
    case "scale count": {
      const [last] = app()
        .releases.filter(({ Status }) => Status === "complete")
        .slice(-1);
      if (last === undefined) throw new Refused("this app has no complete releases. Run `fly deploy` to create one");
      const region = options.get("--region") ?? "";
      const [pattern] = app().machines;
      const here = () => app().machines.filter((each) => each.region === region);
      while (pattern !== undefined && here().length < Number(rest[0])) {
        app().machines.push(newMachine(app(), { ...structuredClone(pattern), region }, id));
      }
      while (here().length > Number(rest[0])) {
        const gone = here().at(-1);
        if (gone === undefined) break;
        app().machines = app().machines.filter((each) => each !== gone);
        detach(app(), gone);
      }
      return "";
    }
    case "deploy":
      return deploy(app(), state, options.get("--config") ?? "", id);
    case "logs":
      return ["one", "two", "three"].map((line) => `2026 app[1] sea [info]${line}\n`).join("");
    case "auth whoami":
      return json({ email: "ada@example.org" });
    default:
      throw new Refused(`unknown command "${verb}" for "flyctl"`);
  }
}

/** Rolling: one machine after the other, until one is not healthy. */
function deploy(app: FakeApp, state: FakeFly, path: string, id: (prefix: string) => string): string {
  const toml = readFileSync(path, "utf8");
  const config = parse(toml) as {
    env: Record<string, string>;
    build: { image?: string; dockerfile?: string };
    deploy: { strategy: string };
    mounts: { source: string }[];
    primary_region: string;
  };
  // Fly refuses both for machines with volumes.
  if (config.mounts.length > 0 && ["bluegreen", "canary"].includes(config.deploy.strategy)) {
    throw new Refused(`${config.deploy.strategy} deployment strategy is not supported when using mounted volumes`);
  }
  const { image, dockerfile } = config.build;
  if (image === undefined && !existsSync(join(dirname(path), dockerfile ?? ""))) throw new Refused("no Dockerfile");
  const release = {
    Version: app.releases.length + 1,
    Status: "running",
    ImageRef: image ?? `registry.fly.io/app:deployment-${id("")}`,
  };
  app.releases.push(release);
  app.toml = toml;
  const update = (machine: FakeMachine) => {
    machine.config = { ...machine.config, env: config.env, image: release.ImageRef };
    machine.instance += 1;
    machine.state = "started";
    check(machine, state);
  };
  if (app.machines.length === 0) {
    const pattern = { id: "", state: "started", instance: 0, region: config.primary_region, checks: [] };
    app.machines.push(newMachine(app, { ...pattern, config: { env: {}, image: "", mounts: [] } }, id));
  }
  for (const machine of app.machines) {
    update(machine);
    if (machine.checks.every(({ status }) => status === "passing")) continue;
    release.Status = "failed";
    throw new Refused("failed to update machine: timeout reached waiting for health checks to pass");
  }
  release.Status = "complete";
  return "Visit your newly deployed app\n";
}

function check(machine: FakeMachine, state: FakeFly): void {
  const isSick = state.sick.includes(machine.config.env["SEED_RELEASE"] ?? "");
  const [status, output] = isSick ? ["critical", state.checkOutput] : ["passing", "200 OK"];
  machine.checks = [{ name: "servicecheck-00-http-4000", status, output }];
}

function newMachine(app: FakeApp, pattern: FakeMachine, id: (prefix: string) => string): FakeMachine {
  const volume = app.volumes.find((each) => each.attached_machine_id === null && each.region === pattern.region);
  if (volume === undefined)
    throw new Refused("New machine in group 'app' needs an unattached volume named 'agent_code'");
  const machine = { ...pattern, id: id("") };
  machine.config = { ...machine.config, mounts: [{ volume: volume.id }] };
  volume.attached_machine_id = machine.id;
  return machine;
}

function detach(app: FakeApp, machine: FakeMachine): void {
  for (const each of app.volumes) if (each.attached_machine_id === machine.id) each.attached_machine_id = null;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

if (import.meta.main) runFake(serve);
