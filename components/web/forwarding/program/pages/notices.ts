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
 * The page that agents' pages link to for a logout.
 * @param name undefined if the visitor may not know it
 */
export function logoutPage(agentId: string, name = "this changeling"): string {
  return page({
    title: `Log out of ${name}`,
    home: "/",
    body: html`<p>This device will need a new login URL to come back.</p>
<form method="post" action="/logout?agent_id=${agentId}"><button>Log out</button></form>`,
  });
}

export function tooManyCookiesPage(cli: string, home: string): string {
  return page({
    title: "Too many cookies",
    home,
    body: html`<p>Pages of an agent have set so many cookies here that no request got through. All cookies of this
address were removed, your logins among them.</p>
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
