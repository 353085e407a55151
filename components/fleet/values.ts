import * as z from "zod/mini";
import { durationPattern } from "../lib/duration.ts";

export const namePattern = /^[a-z][a-z0-9-]{0,39}$/;
export const secretNamePattern = /^[A-Z_][A-Z0-9_]*$/;
export const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** How durations are documented. */
export const durationUnit = "a number and one of s, m, h, d, w";

export function text() {
  // Arguments and environment values are passed to programs as C strings.
  return z.string().check(z.refine((value) => !value.includes("\0"), "contains a NUL character"));
}

export function word() {
  return text().check(z.minLength(1));
}

export function seconds(least: number, most: number) {
  return z.int().check(z.gte(least), z.lte(most));
}

export function duration() {
  return z.string().check(z.regex(durationPattern));
}
