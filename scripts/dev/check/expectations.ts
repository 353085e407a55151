import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/**
 * Finds regular expressions used as a value in `toMatchObject`. vitest treats them as objects without properties, which match
 * any value, so such a test can't fail. Use `expect.stringMatching(/…/)` instead.
 *
 * @param files tests, relative to `folder`
 * @returns each place with the remedy
 */
export function vacuousExpectations(folder: string, files: readonly string[]): string[] {
  return files.flatMap((file) => placesIn(file, readFileSync(join(folder, file), "utf8")));
}

export function placesIn(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const places: string[] = [];
  const lookIn = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      const pattern = node.getText();
      places.push(`${file}:${line + 1}: ${pattern} matches any value; write expect.stringMatching(${pattern})`);
    }
    if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) ts.forEachChild(node, lookIn);
  };
  const walk = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      if (node.expression.name.text === "toMatchObject") node.arguments.forEach(lookIn);
    }
    ts.forEachChild(node, walk);
  };
  walk(source);
  return places;
}
