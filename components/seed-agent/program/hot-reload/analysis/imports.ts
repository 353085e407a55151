import { posix } from "node:path";
import ts from "typescript";
import type { SourceDiagnostic, Sources } from "../../domain.ts";

/** Names that don't exist when the code runs, with the remedy. Rejecting them early gives a clear error. */
const refusedNames: ReadonlyMap<string, string> = new Map([
  ["require", "use a static import of one of your own files"],
  ["eval", "no code can be made from text; write the code"],
  ["Function", "no code can be made from text; write the function, and use the type (...) => ..."],
  ["process", "there is no process; use the context"],
  ["globalThis", "name what you need of it directly"],
  ["global", "name what you need of it directly"],
  ["module", "use export"],
  ["exports", "use export"],
  ["fetch", "there is no network"],
  ["WebSocket", "there is no network"],
  ["XMLHttpRequest", "there is no network"],
  ["Buffer", "use TextEncoder, TextDecoder, atob, btoa or Uint8Array"],
  ["WebAssembly", "write TypeScript"],
  ["Worker", "there is one thread"],
]);

const refusedProperties: ReadonlySet<string> = new Set([
  ...["getBuiltinModule", "_linkedBinding", "mainModule", "prepareStackTrace"],
]);

/** Checks the imports and names in a file, without following the imports. */
export function checkImports(source: ts.SourceFile, file: string, sources: Sources): SourceDiagnostic[] {
  const diagnostics: SourceDiagnostic[] = [];
  const isTest = file.endsWith(".test.ts");
  const report = (position: number, message: string) => {
    const { line } = source.getLineAndCharacterOfPosition(position);
    diagnostics.push({ file, line: line + 1, message });
  };

  const checkModule = (node: ts.Node, specifier: ts.Node | undefined, isTypeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) {
      report(node.getStart(source), "a module is named by an expression; name it by a literal string");
      return;
    }
    const problem = problemWith(specifier.text, { file, isTest, isTypeOnly, sources });
    if (problem !== undefined) report(specifier.getStart(source), problem);
  };

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      checkModule(node, node.moduleSpecifier, isTypeImport(node));
      if (node.attributes !== undefined) report(node.attributes.getStart(source), "import attributes are not allowed");
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      checkModule(node, node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isImportEqualsDeclaration(node)) {
      report(node.getStart(source), "import = is not allowed; write import … from");
    } else if (ts.isImportTypeNode(node)) {
      const { argument } = node;
      checkModule(node, ts.isLiteralTypeNode(argument) ? argument.literal : undefined, true);
    } else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
      report(node.getStart(source), "import.meta is not allowed");
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      report(node.getStart(source), "import() is not allowed; use a static import at the top of the file");
    } else if (
      ts.isModuleDeclaration(node) &&
      (ts.isStringLiteral(node.name) || (node.flags & ts.NodeFlags.GlobalAugmentation) !== 0)
    ) {
      report(
        node.getStart(source),
        "declare module and declare global are not allowed; declare types in your own files",
      );
    } else if (ts.isIdentifier(node)) {
      const remedy = refusedNames.get(node.text);
      if (remedy !== undefined && !isPropertyName(node))
        report(node.getStart(source), `${node.text} is not allowed: ${remedy}`);
    }
    const property = propertyOf(node);
    if (property !== undefined && refusedProperties.has(property)) {
      report(node.getStart(source), `${property} is not allowed: the code has no access to Node`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...diagnostics, ...checkComments(source, file)];
}

function problemWith(
  name: string,
  at: { readonly file: string; readonly isTest: boolean; readonly isTypeOnly: boolean; readonly sources: Sources },
): string | undefined {
  if (name === "seed") {
    return at.isTest || at.isTypeOnly ? undefined : '"seed" has only types here; write import type { … } from "seed"';
  }
  if (name === "node:assert/strict" || name === "assert/strict") {
    return at.isTest && name.startsWith("node:")
      ? undefined
      : '"node:assert/strict" can be imported in *.test.ts files only';
  }
  if (!name.startsWith("./") && !name.startsWith("../")) {
    return `the module ${JSON.stringify(name)} is not allowed; import your own files by relative paths ("./words.ts"), and types from "seed"`;
  }
  const target = posix.join(posix.dirname(at.file), name);
  if (!Object.hasOwn(at.sources, target)) {
    const withExtension = [`${target}.ts`, `${target}/index.ts`, target.replace(/\.js$/, ".ts")].find((path) =>
      Object.hasOwn(at.sources, path),
    );
    return `there is no file ${target}${withExtension === undefined ? "" : `; write the whole name: ${withExtension}`}`;
  }
  if (target.endsWith(".test.ts")) return `${target} is a test; nothing can import it`;
  return undefined;
}

function isTypeImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.length > 0 && namedBindings.elements.every(({ isTypeOnly }) => isTypeOnly);
}

/** Whether a node is only the name of a member: `a.process`, `{ process: 1 }`, `interface { process: string }`. */
function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isShorthandPropertyAssignment(parent)) return false;
  const isMember =
    ts.isPropertyAssignment(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isGetAccessorDeclaration(parent) ||
    ts.isSetAccessorDeclaration(parent) ||
    ts.isEnumMember(parent);
  if (isMember) return parent.name === node;
  return ts.isBindingElement(parent) && parent.propertyName === node;
}

function propertyOf(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    return node.argumentExpression.text;
  }
  if (!ts.isBindingElement(node)) return undefined;
  const name = node.propertyName ?? node.name;
  return ts.isIdentifier(name) || ts.isStringLiteralLike(name) ? name.text : undefined;
}

const refusedComments: readonly (readonly [RegExp, string])[] = [
  [
    /@ts-(nocheck|ignore|expect-error|check)\b/,
    "comments that switch the type check are not allowed; correct the type",
  ],
  [/^\/\/\/\s*</, "/// directives are not allowed; import what you need"],
  [/[#@]\s*sourceMappingURL\s*=/, "source maps are not allowed"],
  [/@(jsx|jsxFrag|jsxImportSource|jsxRuntime)\b/, "JSX is not allowed"],
];

function checkComments(source: ts.SourceFile, file: string): SourceDiagnostic[] {
  return commentsOf(source).flatMap(({ pos, end }) => {
    const text = source.text.slice(pos, end);
    const refused = refusedComments.find(([pattern]) => pattern.test(text));
    if (refused === undefined) return [];
    return [{ file, line: source.getLineAndCharacterOfPosition(pos).line + 1, message: refused[1] }];
  });
}

/** All comments of a file: they can be before any token. */
function commentsOf(source: ts.SourceFile): readonly ts.CommentRange[] {
  const found = new Map<number, ts.CommentRange>();
  const add = (ranges: readonly ts.CommentRange[] | undefined) => {
    for (const range of ranges ?? []) found.set(range.pos, range);
  };
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.JsxText) return;
    if (node.getChildCount(source) === 0) {
      add(ts.getLeadingCommentRanges(source.text, node.pos));
      add(ts.getTrailingCommentRanges(source.text, node.end));
      return;
    }
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  add(ts.getLeadingCommentRanges(source.text, 0));
  return [...found.values()];
}
