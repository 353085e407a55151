import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chosenRemote, httpsRemote, isLoopback, remoteOfUrl } from "../../../components/git/remote.ts";

describe("httpsRemote", () => {
  it.each([
    ["https://github.com/me/app", "https://github.com/me/app"],
    ["https://github.com/me/app.git/", "https://github.com/me/app.git"],
    ["https://GitHub.com/Me/App", "https://github.com/Me/App"],
    ["https://git.example.com:8443/me/app", "https://git.example.com:8443/me/app"],
    ["https://token@github.com/me/app?x=y#z", "https://github.com/me/app"],
    ["https://me:hunter2@github.com/me/app", "https://github.com/me/app"],
    ["git@github.com:me/app.git", "https://github.com/me/app.git"],
    ["github.com:me/app.git", "https://github.com/me/app.git"],
    ["git@github.com:/me/app.git", "https://github.com/me/app.git"],
    ["git@github.com:22/app.git", "https://github.com/22/app.git"],
    ["ssh://git@gitlab.example.com:2222/a/b/c.git", "https://gitlab.example.com/a/b/c.git"],
    ["ssh://git@ssh.github.com:443/me/app.git", "https://github.com/me/app.git"],
    ["ssh://git@altssh.gitlab.com:443/me/app.git", "https://gitlab.com/me/app.git"],
    ["ssh://git@ssh.example.com/me/app.git", "https://ssh.example.com/me/app.git"],
    ["git+ssh://git@example.com/app", "https://example.com/app"],
    ["git@ssh.dev.azure.com:v3/org/project/app", "https://dev.azure.com/org/project/_git/app"],
    ["git://example.com/app", "https://example.com/app"],
    ["http://example.com/app", "https://example.com/app"],
    ["http://127.0.0.1:4000/app.git", "http://127.0.0.1:4000/app.git"],
    ["http://me:hunter2@localhost:4000/app.git", "http://localhost:4000/app.git"],
    ["http://[::1]:4000/app.git", "http://[::1]:4000/app.git"],
    ["https://127.0.0.1:4000/app.git", "https://127.0.0.1:4000/app.git"],
  ])("%s is %s", (url, remote) => expect(httpsRemote(url)).toBe(remote));

  it.each([
    "/home/me/app",
    "../app",
    "./a:b",
    "file:///home/me/app",
    "ext::sh -c true",
    "https://github.com",
    "git@work:me/app.git",
    "git@localhost:me/app.git",
    "ssh://git@127.0.0.1/app",
    "ssh://git@example.com/~me/app",
    "git@example.com:~me/app",
    "git@ssh.dev.azure.com:app",
    "http://example.com:8080/app",
    "ftp://example.com/app",
    "",
  ])("%j has none", (url) => expect(httpsRemote(url)).toBeUndefined());

  it("gives no credential away, and what it gives stays what it is", () => {
    const word = fc.stringMatching(/^[a-z0-9]{3,8}$/);
    fc.assert(
      fc.property(word, word, word, fc.constantFrom("https", "ssh", "git+ssh"), (user, secret, name, scheme) => {
        const remote = httpsRemote(
          `${scheme}://user-${user}:secret-${secret}@git.example.com/me/${name}?k=secret-${secret}`,
        );
        expect(remote).toBe(`https://git.example.com/me/${name}`);
        expect(httpsRemote(remote ?? "")).toBe(remote);
      }),
    );
  });
});

it("isLoopback", () => {
  const remotes = ["http://127.0.0.1:1/a", "http://127.8.9.1/a", "http://localhost/a", "http://[::1]/a"];
  expect(remotes.map(isLoopback)).toEqual([true, true, true, true]);
  const elsewhere = ["https://github.com/a", "https://127.0.0.1.example.com/a", "https://localhost.example.com/a", "x"];
  expect(elsewhere.map(isLoopback)).toEqual([false, false, false, false]);
});

describe("the remote of a local repository", () => {
  const lines = (...remotes: [name: string, url: string][]) =>
    remotes.map(([name, url]) => `${name}\t${url} (fetch)\n${name}\thttps://push.example.com/ (push)\n`).join("");
  const origin: [string, string] = ["origin", "git@github.com:me/app.git"];
  const fork: [string, string] = ["fork", "https://github.com/you/app"];

  it.each([
    ["that the branch follows", lines(origin, fork), "fork", "fork", "https://github.com/you/app"],
    ["origin", lines(fork, origin), "", "origin", "https://github.com/me/app.git"],
    ["origin, when the followed one is gone", lines(fork, origin), "gone", "origin", "https://github.com/me/app.git"],
    ["the only one", lines(fork), "", "fork", "https://github.com/you/app"],
    ["of a partial clone", "origin\thttps://a.example/b (fetch) [blob:none]\n", "", "origin", "https://a.example/b"],
  ])("is the one %s", (_, listed, followed, name, url) => {
    expect(chosenRemote("/app", listed, followed)).toEqual({ name, url });
  });

  const orWriteIt = 'or write the https URL itself: repo = "https://…"';

  it("is missing", () => {
    expect(chosenRemote("/app", "", "")).toEqual({
      message: "/app has no remote: an agent on another machine can't clone it",
      remedy: `git -C /app remote add origin <URL>, ${orWriteIt}`,
    });
    expect(chosenRemote("/app", lines(fork, ["up", "https://a.example/b"]), "")).toEqual({
      message: "/app has several remotes (fork, up), and no origin: an agent on another machine can't clone it",
      remedy: `git -C /app remote add origin <URL>, ${orWriteIt}`,
    });
  });

  it("has no https form", () => {
    expect(chosenRemote("/app", lines(["origin", "/srv/app.git"]), "")).toEqual({
      message: "its remote origin is /srv/app.git, which an agent on another machine can't reach by https",
      remedy: `git -C /app remote set-url origin <URL>, ${orWriteIt}`,
    });
  });

  it("shows no credential", () => {
    const { message } = { message: "", ...remoteOfUrl("ftp://me:hunter2@example.com/app") };
    expect(message).toBe(
      "the repository is ftp://example.com/app, which an agent on another machine can't reach by https",
    );
  });
});
