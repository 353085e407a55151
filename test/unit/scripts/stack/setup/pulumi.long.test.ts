import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { checkout } from "../../../../../scripts/stack/setup/cache.mjs";
import { checksumIn } from "../../../../../scripts/stack/setup/download.ts";
import { LEAN_MODULES, LEAN_REMEDY } from "../../../../../scripts/stack/setup/lean-pulumi.ts";
import { findPulumi } from "../../../../../scripts/stack/setup/pulumi.ts";
import { useMachine, writeProgram } from "../../../../support/setup.ts";

const machine = useMachine();
const archive = `pulumi-v3.258.0-${process.platform}-${process.arch}.tar.gz`;
const cached = (): string => join(machine.cache, "pulumi/3.258.0");
const lean = (): string => {
  const [name = "none"] = readdirSync(join(machine.cache, "pulumi-lean"));
  return join(machine.cache, "pulumi-lean", name);
};

/** Every test starts where no download can be reached and no Go is there. */
beforeEach(() => void vi.stubEnv("CHANGELINGS_PULUMI_DOWNLOAD_URL", "http://127.0.0.1:1"));

/** As `venv` and pip it brings a `go` and a uv that installs nothing. */
function python(): { path: string; version: string } {
  const go = writeProgram(join(machine.folder, "pypi"), "go", ...goLines("go1.26.6"));
  const path = machine.program(
    "python3.12",
    'for last in "$@"; do :; done',
    `if [ "$2" = venv ]; then mkdir -p "$last/bin"; cp "$0" "$last/bin/python"; cp ${go} "$last/bin/go"; exit; fi`,
    `printf '#!/bin/sh\n' > "\${0%/*}/uv"; chmod 755 "\${0%/*}/uv"`,
  );
  return { path, version: "3.12.1" };
}

/** A Go that "builds" a program which says the wanted version, and notes each call with what it builds from. */
function goLines(version: string, pulumi = "v3.258.0"): string[] {
  return [
    `if [ "$*" = "env GOVERSION" ]; then echo ${version}; exit; fi`,
    `modules="\${GOMODCACHE:-${machine.folder}/modules}"`,
    'if [ "$*" = "env GOMODCACHE" ]; then echo "$modules"; exit; fi',
    `echo "$* | \${GOCACHE:-own cache} | $CGO_ENABLED" >> ${machine.folder}/go-calls`,
    "cat go.mod go.sum > /dev/null",
    `if [ "$1" = mod ]; then shift 2; for each; do mkdir -p "$modules/\${each%/*}"; cp -r ${anyModule()} "$modules/$each"; done; exit; fi`,
    'if [ "$1" = list ]; then echo one; echo two; exit; fi',
    `if [ -e replaced ]; then cp -r replaced go.mod ${machine.folder}; fi`,
    'while [ "$1" != -o ]; do shift; done',
    `printf '#!/bin/sh\necho ${pulumi}\n' > "$2"; chmod 755 "$2"`,
  ];
}

/** As Go downloads one, read-only, with all that the lean CLI leaves out or changes in any of them. */
function anyModule(): string {
  const folder = join(machine.folder, "pkg");
  if (existsSync(folder)) return folder;
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text, { mode: 0o444 });
  };
  for (const { file, lines = [], blocks = [], texts = [] } of LEAN_MODULES.flatMap(({ edits }) => edits)) {
    const cut = blocks.map(([from, upTo]) => `${from} cut\n${upTo} kept\n`);
    const changed = texts.map(([from]) => `${from} kept\n`);
    const removed = lines.map((line) => `\t${line} // cut\n`);
    write(file, `package kept\n${removed.join("")}func kept()\n${[...cut, ...changed].join("")}`);
  }
  for (const file of ["authhelpers/gcpauth.go", "operations/operations_aws.go"]) write(file, "");
  for (const file of ["main_test.go", "codegen/testdata/large.json"]) write(file, "");
  write("go.mod", "module github.com/pulumi/pulumi/pkg/v3\n");
  return folder;
}

const goCalls = (): string[] => readFileSync(join(machine.folder, "go-calls"), "utf8").trim().split("\n");

function ownPulumi(version: string, host = true): string {
  if (host) machine.program("pulumi-language-nodejs");
  return machine.program("pulumi", `echo ${version}`);
}

describe("the Pulumi on PATH", () => {
  test.each(["v3.258.0", "v3.300.1", "3.258.0"])("is taken at %s", async (version) => {
    const path = ownPulumi(version);
    expect(await findPulumi(python())).toBe(path);
    expect(existsSync(join(machine.cache, "pulumi"))).toBe(false);
  });

  test.each([
    ["v3.257.9", true],
    ["v4.0.0", true],
    ["", true],
    ["v3.258.0", false],
  ])("is passed over at %j with its language host: %s", async (version, host) => {
    ownPulumi(version, host);
    machine.program("go", ...goLines("go1.26.8"));
    expect(await findPulumi(python())).toBe(join(lean(), "pulumi"));
  });

  test("does not count when it is ours", async () => {
    machine.program("go", ...goLines("go1.26.8"));
    const first = await findPulumi(python());
    const calls = goCalls();
    vi.stubEnv("PATH", `${dirname(first)}:${machine.bin}`);
    expect(await findPulumi(python())).toBe(first);
    expect(goCalls()).toEqual(calls);
  });
});

describe("the official download", () => {
  let server: Server;
  let requests: string[];
  let files: Record<string, Buffer | string>;

  beforeEach(async () => {
    requests = [];
    const release = join(machine.folder, "release/pulumi");
    mkdirSync(release, { recursive: true });
    for (const name of ["pulumi", "pulumi-language-nodejs"]) writeProgram(release, name, "echo v3.258.0");
    spawnSync("tar", ["-czf", join(machine.folder, archive), "-C", join(machine.folder, "release"), "pulumi"]);
    const content = readFileSync(join(machine.folder, archive));
    const sum = createHash("sha256").update(content).digest("hex");
    files = {
      [`/${archive}`]: content,
      "/pulumi-3.258.0-checksums.txt": `${"0".repeat(64)}  other\n${sum}  ${archive}\n`,
    };
    server = createServer((request, response) => {
      requests.push(request.url ?? "");
      const file = files[request.url ?? ""];
      response.writeHead(file === undefined ? 404 : 200).end(file);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    vi.stubEnv("CHANGELINGS_PULUMI_DOWNLOAD_URL", `http://127.0.0.1:${port}`);
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  test("is unpacked once its checksum is verified, and not fetched again", async () => {
    expect(await findPulumi(python())).toBe(join(cached(), "pulumi"));
    expect(await findPulumi(python())).toBe(join(cached(), "pulumi"));
    expect(requests).toEqual(["/pulumi-3.258.0-checksums.txt", `/${archive}`]);
    expect(readdirSync(cached()).sort()).toEqual(["pulumi", "pulumi-language-nodejs"]);
  });

  test("with another checksum is an error, is not kept, and nothing is built instead", async () => {
    machine.program("go", ...goLines("go1.26.8"));
    files["/pulumi-3.258.0-checksums.txt"] = `${"a".repeat(64)}  ${archive}\n`;
    await expect(findPulumi(python())).rejects.toThrow(
      /^the download of .* is not what its publisher signed for: .*not a{64}$/,
    );
    expect(readdirSync(join(machine.cache, "pulumi"))).toEqual([]);
    expect(existsSync(join(machine.folder, "go-calls"))).toBe(false);
  });

  test("that is not listed is an error", async () => {
    files["/pulumi-3.258.0-checksums.txt"] = "";
    await expect(findPulumi(python())).rejects.toThrow(`${archive} is not in its publisher's list of checksums`);
  });

  test("that the server does not have gives way to the build", async () => {
    delete files[`/${archive}`];
    machine.program("go", ...goLines("go1.26.8"));
    expect(await findPulumi(python())).toBe(join(lean(), "pulumi"));
  });

  test("that becomes available replaces a lean build, which is never mistaken for it", async () => {
    const archived = files[`/${archive}`] ?? "";
    delete files[`/${archive}`];
    machine.program("go", ...goLines("go1.26.8"));
    await findPulumi(python());
    expect(existsSync(cached())).toBe(false);
    files[`/${archive}`] = archived;
    expect(await findPulumi(python())).toBe(join(cached(), "pulumi"));
  });

  test("that holds another version is an error", async () => {
    const release = join(machine.folder, "release/pulumi");
    writeProgram(release, "pulumi", "echo v3.1.0");
    spawnSync("tar", ["-czf", join(machine.folder, archive), "-C", join(machine.folder, "release"), "pulumi"]);
    const content = readFileSync(join(machine.folder, archive));
    files[`/${archive}`] = content;
    files["/pulumi-3.258.0-checksums.txt"] = `${createHash("sha256").update(content).digest("hex")}  ${archive}`;
    await expect(findPulumi(python())).rejects.toThrow("the new Pulumi CLI says that it is version v3.1.0");
    expect(readdirSync(join(machine.cache, "pulumi"))).toEqual([]);
  });
});

describe("the build", () => {
  const builds = (): string[] => goCalls().filter((call) => call.startsWith("build"));

  test("is done by the Go on PATH, from pinned modules, without a C compiler", async () => {
    machine.program("go", ...goLines("go1.25.11"));
    expect(await findPulumi(python())).toBe(join(lean(), "pulumi"));
    expect(readdirSync(lean()).sort()).toEqual(["pulumi", "pulumi-language-nodejs"]);
    expect(goCalls()[0]).toMatch(/^mod download github\.com\/pulumi\/pulumi\/pkg\/v3@v3\.258\.0 [^|]+ \|/);
    const built = [
      /^build -v -mod=mod .* github\.com\/pulumi\/pulumi\/pkg\/v3\/cmd\/pulumi \| own cache \| 0$/,
      /^build -v -mod=mod .* github\.com\/pulumi\/pulumi\/sdk\/v3\/nodejs\/cmd\/pulumi-language-nodejs \| own cache \| 0$/,
    ];
    expect(builds()).toEqual(built.map((line) => expect.stringMatching(line)));
  });

  test("leaves the parts of clouds out, and says at their use how to get them", async () => {
    machine.program("go", ...goLines("go1.26.8"));
    await findPulumi(python());
    const built = (file: string): string => readFileSync(join(machine.folder, file), "utf8");
    const sums = readFileSync(join(checkout, "scripts/stack/setup/go/pulumi/go.sum"), "utf8");
    for (const { module, version, edits } of LEAN_MODULES) {
      expect(built("go.mod")).toContain(`\nreplace ${module} => ./replaced/${module}\n`);
      expect(sums).toContain(`\n${module} ${version} h1:`);
      for (const { file, texts = [] } of edits) {
        const source = built(`replaced/${module}/${file}`);
        expect(source).not.toContain("cut");
        expect(source).toContain("package kept\nfunc kept()\n");
        for (const [, to] of texts) expect(source).toContain(`${to} kept\n`);
      }
    }
    const ours = `replaced/${LEAN_MODULES[0]?.module}`;
    expect(built(`${ours}/backend/diy/backend.go`)).toMatch(/\tbucket, err := blobmux\.OpenBucket\(ctx, u\) kept\n$/);
    const missing = ["authhelpers", "operations/operations_aws.go", "main_test.go", "codegen"];
    expect(missing.filter((path) => existsSync(join(machine.folder, ours, path)))).toEqual([]);
    expect(built(`${ours}/backend/diy/lean.go`)).toContain(JSON.stringify(LEAN_REMEDY));
  });

  test("leaves nothing out where all of it is wanted, beside a lean one that is there", async () => {
    machine.program("go", ...goLines("go1.26.8"));
    await findPulumi(python());
    rmSync(join(machine.folder, "replaced"), { recursive: true });
    expect(await findPulumi(python(), { full: true })).toBe(join(cached(), "pulumi"));
    expect(existsSync(join(machine.folder, "replaced"))).toBe(false);
    expect(await findPulumi(python())).toBe(join(cached(), "pulumi"));
  });

  test("is done by a Go from PyPI when the one on PATH is too old; all that it made but the result is removed", async () => {
    machine.program("go", ...goLines("go1.25.10"));
    await findPulumi(python());
    const caches = goCalls().map((line) => line.split(" | ")[1]);
    expect([...new Set(caches)]).toEqual([join(machine.cache, "go-workspace/build")]);
    expect(readdirSync(machine.cache).sort()).toEqual([
      "locks",
      "logs",
      "pulumi",
      "pulumi-lean",
      "python-go",
      "python-uv",
    ]);
    expect(readdirSync(join(machine.cache, "python-go"))).toEqual([]);
  });

  test("that fails leaves nothing, and the error says what else can be done", async () => {
    machine.program("go", 'if [ "$1" = env ]; then echo go1.26.8; exit; fi', "echo no network >&2", "exit 1");
    await expect(findPulumi(python())).rejects.toMatchObject({
      message: expect.stringMatching(/^`.*go mod download …`: exit code 1$/),
      log: join(machine.cache, "logs/build-pulumi.log"),
      remedy: expect.stringContaining("https://www.pulumi.com/docs/install"),
    });
    for (const name of ["pulumi", "pulumi-lean"]) expect(readdirSync(join(machine.cache, name))).toEqual([]);
  });
});

test("a list of checksums is read as sha256sum writes it", () => {
  const [a, b] = ["a".repeat(64), "b".repeat(64)];
  const list = `${a}  one.tar.gz\r\n${b} *two.tar.gz\nnonsense\n`;
  expect(checksumIn(list, "one.tar.gz")).toBe(a);
  expect(checksumIn(list, "two.tar.gz")).toBe(b);
  expect(() => checksumIn(list, "three.tar.gz")).toThrow("three.tar.gz is not in its publisher's list of checksums");
});
