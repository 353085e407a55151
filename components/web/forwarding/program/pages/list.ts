import type { AgentView } from "../agents.ts";
import { commandBlock, loginCommand } from "./command.ts";
import { type Html, html } from "./html.ts";
import { needsScript, page } from "./page.ts";

const words: Readonly<Record<AgentView["state"], string>> = {
  online: "Online",
  starting: "Starting",
  offline: "Offline",
};

const places: Readonly<Record<string, string>> = { local: "this machine", docker: "Docker", modal: "Modal" };

/** Limit of shown servers per agent, because an agent may register any number. */
const mostServers = 8;

/** Shown by `/`: the agents that this browser is logged in to. */
export function listPage(agents: readonly AgentView[], cli: string, now: Date = new Date()): string {
  return page({
    title: "Your changelings",
    home: "/",
    menu: menu(agents),
    body: html`<ul class="agents">
${agents.map((agent) => item(agent, now))}</ul>
<p class="soft">To add others, log in to them on this device:</p>
${commandBlock(`${cli} forward`)}`,
  });
}

/** Shown by `/` until its script has proven the keys of this browser's logins. */
export function openingPage(): string {
  return page({ title: "Your changelings", home: "/", script: "list", body: html`${needsScript}` });
}

/**
 * Shown by `/` to a browser without logins.
 * @param hasKeys the browser may have logins whose cookies were not sent
 */
export function placeholderPage(cli: string, hasKeys = false): string {
  return page({
    title: "Not logged in",
    home: "/",
    ...(hasKeys ? { script: "list" as const } : {}),
    body: html`<p>This browser is not logged in to any changeling.</p>
<p>Make a login URL on the machine that your changelings are deployed from, and open it here:</p>
${loginCommand(cli)}`,
  });
}

function menu(agents: readonly AgentView[]): Html {
  const links = agents.map(({ id, name }) => html`<a href="/${id}/">${name}</a>`);
  return html`<details><summary>Open</summary><nav aria-label="Changelings">${links}</nav></details>`;
}

function item(agent: AgentView, now: Date): Html {
  const { id, name, state, description, lastMessage } = agent;
  return html`<li>
<div class="name"><a href="/${id}/">${name}</a> <span class="state ${state}">${words[state]}</span></div>
${description === undefined ? "" : html`<p>${description}</p>`}
${lastMessage === undefined ? "" : html`<p class="message">“${lastMessage}”</p>`}
<p class="soft">${facts(agent, now)}</p>
${serverLinks(agent)}
<form method="post" action="/logout?agent_id=${id}"><button class="plain" aria-label="Log out of ${name}">Log out</button></form>
</li>
`;
}

function facts({ provider, lastActivity }: AgentView, now: Date): Html {
  const place = html`On ${places[provider] ?? provider}`;
  if (lastActivity === undefined) return place;
  return html`${place} · last active <time datetime="${lastActivity}">${ago(new Date(lastActivity), now)}</time>`;
}

/** Its servers other than the main one, which its name links to. */
function serverLinks({ id, servers }: AgentView): Html | string {
  const first = servers.includes("web") ? "web" : servers[0];
  const others = servers.filter((server) => server !== first).slice(0, mostServers);
  if (others.length === 0) return "";
  const links = others.map((server) => html` <a href="/${id}/${encodeURIComponent(server)}/">${server}</a>`);
  return html`<p class="soft">Also:${links}</p>`;
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`. */
function ago(date: Date, now: Date): string {
  const minutes = Math.floor((now.getTime() - date.getTime()) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} d ago`;
}
