import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowingScript } from "../../../../components/web/forwarding/program/proxy/content-security-policy.ts";
import {
  insertAfterHead,
  insertAtStart,
  placeInHead,
} from "../../../../components/web/forwarding/program/proxy/insert.ts";
import { textOf } from "../../../support/upstreams.ts";

const page = "<!doctype html><html><head><title>a</title></head><body>b</body></html>";

describe("allowingScript", () => {
  it.each([
    ["default-src 'self'", "default-src 'self'; script-src 'self' 'sha256-x'"],
    ["default-src 'none'; img-src *", "default-src 'none'; img-src *; script-src 'sha256-x'"],
    ["Script-Src 'none'", "Script-Src 'sha256-x'"],
    ["script-src a; script-src-elem b", "script-src a; script-src-elem b 'sha256-x'"],
    ["script-src 'nonce-y' 'strict-dynamic'", "script-src 'nonce-y' 'strict-dynamic' 'sha256-x'"],
    ["script-src 'unsafe-inline'", "script-src 'unsafe-inline'"],
    ["script-src 'unsafe-inline' 'nonce-y'", "script-src 'unsafe-inline' 'nonce-y' 'sha256-x'"],
    ["frame-ancestors 'none'", "frame-ancestors 'none'"],
    ["", ""],
    ["script-src a, default-src b;", "script-src a 'sha256-x',default-src b; script-src b 'sha256-x'"],
  ])("%s → %s", (policy, expected) => {
    expect(allowingScript(policy, "sha256-x")).toBe(expected);
  });
});

describe("placeInHead", () => {
  it.each([
    ["<!doctype html><html><head>|<title>", true],
    ["<!DOCTYPE html>\n<HTML lang=en>\n<HEAD class='>'>|<title>", true],
    ['\u00ef\u00bb\u00bf<!-- <head> --><html data-a=">"><!-- --><head>|', true],
    ["<!doctype html>|<title>", true],
    ["<html>|<body>", true],
    ["|<p>", true],
    ["|text", true],
    ["<html>|<header>", true],
    ["<?xml version='1.0'?><html><head>|", true],
    ["|", false],
    ["|<", false],
    ["|<!doctype htm", false],
    ["|<!-- <head>", false],
    ["|<!-", false],
    ["<html> |<hea", false],
    ["<html>|<head data-a='>", false],
    ["|<html lang", false],
    ["<!---->|<p>", true],
    ["<!-->|<p>", true],
  ])("%s", (marked, isSure) => {
    expect(placeInHead(marked.replace("|", ""))).toEqual({ at: marked.indexOf("|"), isSure });
  });

  it("does not change once it is certain", () => {
    const piece = fc.constantFrom(
      "<",
      "!",
      "--",
      ">",
      "head",
      "html",
      " ",
      "<!--",
      "-->",
      "<head>",
      "<html ",
      "'",
      "a",
    );
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(text, text, (start, more) => {
        const { at, isSure } = placeInHead(start);
        if (isSure) expect(placeInHead(start + more)).toEqual({ at, isSure });
      }),
    );
  });
});

describe("insertAfterHead", () => {
  const through = (parts: readonly Buffer[]) => textOf(Readable.from(parts).pipe(insertAfterHead("[in]")));
  it("does not depend on how a page is split into chunks", async () => {
    const pages = fc.constantFrom(page, "<p>ü</p>", "", "<!-- <head> --> <html>\n<head\n>x", "<!doctype html>", "<hea");
    await fc.assert(
      fc.asyncProperty(pages, fc.array(fc.nat(80), { maxLength: 8 }), async (text, cuts) => {
        const bytes = Buffer.from(text);
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const parts = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        const whole = placeInHead(bytes.toString("latin1")).at;
        const expected = Buffer.concat([bytes.subarray(0, whole), Buffer.from("[in]"), bytes.subarray(whole)]);
        expect(await through(parts)).toBe(expected.toString());
      }),
      { numRuns: 50 },
    );
  });

  it("searches only the first 64 KB of a page for its head", async () => {
    const stream = insertAfterHead("[in]");
    stream.write(`<!-- ${"a".repeat(70_000)}`);
    expect(String(stream.read()).slice(0, 9)).toBe("[in]<!-- ");
  });

  it("searches only the first 256 chunks of a page for its head", () => {
    const stream = insertAfterHead("[in]");
    stream.write("<!-- ");
    for (let n = 0; n < 254; n += 1) stream.write("a");
    expect(stream.read()).toBeNull();
    stream.write("a");
    expect(String(stream.read()).slice(0, 9)).toBe("[in]<!-- ");
  });

  it("is in an empty worker too", async () => {
    expect(await textOf(Readable.from([]).pipe(insertAtStart("[in]")))).toBe("[in]");
  });
});
