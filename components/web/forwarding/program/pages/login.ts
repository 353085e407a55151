import { loginCommand } from "./command.ts";
import { html } from "./html.ts";
import { needsScript, page } from "./page.ts";

/** Shown by `/login`, which does not use up the code. Its script, or without scripts its button, opens `/authenticate`. */
export function loginPage(agentId: string, code: string): string {
  return page({
    title: "Logging in",
    home: "/",
    script: "authenticate",
    body: html`<p class="soft">One moment.</p>
<noscript>
<form action="/authenticate">
<input type="hidden" name="agent_id" value="${agentId}">
<input type="hidden" name="one_time_code" value="${code}">
<button>Log in on this device</button>
</form>
</noscript>`,
  });
}

/** Shown on the way to an agent's own origin: its script sends the login's key. */
export function enterPage(): string {
  return page({ title: "Opening", home: "/", script: "enter", body: needsScript });
}

/** Shown for every invalid code. It gives no reason, so that nobody learns which codes existed. */
export function codeSpentPage(cli: string, agentId?: string): string {
  return page({
    title: "This login URL can’t be used",
    home: "/",
    body: html`<p>Each login URL works once, on one device, and for a short time.</p>
<p>Make a new one for this device, on the machine that your changelings are deployed from:</p>
${loginCommand(cli, agentId)}`,
  });
}

/** Shown on an agent's own origin if the browser rejected its cookie, or the ticket has expired. */
export function notEnteredPage(mainOrigin: string, agentId: string): string {
  return page({
    title: "Not logged in here",
    home: `${mainOrigin}/`,
    body: html`<p>Opening this page took too long, or this browser does not keep cookies for this address.</p>
<p><a class="button" href="${mainOrigin}/${agentId}/">Try again</a></p>
<p class="soft">If that does not help, allow cookies for this address.</p>`,
  });
}
