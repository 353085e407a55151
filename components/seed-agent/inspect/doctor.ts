import { messageOf } from "../../lib/as-error.ts";
import { changelingCommand, upCommand } from "../../lib/own-commands.ts";
import { plainWords } from "../../lib/text.ts";
import { type Check, failed, ok, warning } from "../../stack/check.ts";
import { dockerCheck } from "../../stack/docker-check.ts";
import { type Diagnosis, type Examination, type InspectedStack, includesProvider } from "../../stack/inspection.ts";
import type { DeclaredSeedAgent } from "../declared.ts";
import { type InstalledSeedAgent, installedSeedAgents, readSeedAgent } from "../installed.ts";
import { openProvider } from "../providers.ts";
import { ask } from "./ask.ts";

/** The limit for each answer of a platform. */
const platformTimeoutSeconds = 10;

/** Checks the stack's seed agents: whether every node runs, and the health that each reports. */
export async function diagnoseSeedAgents(
  stack: InspectedStack,
  examination: Examination<DeclaredSeedAgent>,
): Promise<Diagnosis> {
  const names = installedSeedAgents(stack.paths);
  const found = await Promise.all(
    names.map(async (name): Promise<Check[]> => {
      try {
        const installed = readSeedAgent(stack.paths, name);
        if (installed === undefined || !includesProvider(stack, installed.spec.provider)) return [];
        return await checksOf(stack, installed);
      } catch (error) {
        return [failed(titleOf(name), messageOf(error), upCommand())];
      }
    }),
  );
  const { changelings } = await examination.declared;
  const active = changelings.filter(({ enabled, provider }) => enabled && includesProvider(stack, provider));
  const platforms = active.filter(({ provider }) => provider !== "docker").map(platformOf);
  const docker = active.some(({ provider }) => provider === "docker") ? [await dockerCheck()] : [];
  const missing = changelings.filter(
    ({ name, provider }) => includesProvider(stack, provider) && !names.includes(name),
  );
  return {
    declared: [...docker, ...(await Promise.all(platforms)).flat()],
    deployed: [
      ...found.flat(),
      ...missing.map(({ name }) =>
        warning(titleOf(name), "declared, but not deployed from this machine yet", upCommand()),
      ),
    ],
  };
}

/** Checks the CLI that deploys it, and the CLI's login. */
async function platformOf({ spec }: DeclaredSeedAgent): Promise<Check[]> {
  if (spec.provider === "fly") return [await (await import("../fly/doctor.ts")).flyCheck(process.env)];
  if (spec.provider !== "kubernetes") return [];
  return [await (await import("../kubernetes/doctor.ts")).kubernetesCheck(spec, process.env)];
}

async function checksOf(stack: InspectedStack, installed: InstalledSeedAgent): Promise<Check[]> {
  const { spec, enabled, release } = installed;
  const { name } = spec;
  const title = titleOf(name);
  if (!enabled) return [ok(title, "disabled")];
  const provider = await openProvider(spec.provider);
  const options = { installation: stack.installation, folder: stack.paths.seedAgents, spec };
  const signal = AbortSignal.timeout(platformTimeoutSeconds * 1000);
  let observed: Awaited<ReturnType<typeof provider.observe>>;
  try {
    observed = await provider.observe(name, { ...options, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    return [failed(title, `${spec.provider} did not answer within ${platformTimeoutSeconds} s`)];
  }
  const drift = provider.drift(spec, release, observed);
  if (drift !== undefined) return [failed(title, plainWords(drift), upCommand())];
  const [deep, asked] = await Promise.all([
    ask(installed, (client) => client.health()),
    ask(installed, (client) => client.status()),
  ]);
  if ("problem" in asked) return [failed(title, asked.problem, `${changelingCommand()} logs ${name}`)];
  const { active, nodes, mode, modeReason, problem } = asked.answer;
  const checks = [ok(title, plainWords(`${spec.provider}, ${active}, ${counted(nodes.length)}, mode ${mode}`))];
  if (problem !== undefined) {
    const remedy = `${changelingCommand()} seed status ${name}; the version before: ${changelingCommand()} seed rollback ${name}`;
    checks.push(warning(title, plainWords(problem), remedy));
  }
  if (modeReason !== undefined) checks.push(warning(title, plainWords(modeReason), remedyOf("fence", name)));
  for (const { name: check, ok: isOk, detail = "fails" } of "answer" in deep ? deep.answer.checks : [])
    if (!isOk) checks.push(warning(plainWords(`${title}, ${check}`), plainWords(detail), remedyOf(check, name)));
  const boot = provider.bootInstructions?.(name, options);
  if (boot !== undefined) checks.push(warning(title, "does not start by itself after a reboot", boot));
  return checks;
}

function titleOf(name: string): string {
  return `seed agent ${name}`;
}

function counted(nodes: number): string {
  return `${nodes} node${nodes === 1 ? "" : "s"}`;
}

/** By a pattern of the name of one of the service's own checks. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/fence|confine/, "install bubblewrap (bwrap) where the node runs, and allow user namespaces"],
  [/database|postgres|sqlite/, "check DATABASE_URL, and that the database accepts connections"],
  [/disk|code store/, "free space on the node's volume, or raise volume_gb"],
  [
    /model|improver|login/,
    'install the CLI where the node runs (scripts/install_claude_native.sh) and give it a login (CLAUDE_CODE_OAUTH_TOKEN, ANTHROPIC_API_KEY, or: codex login); or set mode = "off"',
  ],
  [/peer/, "check that the nodes reach each other; new credentials for all of them: raise rotate"],
];

function remedyOf(check: string, agent: string): string {
  const [, remedy] = remedies.find(([about]) => about.test(check.toLowerCase())) ?? [];
  return remedy ?? `${changelingCommand()} logs ${agent}`;
}
