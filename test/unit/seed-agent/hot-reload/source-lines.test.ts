import { SourceMap } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compile } from "../../../../components/seed-agent/program/hot-reload/compile.ts";
import { diagnose, firstPosition, locate } from "../../../../components/seed-agent/program/hot-reload/source-lines.ts";

const words = Array.from(
  { length: 30 },
  (_, index) => `\n// ${index}\nexport const w${index} = () => { throw new Error("${index}") };`,
);
const compiled = await compile({
  "handle.ts": `import * as words from "./lib/words.ts";\n\nexport default (name: keyof typeof words) => words[name]();\n`,
  "lib/words.ts": words.join("\n"),
});
if (!("built" in compiled)) throw new Error(JSON.stringify(compiled.diagnostics));
const { bundle } = compiled.built;
const lines = bundle.split("\n");

test("positions are those of Node's own source maps", () => {
  const encoded = /base64,(.*)$/m.exec(bundle)?.[1] ?? "";
  const map = new SourceMap(JSON.parse(Buffer.from(encoded, "base64").toString("utf8")));
  const position = fc
    .nat(lines.length - 2)
    .chain((line) => fc.tuple(fc.constant(line), fc.nat(lines[line]?.length ?? 0)));
  fc.assert(
    fc.property(position, ([line, column]) => {
      const entry = map.findEntry(line, column);
      // Node goes back to lines before; and the entry is no source.
      const isHere = "generatedLine" in entry && entry.generatedLine === line && entry.originalSource.endsWith(".ts");
      const expected = isHere
        ? { file: entry.originalSource.replace("version:", ""), line: entry.originalLine + 1 }
        : {};
      expect(firstPosition(`    at x (agent.cjs:${line + 1}:${column + 1})`, bundle)).toEqual(expected);
    }),
  );
});

test("an invalid stack, bundle or map is reported without a line", () => {
  expect(locate("Error: x", bundle)).toBe("Error: x");
  expect(locate("Error: x\n    at agent.cjs:99999:1", bundle)).toBe("Error: x");
  expect(locate("Error: x\n    at agent.cjs:1:1", "no map")).toBe("Error: x");
  expect(locate("Error: x\n    at agent.cjs:1:1", "//# sourceMappingURL=data:application/json;base64,AAAA")).toBe(
    "Error: x",
  );
  expect(diagnose("", bundle)).toEqual({ message: "threw an error without a message" });
});
