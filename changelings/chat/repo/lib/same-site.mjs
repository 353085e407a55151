// @ts-check
/**
 * Why a request is not for this page. The forwarding server asks who a person is; but this port is also in reach of
 * every page that the person's browser shows, which may lead a name of its own to this machine (DNS rebinding), or send
 * a form here.
 *
 * @param {Pick<import("node:http").IncomingMessage, "headers" | "method">} request
 * @returns {string | undefined} undefined when it may come in
 */
export function refusal({ headers, method }) {
  // Led here by a name of its own, a browser writes this port behind it. A name without one is that of a front that
  // speaks TLS, and has passed it on.
  if (!/^((localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?|[\w.-]+)$/.test(headers.host ?? ""))
    return "this server has another name";
  if (headers["sec-fetch-site"] === "cross-site" && method !== "GET" && method !== "HEAD")
    return "sent by another site";
  const { origin } = headers;
  if (origin === undefined) return undefined;
  // A proxy may say which name the browser knows this page by.
  const names = [headers.host, headers["x-forwarded-host"]];
  return names.some((name) => origin === `http://${name}` || origin === `https://${name}`)
    ? undefined
    : "sent by another site";
}
