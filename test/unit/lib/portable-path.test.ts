import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { absolutePath, portablePath } from "../../../components/lib/portable-path.ts";

const anchors = { project: "/home/me/src/fleet", home: "/home/me" };

describe("portablePath", () => {
  it.each([
    ["/home/me/src/fleet", "."],
    ["/home/me/src/fleet/app", "./app"],
    ["/home/me/src/fleet-two", "~/src/fleet-two"],
    ["/home/me", "~"],
    ["/home/me/..data", "~/..data"],
    ["/home/you/app", "/home/you/app"],
    ["/srv/app", "/srv/app"],
  ])("%s becomes %s", (path, portable) => {
    expect(portablePath(path, anchors)).toBe(portable);
    expect(absolutePath(portable, anchors)).toBe(path);
  });

  it("is undone by absolutePath, and is the same from another home", () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9 ._~-]{1,8}$/).filter((text) => text !== "." && text !== "..");
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (parts) => {
        const path = `/home/me/${parts.join("/")}`;
        const portable = portablePath(path, anchors);
        expect(absolutePath(portable, anchors)).toBe(path);
        const other = { project: "/Users/me/src/fleet", home: "/Users/me" };
        expect(portablePath(`/Users/me/${parts.join("/")}`, other)).toBe(portable);
      }),
    );
  });
});
