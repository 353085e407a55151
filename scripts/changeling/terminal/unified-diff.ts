import { styleText } from "node:util";
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import { withoutSecrets } from "../../../components/lib/literal-secrets.ts";
import { plainWords } from "../../../components/lib/text.ts";

/** A unified diff of a file's edit, like `diff -u`; empty if nothing changes. Likely secret values are redacted. */
export function unifiedDiff(file: string, before: string, after: string): string {
  if (before === after) return "";
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY };
  const patch = createTwoFilesPatch(file, file, before, after, undefined, undefined, options);
  return withoutSecrets(patch.trimEnd());
}

/** Uses the usual diff colours, if the stream supports colours. */
export function colouredDiff(diff: string, stream: NodeJS.WriteStream): string {
  const colour = (line: string) => {
    if (/^(---|\+\+\+) /.test(line)) return styleText("bold", line, { stream });
    if (line.startsWith("+")) return styleText("green", line, { stream });
    if (line.startsWith("-")) return styleText("red", line, { stream });
    return line.startsWith("@@") ? styleText("cyan", line, { stream }) : line;
  };
  return plainWords(diff).split("\n").map(colour).join("\n");
}
