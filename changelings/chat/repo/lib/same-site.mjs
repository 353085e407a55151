// @ts-check
import { createHash, timingSafeEqual } from "node:crypto";

const loopback = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Why a request is rejected. The forwarding server authenticates users, but every page in the user's browser can reach
 * this port too: it may point its own name at this machine (DNS rebinding), or send a form here.
 *
 * @param {Pick<import("node:http").IncomingMessage, "headers" | "method"> & { socket: { localPort?: number | undefined } }} request
 * @param {string} [secret] what the forwarding server sends; undefined: nobody else can connect
 * @returns {string | undefined} undefined if the request is accepted
 */
export function refusal({ headers, method, socket }, secret) {
  if (secret !== undefined && !isSame(secret, headers["x-changeling-secret"])) return "it bypassed the login";
  const [, name = "", port = "80"] = /^(.*?)(?::(\d+))?$/.exec(headers.host ?? "") ?? [];
  // After DNS rebinding, the browser's Host header has this very port. Another port comes from a proxy that has
  // forwarded the original Host.
  const isLedHere = Number(port) === socket.localPort;
  if (name === "" || (isLedHere && !loopback.test(name))) return "this server has another name";
  if (headers["sec-fetch-site"] === "cross-site" && method !== "GET" && method !== "HEAD")
    return "sent by another site";
  const { origin } = headers;
  if (origin === undefined) return undefined;
  // A proxy may report the name that the browser uses for this page.
  const names = [headers.host, headers["x-forwarded-host"]];
  return names.some((name) => origin === `http://${name}` || origin === `https://${name}`)
    ? undefined
    : "sent by another site";
}

/** @param {string} secret @param {string | string[] | undefined} given */
function isSame(secret, given) {
  const [one, other] = [secret, String(given)].map((text) => createHash("sha256").update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
