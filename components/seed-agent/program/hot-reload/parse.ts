import type { SourceDiagnostic, Sources } from "../domain.ts";

const maxFiles = 200;
/** The limit of all files together, in bytes. */
const maxBytes = 1024 * 1024;
const maxPathLength = 200;

const path = /^(?:[A-Za-z0-9][\w-]*\/)*[A-Za-z0-9][\w-]*(?:\.[\w-]+)*\.ts$/;

/** Checks the number, size and names of the files. Their text is parsed later. */
export function checkFiles(sources: Sources): SourceDiagnostic[] {
  const files = Object.keys(sources);
  const bytes = Object.values(sources).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return [
    ...(files.length > maxFiles
      ? [{ message: `there are ${files.length} files; at most ${maxFiles} are allowed` }]
      : []),
    ...(bytes > maxBytes
      ? [{ message: `the files have ${bytes} bytes together; at most ${maxBytes} are allowed` }]
      : []),
    ...(Object.hasOwn(sources, "handle.ts")
      ? []
      : [{ file: "handle.ts", message: "handle.ts is missing: its default export answers requests; add it" }]),
    ...files.flatMap((file) => checkPath(file)),
    ...sameInLowerCase(files),
    ...Object.entries(sources).flatMap(([file, text]) => checkText(file, text)),
  ];
}

function checkPath(file: string): SourceDiagnostic[] {
  const shown = file.slice(0, maxPathLength);
  if (file.endsWith(".d.ts"))
    return [{ file: shown, message: "declaration files are not allowed; put types into a .ts file" }];
  if (file.length > maxPathLength)
    return [{ file: shown, message: `the path is longer than ${maxPathLength} characters` }];
  if (path.test(file)) return [];
  return [
    {
      file: shown,
      message:
        'the path is not allowed: it must be relative, end with ".ts", and consist of names of letters, digits, "-", "_" and "." that begin with a letter or a digit, such as "lib/words.ts"',
    },
  ];
}

/** Some file systems can't tell such files apart. */
function sameInLowerCase(files: readonly string[]): SourceDiagnostic[] {
  const seen = new Map<string, string>();
  return files.flatMap((file) => {
    const other = seen.get(file.toLowerCase());
    seen.set(file.toLowerCase(), file);
    return other === undefined ? [] : [{ file, message: `the path differs from ${other} only in case; rename one` }];
  });
}

function checkText(file: string, text: string): SourceDiagnostic[] {
  if (text.includes("\0")) return [{ file, message: "the text contains a NUL character; remove it" }];
  if (!text.isWellFormed()) return [{ file, message: "the text is not valid Unicode: it has half a surrogate pair" }];
  return [];
}
