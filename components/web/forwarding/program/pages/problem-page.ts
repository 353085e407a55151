import { commandBlock } from "./command.ts";
import { type Html, html } from "./html.ts";
import { contentSecurityPolicy, page } from "./page.ts";

/** Why an agent did not answer a request. */
export interface Problem {
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

/** A page about the problem, and its content security policy. It reloads automatically if waiting helps. */
export function problemPage(
  { kind, agent: { name }, reason }: Problem,
  cli: string,
): {
  html: string;
  contentSecurityPolicy: string;
} {
  const { advice, ...rest } = words(kind, name, cli);
  const body = html`<p>${reason.charAt(0).toUpperCase()}${reason.slice(1)}.</p>
${advice}`;
  return { html: page({ ...rest, body }), contentSecurityPolicy };
}

function words(kind: Problem["kind"], name: string, cli: string): Words {
  const log = html`<p class="soft">Its log:</p>
${commandBlock(`${cli} logs ${name}`)}`;
  switch (kind) {
    case "offline":
      return {
        title: `${name} is offline`,
        advice: html`<p class="soft">This page reloads automatically. To start it:</p>
${commandBlock(`${cli} start ${name}`)}`,
        reloadAfterSeconds: 15,
      };
    case "starting":
      return {
        title: `${name} is starting`,
        advice: html`<p class="soft">This page reloads automatically.</p>`,
        reloadAfterSeconds: 3,
      };
    case "timeout":
      return { title: `${name} does not answer`, advice: log };
    case "bad-gateway":
      return { title: `${name} can’t be reached`, advice: log };
    case "no-such-server":
      return { title: `${name} has no such server`, advice: log };
  }
}
