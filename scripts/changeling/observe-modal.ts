import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import * as z from "zod/mini";
import type { KnownChangeling } from "../../components/fleet/kind.ts";
import { readTextIfAny } from "../../components/host/files.ts";
import { kinds } from "../../components/kinds.ts";
import { asError } from "../../components/lib/as-error.ts";
import type { ModalObservation } from "../../components/modal/modal-observation.ts";
import type { ModalToken } from "../../components/modal/token.ts";
import { includesProvider } from "../../components/stack/inspection.ts";
import { projectFolder } from "../stack/project.ts";
import { pulumi, type Stack, shortNameOf } from "../stack/stack.ts";
import { fleetFileOf } from "./stack-fleet.ts";
import type { StackSelection } from "./stack-selection.ts";

/**
 * Queries Modal if necessary: with `--provider modal`, for a changeling that is not on this machine, and for a fleet
 * that declares one on Modal or about which nothing is known here.
 *
 * @param name the changeling that a command is about; undefined: all
 */
export async function observeModalIfNeeded(context: StackSelection, name?: string): Promise<ModalObservation> {
  if (!includesProvider(context, "modal")) return { kind: "not_asked" };
  const here = Object.values(kinds).flatMap((kind): readonly KnownChangeling[] => kind.known(context.paths));
  const installed = here.flatMap(({ name, removed }) => (removed === undefined ? [name] : []));
  const isWanted = context.provider === "modal";
  if (!isWanted && name !== undefined && installed.includes(name)) return { kind: "not_asked" };
  try {
    const token = await tokenOf(context.stack);
    const isAllHere = name === undefined && installed.length > 0;
    if (!isWanted && !(await isModals(context.stack, token !== undefined, isAllHere))) return { kind: "not_asked" };
    const { openOnModal } = await import("../../components/modal/on-modal.ts");
    return { kind: "reached", fleet: await openOnModal(shortNameOf(context.stack), token) };
  } catch (error) {
    return { kind: "unreached", error: asError(error) };
  }
}

/** @param isAllHere everything requested is on this machine, as far as it knows */
async function isModals(stack: Stack, hasToken: boolean, isAllHere: boolean): Promise<boolean> {
  if (isAllHere) return hasToken && (await declaresModal(stack)) !== false;
  return hasToken || (await declaresModal(stack)) === true;
}

/** The token of the current user, otherwise the stack's own. @throws ModalError for half a token */
export async function tokenOf(stack: Stack): Promise<ModalToken | undefined> {
  const { modalToken } = await import("../../components/modal/token.ts");
  return modalToken(process.env, process.env["MODAL_TOKEN_ID"] ? undefined : await stackToken(stack));
}

const tokenSettings = z.object({
  "changelings:MODAL_TOKEN_ID": z.object({ value: z.string() }),
  "changelings:MODAL_TOKEN_SECRET": z.object({ value: z.string() }),
});

/** The token from `pulumi config set --secret`; Pulumi only runs for a stack whose settings contain it. */
async function stackToken(stack: Stack): Promise<ModalToken | undefined> {
  const file = stack.configFile ?? join(projectFolder, `Pulumi.${shortNameOf(stack)}.yaml`);
  if (readTextIfAny(file)?.includes("changelings:MODAL_TOKEN_ID:") !== true) return undefined;
  const { code, stdout } = await pulumi(stack, ["config", "--json", "--show-secrets"], { capture: true });
  const held = code === 0 ? tokenSettings.safeParse(JSON.parse(stdout)).data : undefined;
  if (held === undefined) return undefined;
  return { id: held["changelings:MODAL_TOKEN_ID"].value, secret: held["changelings:MODAL_TOKEN_SECRET"].value };
}

const provider = z.optional(z.unknown());
const providers = z.object({
  defaults: z.optional(z.object({ provider })),
  changelings: z.optional(z.record(z.string(), z.object({ provider }))),
});

/**
 * Whether the stack's fleet file mentions the provider, without validation; undefined if there is no file to read here.
 */
async function declaresModal(stack: Stack): Promise<boolean | undefined> {
  try {
    const { defaults, changelings = {} } = providers.parse(parse(readFileSync(await fleetFileOf(stack), "utf8")));
    return [defaults, ...Object.values(changelings)].some((each) => each?.provider === "modal");
  } catch {
    return undefined;
  }
}
