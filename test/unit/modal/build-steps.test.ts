import { expect, it } from "vitest";
import { buildSteps } from "../../../components/modal/build-steps.ts";

const build = (image: string) => [
  `Building image ${image}`,
  "=> Step 0: FROM base",
  "downloading a wheel",
  `Built image ${image} in 0.32s`,
];
const shown = (lines: readonly string[], isOurs: (image: string) => boolean) => {
  const printed: string[] = [];
  const steps = buildSteps((line) => printed.push(line), isOurs);
  for (const line of lines) steps(line);
  return printed;
};

it("prints the steps of a build, and nothing of what they print", () => {
  expect(shown(build("im-a"), () => true)).toEqual([
    "Building image im-a",
    "=> Step 0: FROM base",
    "Built image im-a in 0.32s",
  ]);
});

it("prints a build once, in one of the processes that need the image", () => {
  const claimed = new Set<string>();
  const claim = (image: string) => claimed.size < claimed.add(image).size;
  const lines = [...build("im-a"), ...build("im-b")];
  expect(shown(lines, claim)).toHaveLength(6);
  expect(shown(lines, claim)).toEqual(["another deployment is building an image that this one needs too"]);
  expect(shown([...lines, ...build("im-c")], claim)).toEqual([
    "another deployment is building an image that this one needs too",
    "Building image im-c",
    "=> Step 0: FROM base",
    "Built image im-c in 0.32s",
  ]);
});
