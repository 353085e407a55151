import type { ServerResponse } from "node:http";
import type { Logins } from "./logins.ts";

/** What is being sent to browsers that are logged in. An event stream never ends by itself, so it must end with its login. */
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

  /** Closes those whose login has ended, or is not known to be valid. */
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
