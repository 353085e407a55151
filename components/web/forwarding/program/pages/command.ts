import type { ForwardingConfig } from "../config.ts";
import { type Html, html } from "./html.ts";

/** How a user invokes `changeling`. The default works in a checkout; containers and older configs need it. */
export function cliOf({ cli }: Pick<ForwardingConfig, "cli">): string {
  return cli ?? "npx changeling";
}

/** A command on its own line, with a copy button. The button is hidden without scripts, or over plain http. */
export function commandBlock(command: string): Html {
  return html`<div class="command"><pre>${command}</pre><button type="button" class="quiet" hidden>Copy</button></div>`;
}

/**
 * @param agentId from the visitor's request. Without a login, a visitor must not learn names, nor which agents exist
 */
export function loginCommand(cli: string, agentId?: string): Html {
  if (agentId !== undefined) return commandBlock(`${cli} login-url ${agentId}`);
  return html`${commandBlock(`${cli} login-url NAME`)}
<p class="soft">NAME is the changeling’s name. <code>${cli} list</code> shows them all.</p>`;
}
