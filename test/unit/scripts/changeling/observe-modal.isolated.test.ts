import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { ModalError } from "../../../../components/modal/modal-error.ts";
import { warnUnreached } from "../../../../components/modal/modal-observation.ts";
import { writeRecord } from "../../../../components/web/agent/record.ts";
import type { Provider } from "../../../../components/web/options.ts";
import { observeModalIfNeeded } from "../../../../scripts/changeling/observe-modal.ts";
import type { StackSelection } from "../../../../scripts/changeling/stack-selection.ts";

const open = vi.hoisted(() => vi.fn());
vi.mock("../../../../components/modal/on-modal.ts", () => ({ openOnModal: open }));

let home: string;

/** A machine with a `pulumi` that knows one stack, and notes that it was asked. */
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "side-"));
  mkdirSync(join(home, "bin"));
  const settings = JSON.stringify({ "changelings:config": { value: join(home, "fleet.toml") } });
  writeFileSync(join(home, "bin", "pulumi"), `#!/bin/sh\necho "$*" >> "${home}/asked"\necho '${settings}'\n`, {
    mode: 0o755,
  });
  vi.stubEnv("PATH", [join(home, "bin"), process.env["PATH"]].join(delimiter));
  vi.stubEnv("HOME", home);
  vi.stubEnv("MODAL_CONFIG_PATH", join(home, "modal.toml"));
  for (const name of ["MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"]) vi.stubEnv(name, "");
  open.mockResolvedValue({ stack: "prod" });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  open.mockReset();
  process.exitCode = undefined;
  rmSync(home, { recursive: true });
});

const token = () =>
  writeFileSync(join(home, "modal.toml"), '[me]\ntoken_id = "ak-1"\ntoken_secret = "as-1"\nactive = true\n');
const declare = (provider: string) => writeFileSync(join(home, "fleet.toml"), `[defaults]\nprovider = "${provider}"\n`);
const pulumiCalls = () => {
  try {
    return readFileSync(join(home, "asked"), "utf8").trim().split("\n");
  } catch {
    return [];
  }
};

/** @param jobs the changelings that are installed on this machine */
function placeWith(jobs: readonly string[], provider?: Provider): StackSelection {
  const paths = installationPaths("0123456789ab", home);
  mkdirSync(paths.jobs, { recursive: true });
  for (const name of jobs) writeFileSync(join(paths.jobs, `${name}.json`), "{}");
  return { stack: { name: "me/changelings/prod" }, paths, provider };
}

describe("without a token", () => {
  it("nothing is asked, neither Modal nor Pulumi, for a fleet on this machine", async () => {
    declare("modal");
    expect(await observeModalIfNeeded(placeWith(["fairy"]))).toEqual({ kind: "not_asked" });
    expect(await observeModalIfNeeded(placeWith(["fairy"]), "fairy")).toEqual({ kind: "not_asked" });
    expect(pulumiCalls()).toEqual([]);
    expect(open).not.toHaveBeenCalled();
  });

  it("nothing of Modal is said where the fleet has nothing there", async () => {
    declare("local");
    expect(await observeModalIfNeeded(placeWith([]))).toEqual({ kind: "not_asked" });
    expect(await observeModalIfNeeded(placeWith(["fairy"]), "fary")).toEqual({ kind: "not_asked" });
    expect(open).not.toHaveBeenCalled();
  });

  it("a changeling that is not on this machine is queried where the fleet declares it, and a missing token is reported", async () => {
    declare("modal");
    const error = new ModalError("no_token", "no Modal token is set");
    open.mockRejectedValue(error);
    expect(await observeModalIfNeeded(placeWith([]))).toEqual({ kind: "unreached", error });
    expect(await observeModalIfNeeded(placeWith(["fairy"]), "troll")).toEqual({ kind: "unreached", error });
    expect(open).toHaveBeenCalledWith("prod", undefined);
  });
});

describe("with a token", () => {
  beforeEach(token);
  const reached = { kind: "reached", fleet: { stack: "prod" } };

  it.each([
    ["a fleet that declares something there", ["fairy"], "modal", reached],
    ["a fleet that is all on this machine", ["fairy"], "local", { kind: "not_asked" }],
    ["a stack of which nothing is here", [], undefined, reached],
    ["a fleet file that is not here", ["fairy"], undefined, reached],
  ])("for %s", async (_what, jobs, provider, side) => {
    if (provider !== undefined) declare(provider);
    expect(await observeModalIfNeeded(placeWith(jobs))).toEqual(side);
  });

  it("for a fleet of web changelings on this machine", async () => {
    declare("local");
    const place = placeWith([]);
    const record = {
      version: 1,
      provider: "local",
      repo: "/r",
      data: "/d",
      agentId: `agent-${"0".repeat(32)}`,
    } as const;
    writeRecord(place.paths, { ...record, name: "chat", agentName: "chat" });
    expect(await observeModalIfNeeded(place)).toEqual({ kind: "not_asked" });
    writeRecord(place.paths, { ...record, name: "chat", agentName: "chat", removed: true });
    expect(await observeModalIfNeeded(place)).toEqual(reached);
  });

  it("for one changeling: only when it is not on this machine", async () => {
    declare("modal");
    expect(await observeModalIfNeeded(placeWith(["fairy"]), "fairy")).toEqual({ kind: "not_asked" });
    expect(await observeModalIfNeeded(placeWith(["fairy"]), "troll")).toEqual(reached);
    expect(pulumiCalls()).toEqual([]);
  });

  it("--provider decides", async () => {
    declare("local");
    expect(await observeModalIfNeeded(placeWith(["fairy"], "modal"), "fairy")).toEqual(reached);
    expect(await observeModalIfNeeded(placeWith([], "local"))).toEqual({ kind: "not_asked" });
    expect(await observeModalIfNeeded(placeWith([], "docker"))).toEqual({ kind: "not_asked" });
    expect(open).toHaveBeenCalledTimes(1);
    expect(open).toHaveBeenCalledWith("prod", { id: "ak-1", secret: "as-1" });
  });

  it("an error is one warning, and the exit code", async () => {
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    open.mockRejectedValue(new ModalError("unreachable", "Modal does not answer", "look at the network"));
    warnUnreached(await observeModalIfNeeded(placeWith([])));
    expect(written.mock.calls.map(([text]) => text)).toEqual([
      "warning: what is on Modal is not shown: Modal does not answer; look at the network\n",
    ]);
    expect(process.exitCode).toBe(1);
  });
});
