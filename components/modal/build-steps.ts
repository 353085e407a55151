/** The build output that is printed as progress. The engine repeats all output of a failed Command before its error. */
const buildStep = /^(Building image|=> Step|Built image) /;

/**
 * Prints the steps of image builds, line by line. Modal builds an image once, and streams the build to every deployment
 * that needs it. Of several concurrent deployments, one prints the steps, and the others only the result.
 *
 * @param isOurs whether this process prints an image's build; called once per image
 */
export function buildSteps(print: (line: string) => void, isOurs: (image: string) => boolean): (line: string) => void {
  const elsewhere = new Set<string>();
  let isPrinted = true;
  return (line) => {
    if (!buildStep.test(line)) return;
    const [, word, image = ""] = /^(Building|Built) image (im-\w+)/.exec(line) ?? [];
    if (word === "Building") {
      isPrinted = isOurs(image);
      if (!isPrinted && elsewhere.size === 0) print("another deployment is building an image that this one needs too");
      if (!isPrinted) elsewhere.add(image);
    }
    if (isPrinted && !(word === "Built" && elsewhere.has(image))) print(line);
  };
}
