import { html } from "./html.ts";
import { page } from "./page.ts";

export function notFoundPage(home = "/"): string {
  return page({
    title: "Not found",
    home,
    body: html`<p>There is nothing at this address.</p>
<p><a class="button" href="${home}">Your changelings</a></p>`,
  });
}

/**
 * Asks for confirmation of a logout. Agents' pages link here.
 * @param name undefined if the visitor may not know it
 */
export function logoutPage(agentId: string, name = "this changeling"): string {
  return page({
    title: `Log out of ${name}`,
    home: "/",
    body: html`<p>To log in again on this device, you need a new login URL.</p>
<form method="post" action="/logout?agent_id=${agentId}"><button>Log out</button></form>`,
  });
}

export function tooManyCookiesPage(cli: string, home: string): string {
  return page({
    title: "Too many cookies",
    home,
    body: html`<p>An agent’s pages have set so many cookies here that requests failed. All cookies of this address were removed,
including your logins.</p>
<p>Log in with new login URLs: <code>${cli} login-url NAME</code></p>
<p><a class="button" href="${home}">Your changelings</a></p>`,
  });
}

export function tooManyPage(): string {
  return page({
    title: "Too many attempts",
    home: "/",
    body: html`<p>Wait a minute, then open the login URL again. It was not used up.</p>`,
  });
}

export function failurePage(): string {
  return page({
    title: "Something went wrong",
    home: "/",
    body: html`<p>The forwarding server could not do this. Its log, <code>forwarding.log</code>, says why.</p>`,
  });
}
