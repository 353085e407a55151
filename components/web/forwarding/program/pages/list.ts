import type { AgentView } from "../agents.ts";
import { type Html, html } from "./html.ts";
import { page } from "./page.ts";

const words: Readonly<Record<AgentView["state"], string>> = {
  online: "Online",
  starting: "Starting",
  offline: "Offline",
};

/** Shown by `/`: the agents that this browser is logged in to. */
export function listPage(agents: readonly AgentView[]): string {
  return page({
    title: "Your changelings",
    home: "/",
    menu: menu(agents),
    body: html`<ul class="agents">
${agents.map(item)}</ul>
<p class="soft">Others appear here once you log in to them on this device: <code>changeling login-url NAME</code></p>`,
  });
}

/** Shown by `/` until its script has shown the keys of this browser's logins. */
export function openingPage(): string {
  return page({ title: "Your changelings", home: "/", script: "list", body: html`${needsScript}` });
}

export const needsScript = html`<p class="soft">One moment.</p>
<noscript><p>This page needs JavaScript: a cookie alone could have been collected by another program of this machine.</p></noscript>`;

/** Shown by `/` to a browser that is logged in to none. @param hasKeys it may be, with cookies that did not come along */
export function placeholderPage(hasKeys = false): string {
  return page({
    title: "Not logged in",
    home: "/",
    ...(hasKeys ? { script: "list" as const } : {}),
    body: html`<p>This browser is not logged in to any changeling.</p>
<p>Make a login URL on the machine that your changelings are deployed from, and open it here:</p>
<pre>changeling login-url NAME</pre>
<p class="soft">NAME is the changeling’s name. <code>changeling list</code> shows them all.</p>`,
  });
}

function menu(agents: readonly AgentView[]): Html {
  const links = agents.map(({ id, name }) => html`<a href="/${id}/">${name}</a>`);
  return html`<details><summary>Open</summary><nav aria-label="Changelings">${links}</nav></details>`;
}

function item({ id, name, state }: AgentView): Html {
  return html`<li>
<a href="/${id}/">${name}</a>
<span class="state ${state}">${words[state]}</span>
<form method="post" action="/logout?agent_id=${id}"><button class="quiet" aria-label="Log out of ${name}">Log out</button></form>
</li>
`;
}
