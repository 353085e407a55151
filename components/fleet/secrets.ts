import { looksLikeSecret } from "../lib/literal-secrets.ts";
import { type Diagnostic, error, type KeyPath, warning } from "./diagnostics.ts";
import type { ResolvedChangeling } from "./kind.ts";

/** The variables that are set: an environment, or only their names. An empty value counts as unset. */
export type SetVariables = Readonly<Record<string, string | undefined>> | ReadonlySet<string>;

/** A claude agent needs one of them. */
export const modelKeys: readonly string[] = ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"];

/** These choose which programs run, or which code they load, so a fleet file must not set them. */
const reservedNames = new Set(
  [
    "PATH HOME SHELL USER LOGNAME PWD OLDPWD IFS ENV BASH_ENV SHELLOPTS BASHOPTS CDPATH GLOBIGNORE PROMPT_COMMAND PS4",
    "NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT PERL5LIB PERL5OPT",
    "RUBYLIB RUBYOPT JAVA_TOOL_OPTIONS TMUX TMUX_PANE TMUX_TMPDIR",
    "GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_NAMESPACE GIT_OBJECT_DIRECTORY GIT_EXEC_PATH",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CEILING_DIRECTORIES GIT_TEMPLATE_DIR GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS",
    "GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER",
  ].flatMap((line) => line.split(" ")),
);

const reservedPrefixes = [
  "LD_",
  "DYLD_",
  "BASH_FUNC_",
  "GIT_CONFIG",
  "MNG_",
  "MNGR_",
  "MODAL_",
  "PULUMI_",
  "CHANGELING_",
  "CHANGELINGS_",
];

/** Whether the variable is reserved for the system, for git or for this program. */
export function isReserved(variable: string): boolean {
  return reservedNames.has(variable) || reservedPrefixes.some((prefix) => variable.startsWith(prefix));
}

/**
 * Checks the names of a changeling's secrets and of its plain environment.
 * @param place the option's path in the file
 */
export function variableDiagnostics(
  { secrets, env }: { readonly secrets: readonly string[]; readonly env: Readonly<Record<string, string>> },
  place: (...path: KeyPath) => KeyPath,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [index, name] of secrets.entries()) {
    if (isReserved(name)) found.push(reserved(place("secrets", index), name));
    if (name === "GH_TOKEN" && secrets.includes("GITHUB_TOKEN")) {
      const message = "GITHUB_TOKEN reaches the agent as GH_TOKEN too, so both can't be listed";
      found.push(error(place("secrets", index), message, 'remove "GH_TOKEN", or "GITHUB_TOKEN" if they differ'));
    }
  }
  for (const [name, value] of Object.entries(env)) {
    const path = place("env", name);
    if (isReserved(name)) found.push(reserved(path, name));
    if (secrets.includes(name)) {
      found.push(error(path, `${name} is both a secret and in env`, `remove ${name} from env, or from secrets`));
    } else if (name === "GH_TOKEN" && secrets.includes("GITHUB_TOKEN")) {
      const message = "the secret GITHUB_TOKEN reaches the agent as GH_TOKEN too";
      found.push(error(path, message, "remove GH_TOKEN from env, or GITHUB_TOKEN from secrets"));
    }
    if (looksLikeSecret(value)) {
      const remedy = `export ${name} in your shell, add "${name}" to secrets and remove it here`;
      found.push(warning(path, "the value looks like a secret, and the file is plain text", remedy));
    }
  }
  return found;
}

function reserved(path: KeyPath, name: string): Diagnostic {
  return error(path, `${name} is reserved: it configures the programs that run the agent`, "use another name");
}

/** The variables that the agent gets if they are set. */
export function secretNames({ secrets, requiredSecrets }: SecretNeeds): readonly string[] {
  return [...new Set([...secrets, ...requiredSecrets.flat()])];
}

type SecretNeeds = Pick<ResolvedChangeling, "secrets" | "requiredSecrets">;

/** A changeling that lacks a secret. */
export interface MissingSecret {
  readonly changeling: string;
  /** None of these is set, and any one of them would suffice. */
  readonly names: readonly string[];
}

/**
 * The secrets that are not set, in the order of the changelings. A disabled changeling needs none, so that it can be
 * paused when its token is gone.
 */
export function missingSecrets(
  fleet: { readonly changelings: readonly (SecretNeeds & Pick<ResolvedChangeling, "name" | "enabled">)[] },
  set: SetVariables,
): MissingSecret[] {
  const isSet = (name: string) => (set instanceof Set ? set.has(name) : Boolean(Reflect.get(set, name)));
  return fleet.changelings
    .filter(({ enabled }) => enabled)
    .flatMap((changeling) =>
      changeling.requiredSecrets
        .filter((names) => !names.some(isSet))
        .map((names) => ({ changeling: changeling.name, names })),
    );
}
