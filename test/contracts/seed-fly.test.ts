import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import type { ProgramOptions } from "../../components/lib/process.ts";
import { flyProvider } from "../../components/seed-agent/fly/provider.ts";
import { onFly } from "../support/deployed-seed.ts";
import { FakeFlyctl } from "../support/fake-flyctl.ts";
import { describeSeedProvider } from "./seed-provider.ts";

/** The stand-in for flyctl works in this process. */
const place = vi.hoisted(() => ({ flyctl: undefined as FakeFlyctl | undefined }));
vi.mock("../../components/lib/process.ts", async (original) => ({
  ...(await original<typeof import("../../components/lib/process.ts")>()),
  runProgram: async (_command: string, argv: readonly string[], given: ProgramOptions) =>
    place.flyctl?.run(argv, given),
}));

describeSeedProvider("Fly.io, by a stand-in for flyctl", async () => {
  const flyctl = new FakeFlyctl();
  place.flyctl = flyctl;
  const folder = mkdtempSync(join(tmpdir(), "seed-fly-"));
  const { fly } = onFly();
  const app = () => flyctl.state.apps[fly?.app ?? ""];
  const tomls: string[] = [];
  const change = (edit: (state: FakeFlyctl["state"]) => void) => {
    const { state } = flyctl;
    edit(state);
    flyctl.state = state;
  };
  return {
    provider: flyProvider({
      env: flyctl.env,
      health: { timeoutSeconds: 0, everySeconds: 0 },
      async writeContext(_, context) {
        tomls.push(app()?.toml ?? "");
        mkdirSync(context, { recursive: true });
        writeFileSync(join(context, "Dockerfile"), "FROM scratch\n");
      },
    }),
    spec: onFly({ secrets: ["DATABASE_URL", "ANTHROPIC_API_KEY"] }),
    options: { installation: "i1", folder },
    async kill(node) {
      change((state) => {
        for (const machine of Object.values(state.apps).flatMap(({ machines }) => machines)) {
          if (machine.id === node) machine.state = "stopped";
        }
      });
    },
    async identities() {
      return Object.fromEntries((app()?.machines ?? []).map(({ id, instance }) => [id, String(instance)]));
    },
    async data() {
      return (app()?.volumes ?? []).map(({ id }) => id).sort();
    },
    async traces() {
      const machines = JSON.stringify(app()?.machines ?? []);
      return { machines, tomls: tomls.join(), argv: JSON.stringify(flyctl.calls().map(({ argv }) => argv)) };
    },
    async breakNext() {
      change((state) => void state.sick.push("1.0.1-bbbbbbbbbbbb"));
    },
    async end() {
      flyctl.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
