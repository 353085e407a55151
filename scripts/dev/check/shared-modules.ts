/**
 * Finds tests that replace modules although they share those of a worker with other files (see vitest.config.ts): whether
 * the replacement has an effect, and on whom, would depend on the order of the files.
 *
 * @param files tests, relative to the project
 * @returns each place with the remedy
 */
export function sharedReplacements(files: readonly string[], textOf: (file: string) => string): string[] {
  return files
    .filter((file) => file.startsWith("test/unit/") && /(?<!\.(isolated|long))\.test\.ts$/.test(file))
    .flatMap((file) =>
      textOf(file)
        .split("\n")
        .flatMap((line, index) =>
          /\bvi\.(do)?[mM]ock\(/.test(line)
            ? [`${file}:${index + 1}: replaces a module that other tests share; name the file *.isolated.test.ts`]
            : [],
        ),
    );
}
