import type { ServerResponse } from "node:http";
import type { Logins } from "./logins.ts";

/** The open responses to logged-in browsers. An event stream has no end, so it must be closed when its login ends. */
export class OpenResponses {
  readonly #logins: Logins;
  readonly #open = new Map<ServerResponse, string>();

  constructor(logins: Logins) {
    this.#logins = logins;
  }

  add(token: string, response: ServerResponse): void {
    this.#open.set(response, token);
    response.once("close", () => this.#open.delete(response));
  }

  /** Closes the responses whose login has ended or can't be checked. */
  closeEnded(): void {
    for (const [response, token] of this.#open) if (!this.#isValid(token)) response.destroy();
  }

  #isValid(token: string): boolean {
    try {
      return this.#logins.person(token) !== undefined;
    } catch {
      return false;
    }
  }
}
