import { type Html, html } from "./html.ts";
import { contentSecurityPolicy, page } from "./page.ts";

/** Why an agent did not answer a request. */
export interface Trouble {
  readonly kind: "bad-gateway" | "timeout" | "offline" | "starting" | "no-such-server";
  readonly agent: { readonly name: string };
  /** A sentence without its full stop. */
  readonly reason: string;
}

interface Words {
  readonly title: string;
  readonly advice: Html;
  readonly reloadAfterSeconds?: number;
}

/** A page about it, with the policy to send it with. It looks again by itself when waiting helps. */
export function troublePage({ kind, agent: { name }, reason }: Trouble): {
  html: string;
  contentSecurityPolicy: string;
} {
  const { advice, ...rest } = words(kind, name);
  const body = html`<p>${reason.charAt(0).toUpperCase()}${reason.slice(1)}.</p>
<p class="soft">${advice}</p>`;
  return { html: page({ ...rest, body }), contentSecurityPolicy };
}

function words(kind: Trouble["kind"], name: string): Words {
  const log = html`What it says of itself: <code>changeling logs ${name}</code>`;
  switch (kind) {
    case "offline":
      return {
        title: `${name} is offline`,
        advice: html`This page looks again by itself. To start it: <code>changeling start ${name}</code>`,
        reloadAfterSeconds: 15,
      };
    case "starting":
      return { title: `${name} is starting`, advice: html`This page looks again by itself.`, reloadAfterSeconds: 3 };
    case "timeout":
      return { title: `${name} does not answer`, advice: log };
    case "bad-gateway":
      return { title: `${name} can’t be reached`, advice: log };
    case "no-such-server":
      return { title: `${name} has no such server`, advice: log };
  }
}
