import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, expect, test } from "vitest";
import { baseImageOf, imageSources, imageVariables } from "../../../components/docker/image-sources.ts";
import { dockerEnvironment, isDockerVariable } from "../../../components/docker/run-docker.ts";
import { baseImage, dockerfile } from "../../../components/sandbox/image/image.ts";

const folder = mkdtempSync(join(tmpdir(), "sources-"));
afterAll(() => rmSync(folder, { recursive: true }));
const [authority = "", second = ""] = rootCertificates;

function pem(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test("without variables, the image is built from the public servers", () => {
  expect(imageSources({})).toEqual({});
  expect(imageSources({ CHANGELINGS_IMAGE_NPM: "" })).toEqual({});
  expect(dockerfile(imageSources({}))).toBe(dockerfile());
});

test("mirrors take the places of the public servers, in order before they are used", () => {
  const text = dockerfile(
    imageSources({
      CHANGELINGS_IMAGE_BASE: "registry.example.com:5000/library/node@sha256:ab12",
      CHANGELINGS_IMAGE_DEBIAN: "https://mirror.example.com/{archive}/{date}",
      CHANGELINGS_IMAGE_NPM: "https://npm.example.com/npm/",
      CHANGELINGS_IMAGE_CA: pem("two.pem", `# Ours\n${authority}\n${second}`),
    }),
  );
  expect(text).toMatch(/^FROM registry\.example\.com:5000\/library\/node@sha256:ab12\n/);
  expect(text).toContain("https://mirror.example.com/debian/20");
  expect(text).toContain("https://mirror.example.com/debian-security/20");
  const lines = text.split("\n");
  const at = (part: string) => lines.findIndex((line) => line.includes(part));
  const order = ["changelings.crt", "/etc/apt/sources.list", "apt-get install", "registry https://npm", "npm ci"].map(
    at,
  );
  expect(order).toEqual([...order].sort((one, other) => one - other));
  expect(order).not.toContain(-1);
  expect(text).not.toMatch(/snapshot\.debian\.org/);
  const script = lines[1]
    ?.slice("RUN ".length)
    .replaceAll("/usr/local", folder)
    .replaceAll("/etc/apt/apt.conf.d", folder);
  execFileSync("sh", ["-c", script ?? ""]);
  const written = readFileSync(join(folder, "share/ca-certificates/changelings.crt"), "utf8");
  expect(written).toBe(`${authority}\n${second}\n`);
});

test("a base image is named for the Node that each image needs", () => {
  const sources = imageSources({ CHANGELINGS_IMAGE_BASE: "registry.example.com/node:{node}-bookworm-slim" });
  expect(baseImageOf(sources, "24.21.0")).toBe("registry.example.com/node:24.21.0-bookworm-slim");
  expect(dockerfile(sources)).toMatch(/^FROM registry\.example\.com\/node:22\.\d+\.\d+-bookworm-slim\n/);
});

test("a mirror without Debian's history needs no date", () => {
  const text = dockerfile(imageSources({ CHANGELINGS_IMAGE_DEBIAN: "http://mirror.example.com/{archive}" }));
  expect(text).toContain("http://mirror.example.com/debian bookworm main");
});

test("no private key of a PEM file gets into the image", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
  const { certificates } = imageSources({ CHANGELINGS_IMAGE_CA: pem("key.pem", `${key}${authority}\n${key}`) });
  expect(certificates).toBe(`${authority}\n`);
});

test("all variables that are wrong are reported together", () => {
  expect(() =>
    imageSources({
      CHANGELINGS_IMAGE_BASE: "node:22\nRUN curl evil",
      CHANGELINGS_IMAGE_DEBIAN: "http://mirror.example.com/debian",
      CHANGELINGS_IMAGE_NPM: "https://me:pa55@npm.example.com/",
      CHANGELINGS_IMAGE_CA: pem("empty.pem", "nothing"),
    }),
  ).toThrow(
    /_BASE: is not the name[\s\S]*_DEBIAN: lacks \{archive\}[\s\S]*_NPM: must not contain credentials[\s\S]*_CA: .*empty.pem contains no cert/,
  );
});

test.each([
  ["CHANGELINGS_IMAGE_NPM", "npm.example.com"],
  ["CHANGELINGS_IMAGE_NPM", "https://npm.example.com/?token=abc"],
  ["CHANGELINGS_IMAGE_NPM", "https://npm.example.com/$(id)"],
  ["CHANGELINGS_IMAGE_DEBIAN", "https://x.example.com/{archive}' ; id #"],
  ["CHANGELINGS_IMAGE_DEBIAN", "https://x.example.com/{archive}\nRUN id"],
  ["CHANGELINGS_IMAGE_DEBIAN", "https://u:pa55@x.example.com/{archive}"],
  ["CHANGELINGS_IMAGE_CA", "/no/such/file.pem"],
])("%s=%j is rejected, without a secret in the message", (name, value) => {
  let message = "";
  try {
    imageSources({ [name]: value });
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain(`${name}: `);
  expect(message).not.toMatch(/pa55|token=abc/);
});

test("the variables reach every script that builds an image", () => {
  for (const name of Object.values(imageVariables)) {
    expect(isDockerVariable(name)).toBe(true);
    expect(dockerEnvironment({ [name]: "x" })).toMatchObject({ [name]: "x" });
  }
  expect(dockerfile(imageSources({ CHANGELINGS_IMAGE_BASE: baseImage }))).toBe(dockerfile());
});
