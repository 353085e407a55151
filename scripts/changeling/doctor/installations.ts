import type { KnownChangeling } from "../../../components/fleet/kind.ts";
import { type Claim, installations } from "../../../components/host/claims.ts";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { fullName, identityInWords, type StackIdentity } from "../../../components/host/stack-identity.ts";
import { kinds } from "../../../components/kinds.ts";
import { type Check, failed, warning } from "../../../components/stack/check.ts";
import { exportedState, holdsInstallation } from "../../../components/stack/state.ts";
import { leftovers } from "../../stack/remove-installation.ts";
import { pulumi } from "../../stack/stack.ts";
import { counted } from "../kinds.ts";

/**
 * Whether a stack still exists and its state names an installation.
 * @returns undefined if that can't be determined here
 */
export async function isHeld(stack: StackIdentity, installation: string): Promise<boolean | undefined> {
  const held = holdsInstallation(stack, installation);
  if (held !== undefined) return held;
  const at = { name: fullName(stack), backend: stack.backend };
  const { code, stdout, stderr } = await pulumi(at, ["stack", "export"], { capture: true });
  if (code === 0) return exportedState(stdout).installations.includes(installation);
  return /no stack named|unknown stack/.test(stderr) ? false : undefined;
}

/**
 * Installations on this machine that no stack owns any more, but whose changelings still fire.
 *
 * @param own id of the current stack's installation
 */
export async function orphanInstallations(own: string): Promise<Check[]> {
  const others = installations().filter(({ id }) => id !== own);
  const checks = await Promise.all(
    others.map(async ({ id, claim }) =>
      claim === undefined ? await unclaimed(id) : (await isHeld(claim, id)) === false ? await orphan(id, claim) : [],
    ),
  );
  return checks.flat();
}

async function orphan(id: string, claim: Claim): Promise<Check> {
  return failed(
    `installation ${id}`,
    `left by a deleted stack, ${identityInWords(claim)}, last applied on ${claim.appliedAt.slice(0, 10)}: ${await contentInWords(id)}`,
    `if that stack was renamed or moved, adopt this with: npm run changeling -- adopt --stack NEW-NAME\n         otherwise remove it with: npm run changeling -- discard ${id}`,
  );
}

async function unclaimed(id: string): Promise<Check> {
  return warning(
    `installation ${id}`,
    `claimed by no stack since this release: ${await contentInWords(id)}`,
    `if one of your stacks uses it, that stack's next \`pulumi up\` claims it; otherwise remove it with: npm run changeling -- discard ${id}`,
  );
}

async function contentInWords(id: string): Promise<string> {
  const paths = installationPaths(id);
  let kept = 0;
  const deployed = Object.values(kinds).flatMap((kind) => {
    const known: readonly KnownChangeling[] = kind.known(paths);
    const removed = known.filter((each) => each.removed !== undefined).length;
    kept += removed;
    return known.length === removed ? [] : [counted(known.length - removed, kind.noun)];
  });
  const parts = [
    ...(await leftovers()).flatMap((kind) => kind.running?.(paths) ?? []),
    ...deployed,
    ...(kept === 0 ? [] : [`kept data of ${kept} more`]),
  ];
  return parts.length === 0 ? "nothing that is deployed" : parts.join(", ");
}
