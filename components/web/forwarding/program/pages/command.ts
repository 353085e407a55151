import type { ForwardingConfig } from "../config.ts";
import { type Html, html } from "./html.ts";

/** How a person calls `changeling`. A config that does not say is a container's, or older: in a checkout this works. */
export function cliOf({ cli }: Pick<ForwardingConfig, "cli">): string {
  return cli ?? "npx changeling";
}

/** A command on a line of its own, with a button that copies it; without a script, or by plain http, there is no button. */
export function commandBlock(command: string): Html {
  return html`<div class="command"><pre>${command}</pre><button type="button" class="quiet" hidden>Copy</button></div>`;
}

/** @param agentId as the visitor gave it: who is not logged in learns no name here, nor which agents there are */
export function loginCommand(cli: string, agentId?: string): Html {
  if (agentId !== undefined) return commandBlock(`${cli} login-url ${agentId}`);
  return html`${commandBlock(`${cli} login-url NAME`)}
<p class="soft">NAME is the changeling’s name. <code>${cli} list</code> shows them all.</p>`;
}
