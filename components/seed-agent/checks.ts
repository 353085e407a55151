import { unfitDiagnostics } from "../fleet/applies.ts";
import { type Diagnostic, error, type KeyPathOf, warning } from "../fleet/diagnostics.ts";
import { variableDiagnostics } from "../fleet/secrets.ts";
import { bytesOf, sizeDiagnostics } from "../fleet/sizes.ts";
import { shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type DeclaredSeedAgent, replicasOf } from "./declared.ts";
import { type SeedAgentOptions, seedAgentApplies, seedAgentNoun, seedAgentTable } from "./options.ts";
import { variables } from "./program/settings.ts";
import { generatedSecrets, secretVariables, variablesOfDeployment, variablesOfOptions } from "./service-variables.ts";
import { monitoringPort, runsOnThisMachine } from "./spec.ts";

/** Diagnostics for one seed agent's options, without reading files or other changelings. */
export function seedAgentDiagnostics(options: SeedAgentOptions, place: KeyPathOf): Diagnostic[] {
  return [
    ...unfitDiagnostics({ applies: seedAgentApplies, table: seedAgentTable, noun: seedAgentNoun }, options, place),
    ...replicaDiagnostics(options, place),
    ...imageDiagnostics(options, place),
    ...secretDiagnostics(options, place),
    ...environmentDiagnostics(options, place),
    ...variableDiagnostics(options, place),
    ...sizeDiagnostics(options, place),
  ];
}

function replicaDiagnostics(options: SeedAgentOptions, place: KeyPathOf): Diagnostic[] {
  const { secrets, port, provider } = options;
  const replicas = replicasOf(options);
  const found: Diagnostic[] = [];
  if (replicas > 1 && !secrets.includes("DATABASE_URL")) {
    const why = options.replicas === undefined ? `on ${provider} it has ${replicas} nodes, which` : `${replicas} nodes`;
    const message = `${why} need a database that they share`;
    const remedy = `add "DATABASE_URL" to secrets, the URL of a PostgreSQL, or write replicas = 1`;
    found.push({ ...error(place("replicas"), message, remedy), reads: ["provider", "secrets"] });
  }
  if (runsOnThisMachine(provider) && port + replicas - 1 > 65_535) {
    const message = `its ${replicas} nodes need the ports ${port} to ${port + replicas - 1}, and the highest port is 65535`;
    found.push({ ...error(place("port"), message, `write port = ${65_536 - replicas} or less`), reads: ["replicas"] });
  }
  if (!runsOnThisMachine(provider) && port === monitoringPort) {
    const message = `on ${provider}, the port ${monitoringPort} serves its metrics`;
    found.push({ ...error(place("port"), message, "write another port"), reads: ["provider"] });
  }
  return found;
}

/** Docker's grammar: `[host[:port]/]name[/name…][:tag][@sha256:digest]`. */
const imageReference =
  /^(?:[a-z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

function imageDiagnostics({ provider, container_image: image }: SeedAgentOptions, place: KeyPathOf): Diagnostic[] {
  if (provider !== "kubernetes") return [];
  if (image === undefined) {
    const remedy = 'name one, such as container_image = "ghcr.io/me/seed-agent:1.0.0"';
    return [
      {
        ...error(place("container_image"), "kubernetes needs the image that its nodes pull", remedy),
        reads: ["provider"],
      },
    ];
  }
  if (imageReference.test(image)) return [];
  return [error(place("container_image"), `${shown(image)} is not an image name`, "write registry/name:tag")];
}

function secretDiagnostics({ secrets }: SeedAgentOptions, place: KeyPathOf): Diagnostic[] {
  return secrets.flatMap((name, index) => {
    const path = place("secrets", index);
    if (generatedSecrets.some((each) => each === name))
      return [error(path, `\`up\` generates ${name}`, "remove it; to get a new one, raise rotate")];
    if (secretVariables.includes(name)) return [];
    const meant = didYouMean(name, secretVariables);
    const remedy =
      meant === undefined ? `remove it; the service reads ${secretVariables.join(", ")}` : `did you mean "${meant}"?`;
    return [warning(path, `the service does not read the secret ${shown(name)}`, remedy)];
  });
}

/** By variable: the option that sets it. */
const optionOf: ReadonlyMap<string, string> = new Map(
  Object.entries(variablesOfOptions).map(([option, variable]) => [variable, option]),
);
const known: readonly string[] = Object.keys(variables).filter(
  (name) => !optionOf.has(name) && !variablesOfDeployment.has(name),
);

function environmentDiagnostics({ env }: SeedAgentOptions, place: KeyPathOf): Diagnostic[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const path = place("env", name);
    const option = optionOf.get(name);
    if (option !== undefined) return [error(path, `an option sets ${name}`, `remove it, and set the option ${option}`)];
    if (variablesOfDeployment.has(name)) return [error(path, `the deployment sets ${name}`, "remove it")];
    const variable = Object.entries(variables).find(([each]) => each === name)?.[1];
    if (variable === undefined) {
      const meant = didYouMean(name, known);
      const remedy =
        meant === undefined ? `remove it; the service reads ${known.join(", ")}` : `did you mean ${meant}?`;
      return [error(path, `the service does not read the variable ${shown(name)}`, remedy)];
    }
    if (variable.secret === true) {
      const isGenerated = generatedSecrets.some((each) => each === name);
      const remedy = isGenerated
        ? "remove it: `up` generates it"
        : `remove it here, export it, and add "${name}" to secrets`;
      return [error(path, `${name} is a secret, and the file is plain text`, remedy)];
    }
    const problem = variable.schema.safeParse(value).error?.issues.map(({ message }) => message);
    return problem === undefined ? [] : [error(path, `is not valid: ${problem.join("; ")}`, variable.description)];
  });
}

const maxGoalBytes = 65_536;

/** @param goal the file's text; undefined if there is no such file */
export function goalDiagnostics(goal: string | undefined, file: string, place: KeyPathOf): Diagnostic[] {
  if (goal === undefined) return [error(place("goal"), `there is no file ${file}`, "correct the path, or remove it")];
  if (goal.trim() === "")
    return [error(place("goal"), `${file} is empty`, "describe in it what the agent should become better at")];
  const bytes = bytesOf(goal);
  if (bytes <= maxGoalBytes) return [];
  const message = `${file} has ${bytes.toLocaleString("en-US")} bytes, and the maximum is 65,536`;
  return [error(place("goal"), message, "shorten it")];
}

/** Seed agents whose nodes would use the same port of this machine. @returns by name, the first one that uses the port */
export function sharedPorts(
  changelings: readonly DeclaredSeedAgent[],
): ReadonlyMap<string, { readonly port: number; readonly other: DeclaredSeedAgent }> {
  const first = new Map<number, DeclaredSeedAgent>();
  const shared = new Map<string, { port: number; other: DeclaredSeedAgent }>();
  for (const changeling of changelings.filter(({ provider, enabled }) => enabled && runsOnThisMachine(provider))) {
    const { port, replicas } = changeling.spec;
    for (let each = port; each < port + replicas; each += 1) {
      const other = first.get(each);
      if (other === undefined) first.set(each, changeling);
      else if (!shared.has(changeling.name)) shared.set(changeling.name, { port: each, other });
    }
  }
  return shared;
}
