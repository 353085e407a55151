import { setTimeout as wait } from "node:timers/promises";
import type { Forge } from "./forge.ts";
import { HttpError } from "./http-api.ts";

/** The first line of the one comment for all previews of a stack. Markdown does not show it. */
export function commentMarker(stack: string): string {
  return `<!-- changelings plan: ${stack.replaceAll(/[^A-Za-z0-9/._-]/g, "_")} -->`;
}

const pausesSeconds = [1, 4];

/**
 * Writes a text to the job's one comment: edits the existing one, else adds it. Comments by other authors are ignored,
 * whatever their first line, because their author could change them later.
 *
 * @returns what was done, in words
 * @throws HttpError if the forge can't be reached or denies access
 */
export async function comment(forge: Forge, marker: string, text: string): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      // Read again on each attempt: a comment may exist although the response was lost.
      return await upsert(forge, marker, `${marker}\n${text}`);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      if (error.status === 403 && forge.mayOnlyRead) {
        return `A job of a fork may not comment on ${forge.place}: the plan is in the job's summary.`;
      }
      const pause = pausesSeconds[attempt];
      if (pause === undefined || !error.mayPass) throw explained(error, forge);
      await wait(pause * 1000);
    }
  }
}

async function upsert(forge: Forge, marker: string, body: string): Promise<string> {
  const me = await forge.me();
  for await (const { id, author, body: present } of forge.comments()) {
    if (author !== me || !present.startsWith(marker)) continue;
    await forge.edit(id, body);
    return `The plan's comment on ${forge.place} is edited.`;
  }
  await forge.add(body);
  return `The plan is a new comment on ${forge.place}.`;
}

function explained(error: HttpError, forge: Forge): HttpError {
  if (error.status !== 401 && error.status !== 403 && error.status !== 404) return error;
  const remedy = "the job's token must be allowed to write there (GitHub: permissions: pull-requests: write)";
  return new HttpError(`no comment on ${forge.place}: ${error.message}; ${remedy}`, error.status);
}
