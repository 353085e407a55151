import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseBuildArgs, shellWords } from "../../../components/fleet/build-args.ts";

const pairs = (...elements: string[]) => {
  const { args, problems } = parseBuildArgs(elements);
  expect(problems).toEqual([]);
  return args.map(({ key, value, index }) => `${index} ${key}=${value}`);
};

describe("build arguments", () => {
  it.each([
    [["cpu=2"], ["0 cpu=2"]],
    [["--cpu=2"], ["0 cpu=2"]],
    [["--cpu 2"], ["0 cpu=2"]],
    [["--cpu", "2"], ["0 cpu=2"]],
    [
      ["--cpu=2 memory=4", "gpu=a10g"],
      ["0 cpu=2", "0 memory=4", "1 gpu=a10g"],
    ],
    [["offline"], ["0 offline="]],
    [
      ["--offline", "cpu=2"],
      ["0 offline=", "1 cpu=2"],
    ],
    [
      ["secret=A", "secret=B"],
      ["0 secret=A", "1 secret=B"],
    ],
    [["docker-build-arg=VERSION=1=2"], ["0 docker-build-arg=VERSION=1=2"]],
    [["'docker-build-arg=FLAGS=-a -b'"], ["0 docker-build-arg=FLAGS=-a -b"]],
    [["volume=cache:/root/.cache"], ["0 volume=cache:/root/.cache"]],
    [
      ["cidr-allowlist=203.0.113.0/24", "cidr-allowlist=2001:db8::/32"],
      ["0 cidr-allowlist=203.0.113.0/24", "1 cidr-allowlist=2001:db8::/32"],
    ],
    [
      ["file=Dockerfile", "context-dir=.", "image=python:3.12", "region=us-east", "timeout=60", "memory=0.5"],
      [
        "0 file=Dockerfile",
        "1 context-dir=.",
        "2 image=python:3.12",
        "3 region=us-east",
        "4 timeout=60",
        "5 memory=0.5",
      ],
    ],
    [[], []],
    [["", " "], []],
  ])("%j are read", (elements, read) => expect(pairs(...elements)).toEqual(read));

  const all =
    "it accepts cpu, memory, gpu, region, image, file, context-dir, cidr-allowlist, secret, volume, docker-build-arg";

  it.each([
    [["--no-cache"], 0, 'the provider "modal" knows no build argument "--no-cache"', all],
    [["cpu=1", "--memry=2"], 1, 'the provider "modal" knows no build argument "--memry=2"', 'did you mean "memory=4"?'],
    [["mem=4"], 0, 'the provider "modal" knows no build argument "mem=4"', 'did you mean "memory=4"?'],
    [
      ["context_dir=."],
      0,
      'the provider "modal" knows no build argument "context_dir=."',
      'did you mean "context-dir=."?',
    ],
    [["cpu"], 0, 'the provider "modal" knows no build argument "cpu"', 'did you mean "cpu=2"?'],
    [["-c=2"], 0, 'the provider "modal" knows no build argument "-c=2"', all],
    [["--"], 0, 'the provider "modal" knows no build argument "--"', all],
    [["''"], 0, 'the provider "modal" knows no build argument ""', all],
    [["--cpu"], 0, '"cpu" has no value', 'write "cpu=2"'],
    [["--cpu", "memory=2"], 0, '"cpu" has no value', 'write "cpu=2"'],
    [["--gpu", "offline"], 0, '"gpu" has no value', 'write "gpu=a10g"'],
    [["gpu="], 0, '"gpu" has no value', 'write "gpu=a10g"'],
    [["offline=true"], 0, '"offline" takes no value', 'write "offline"'],
    [["cpu=two"], 0, '"two": "cpu" must be a number above 0', 'write "cpu=2"'],
    [["cpu=0"], 0, '"0": "cpu" must be a number above 0', 'write "cpu=2"'],
    [["--memory=-4"], 0, '"-4": "memory" must be a number above 0', 'write "memory=4"'],
    [["timeout=1h"], 0, '"1h": "timeout" must be a number of seconds', 'write "timeout=3600"'],
    [["secret=npm-token"], 0, '"npm-token": "secret" must be the name of a variable', 'write "secret=NPM_TOKEN"'],
    [
      ["volume=cache"],
      0,
      '"cache": "volume" must be the name of a volume, : and an absolute path',
      'write "volume=cache:/cache"',
    ],
    [
      ["docker-build-arg=VERSION"],
      0,
      '"VERSION": "docker-build-arg" must be KEY=VALUE',
      'write "docker-build-arg=NODE_VERSION=24"',
    ],
    [
      ["cidr-allowlist=203.0.113.0/33"],
      0,
      '"203.0.113.0/33": "cidr-allowlist" must be a range of addresses',
      'write "cidr-allowlist=203.0.113.0/24"',
    ],
    [
      ["cidr-allowlist=example.com/8"],
      0,
      '"example.com/8": "cidr-allowlist" must be a range of addresses',
      'write "cidr-allowlist=203.0.113.0/24"',
    ],
    [["cpu=1", "'gpu=a"], 1, '"\'gpu=a" ends within a quote, or with a backslash', "quote it as in a shell"],
  ])("%j are reported", (elements, index, message, remedy) => {
    expect(parseBuildArgs(elements).problems).toEqual([{ index, message, remedy }]);
  });

  const ofDocker = "it accepts cpu, memory, image, file, context-dir, docker-build-arg";

  it.each([
    ["gpu=a10g", 'the provider "docker" knows no build argument "gpu=a10g"', ofDocker],
    ["timeout=60", 'the provider "docker" knows no build argument "timeout=60"', ofDocker],
    ["offline", 'the provider "docker" knows no build argument "offline"', ofDocker],
    ["--cpus=2", 'the provider "docker" knows no build argument "--cpus=2"', 'did you mean "cpu=2"?'],
    ["memory=4g", '"4g": "memory" must be a number above 0', 'write "memory=4"'],
  ])("of docker's containers are fewer: %j is reported", (element, message, remedy) => {
    expect(parseBuildArgs([element], "docker").problems).toEqual([{ index: 0, message, remedy }]);
  });

  it("of docker's containers are read as those of Modal's", () => {
    const elements = ["cpu=2 --memory 0.5", "file=Dockerfile", "context-dir=.", "docker-build-arg=A=b", "image=x"];
    expect(parseBuildArgs(elements, "docker")).toEqual(parseBuildArgs(elements, "modal"));
    expect(parseBuildArgs(elements, "docker").problems).toEqual([]);
  });

  it("are equivalent in all their forms, beside any others", () => {
    const value = fc.stringMatching(/^[a-z0-9][a-z0-9 .:/"'$\\=-]{0,12}[a-z0-9]$/);
    const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    const forms = [
      (key: string, value: string) => [quoted(`${key}=${value}`)],
      (key: string, value: string) => [quoted(`--${key}=${value}`)],
      (key: string, value: string) => [`--${key} ${quoted(value)}`],
      (key: string, value: string) => [`--${key}`, quoted(value)],
    ];
    const arg = fc.record({ key: fc.constantFrom("gpu", "region", "image", "file", "context-dir"), value });
    fc.assert(
      fc.property(fc.array(fc.tuple(arg, fc.constantFrom(...forms))), (written) => {
        // In the two-word forms a value with `=` is an option to mngr.
        const sound = written.map(([{ key, value }, form]) => ({ key, form, value: value.replaceAll("=", "") }));
        const { args, problems } = parseBuildArgs(sound.flatMap(({ key, value, form }) => form(key, value)));
        expect(problems).toEqual([]);
        expect(args.map(({ key, value }) => ({ key, value }))).toEqual(sound.map(({ key, value }) => ({ key, value })));
      }),
    );
  });

  it("lose no element: each is parsed or reported", () => {
    const word = fc.oneof(fc.string(), fc.constantFrom("--cpu", "cpu=2", "offline", "--no-cache", "2", "--", "x y"));
    fc.assert(
      fc.property(fc.array(word), (elements) => {
        const { args, problems } = parseBuildArgs(elements);
        const spoken = new Set([...args, ...problems].map(({ index }) => index));
        for (const [index, element] of elements.entries()) {
          const isBlank = shellWords(element)?.length === 0;
          const before = elements.slice(0, index).flatMap((earlier) => shellWords(earlier) ?? []);
          const isValueOfLast = /^--[^=]+$/.test(before.at(-1) ?? "");
          expect([element, isBlank || isValueOfLast || spoken.has(index)]).toEqual([element, true]);
        }
      }),
    );
  });
});

describe("shellWords", () => {
  it.each([
    ["", []],
    [" \t\n", []],
    ["a  b\tc", ["a", "b", "c"]],
    ["'a b' \"c d\"", ["a b", "c d"]],
    ["a'b'\"c\"d", ["abcd"]],
    ["''", [""]],
    ["a\\ b \\'", ["a b", "'"]],
    ['"a\\"b\\\\c\\d"', ['a"b\\c\\d']],
    ["'a\\'", ["a\\"]],
    ["a#b # c", ["a#b", "#", "c"]],
    ["a\u00a0b", ["a\u00a0b"]],
  ])("%j is %j", (text, words) => expect(shellWords(text)).toEqual(words));

  it.each(["'a", '"a', "a\\", '"a\\"', "a 'b"])("%j has no end", (text) => expect(shellWords(text)).toBeUndefined());

  it("reads what was quoted", () => {
    const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom(..."ab'\"\\ \t\n$#ü=") })), (words) => {
        expect(shellWords(words.map(quoted).join(" "))).toEqual(words);
      }),
    );
  });
});
