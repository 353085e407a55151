import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/*
 * Pulumi's CLI without the SDKs of clouds: backends in object stores, key management services, `pulumi logs` of cloud
 * resources and `pulumi api`. It compiles in about half of the time. The sources in go/pulumi/lean take their places
 * and say at use what is missing.
 */

/** What an error of the lean CLI ends with. */
export const LEAN_REMEDY =
  "Get the complete CLI with `npm run setup -- --full` in the checkout of changelings, or install it: https://www.pulumi.com/docs/install";

const PACKAGE = "github.com/pulumi/pulumi/pkg/v3";

/** Files and folders of Pulumi's `pkg` module that are left out. */
const LEFT_OUT = [
  "authhelpers",
  "operations/operations_aws.go",
  "operations/operations_cloud_aws.go",
  "operations/operations_gcp.go",
];

interface Edit {
  readonly file: string;
  /** Texts that are on one line each, which is removed. */
  readonly lines: readonly string[];
  /** Removed from one text up to another; "" is the end of the file. */
  readonly blocks: readonly (readonly [from: string, upTo: string])[];
}

export const LEAN_EDITS: readonly Edit[] = [
  {
    file: "backend/diy/backend.go",
    lines: [
      `"gocloud.dev/blob/azureblob"`,
      `"gocloud.dev/blob/gcsblob"`,
      `_ "gocloud.dev/blob/s3blob"`,
      `"${PACKAGE}/authhelpers"`,
    ],
    blocks: [["\t// for gcp we want to support additional credentials", "\tbucket, err := blobmux.OpenBucket(ctx, u)"]],
  },
  {
    file: "backend/diy/bucket.go",
    lines: [`"net/url"`, `awss3 "github.com/aws/aws-sdk-go-v2/service/s3"`],
    blocks: [
      ["\t\tvar input *awss3.CopyObjectInput", "\t\tif beforeCopy != nil {"],
      ["// fixupS3CopySource rewrites", "func (b *wrappedBucket) Delete("],
    ],
  },
  {
    file: "cmd/pulumi/cloud/schema.go",
    lines: [
      `"fmt"`,
      `"maps"`,
      `"slices"`,
      `"sort"`,
      `"github.com/pb33f/libopenapi/datamodel/high/base"`,
      `"github.com/pb33f/libopenapi/orderedmap"`,
      `"go.yaml.in/yaml/v4"`,
    ],
    blocks: [
      ["// schemaRenderer renders libopenapi schemas", "// markdownEnumTail returns"],
      ["// nonNil returns s or a zero-value schema", ""],
    ],
  },
  {
    file: "cmd/pulumi/cloud/spec.go",
    lines: [
      `"fmt"`,
      `"slices"`,
      `"sort"`,
      `"strings"`,
      `"github.com/pb33f/libopenapi"`,
      `"github.com/pb33f/libopenapi/datamodel/high/base"`,
      `v3high "github.com/pb33f/libopenapi/datamodel/high/v3"`,
      `"github.com/pb33f/libopenapi/orderedmap"`,
      `"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"`,
    ],
    blocks: [["func parseIndex(data []byte)", ""]],
  },
  {
    file: "operations/resources.go",
    lines: [`"strings"`],
    blocks: [["func (ops *resourceOperations) getOperationsProvider(", ""]],
  },
  {
    file: "secrets/cloud/manager.go",
    lines: [
      `_ "gocloud.dev/secrets/awskms"`,
      `_ "gocloud.dev/secrets/azurekeyvault"`,
      `"gocloud.dev/secrets/gcpkms"`,
      `_ "gocloud.dev/secrets/hashivault"`,
      `"google.golang.org/api/cloudkms/v1"`,
      `"${PACKAGE}/authhelpers"`,
    ],
    blocks: [["\tcase gcpkms.Scheme:", "\tdefault:\n\t\treturn gosecrets.OpenKeeper"]],
  },
];

/**
 * @param module Pulumi's `pkg` module, as Go downloaded it
 * @param lean the sources that take the place of what is removed
 * @param folder where the lean module is written
 */
export function writeLeanModule(module: string, lean: string, folder: string): void {
  // Tests and their data are most of the module.
  const isNeeded = (path: string): boolean =>
    !path.endsWith("_test.go") &&
    !path.includes("/testdata/") &&
    !LEFT_OUT.some((out) => `${path}/`.startsWith(`${out}/`));
  const edits = new Map(LEAN_EDITS.map((edit) => [edit.file, edit]));
  for (const path of filesBelow(module).filter(isNeeded)) {
    const edit = edits.get(path);
    const content = readFileSync(join(module, path));
    write(join(folder, path), edit === undefined ? content : edited(content.toString("utf8"), edit));
  }
  for (const path of filesBelow(lean)) {
    write(
      join(folder, path),
      readFileSync(join(lean, path), "utf8").replaceAll(`"LEAN_REMEDY"`, JSON.stringify(LEAN_REMEDY)),
    );
  }
}

/** Not by `cpSync`: Go makes what it downloads read-only, folders too. */
function write(file: string, content: Buffer | string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function edited(text: string, { file, lines, blocks }: Edit): string {
  let result = text;
  for (const [from, upTo] of blocks) {
    const start = placeOf(from, result, file);
    const end = upTo === "" ? result.length : result.indexOf(upTo, start);
    if (end < 0) throw new Error(`${file} does not contain ${JSON.stringify(upTo)}`);
    result = result.slice(0, start) + result.slice(end);
  }
  for (const line of lines) {
    const start = result.lastIndexOf("\n", placeOf(line, result, file));
    result = result.slice(0, start) + result.slice(result.indexOf("\n", start + 1));
  }
  return result;
}

/** The version is pinned, so a text that is not there exactly once is a mistake in the table above. */
function placeOf(text: string, whole: string, file: string): number {
  const place = whole.indexOf(text);
  if (place < 0 || whole.indexOf(text, place + 1) >= 0) {
    throw new Error(`${file} does not contain exactly one ${JSON.stringify(text)}`);
  }
  return place;
}
