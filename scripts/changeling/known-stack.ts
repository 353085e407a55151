import { existsSync } from "node:fs";
import * as z from "zod/mini";
import { didYouMean } from "../../components/lib/suggest.ts";
import type { ModalObservation } from "../../components/modal/modal-observation.ts";
import { problemOf, pulumi, type Stack, shortNameOf } from "../stack/stack.ts";
import { requireDevStack, type StackSelection } from "./stack-selection.ts";

const stackList = z.array(z.object({ name: z.string() }));

/**
 * For a command that found nothing: checks whether the stack exists. It does if it has anything on this machine or on
 * Modal; otherwise its backend is queried.
 *
 * @throws with the existing stacks if it is not one of them, and if the backend can't be queried
 */
export async function requireStack({ stack, paths }: StackSelection, modal?: ModalObservation): Promise<void> {
  if (existsSync(paths.root)) return;
  if (modal?.kind === "reached" && modal.fleet.observed.environment !== undefined) return;
  requireDevStack(stack);
  const listed = await stackNames(stack);
  if (typeof listed === "string") throw new Error(await stackProblem(stack, listed));
  if (!listed.includes(shortNameOf(stack))) throw new Error(noStackText(stack.name, listed));
}

/** The names of the project's stacks, or why they can't be listed. */
async function stackNames(stack: Stack): Promise<readonly string[] | string> {
  const finished = await pulumi(stack, ["stack", "ls", "--json"], { capture: true });
  if (finished.code !== 0) return problemOf(finished);
  return stackList.parse(JSON.parse(finished.stdout)).map(({ name }) => shortNameOf({ name }));
}

/** Pulumi's error for a stack that can't be opened, in words for the user who named it. */
export async function stackProblem(stack: Stack, problem: string): Promise<string> {
  if (/PULUMI_ACCESS_TOKEN must be set/.test(problem)) {
    return `you are not logged in to a Pulumi backend, so the stack "${stack.name}" can't be read\n${loginHint}`;
  }
  if (!/no stack named/.test(problem)) return problem;
  const listed = await stackNames(stack);
  return typeof listed === "string" ? problem : noStackText(stack.name, listed);
}

const loginHint =
  "log in with: npm run pulumi -- login; for the stack of `npm start`, which needs no login, omit --stack";

/** @param names of the stacks in the backend; the embedded default has its own backend */
function noStackText(name: string, names: readonly string[]): string {
  const others = [...new Set([...names, "dev"])];
  const meant = didYouMean(name, others);
  const hint = meant === undefined ? `existing stacks: ${others.join(", ")}` : `did you mean ${meant}?`;
  return `there is no stack "${name}"; ${hint}`;
}
