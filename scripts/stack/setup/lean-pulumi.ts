import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { checkout, versions } from "./cache.mjs";

/*
 * Pulumi's CLI without the SDKs of clouds: backends in object stores, key management services, `pulumi logs` of cloud
 * resources and `pulumi api`. It compiles in about half of the time. The sources in go/pulumi/lean take their places
 * and say at use what is missing.
 *
 * It also starts in half of the processor time, because three modules prepare their tables at first use. At the start
 * of each command that took 90 of 180 ms.
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
  readonly lines?: readonly string[];
  /** Removed from one text up to another; "" is the end of the file. */
  readonly blocks?: readonly (readonly [from: string, upTo: string])[];
  readonly texts?: readonly (readonly [from: string, to: string])[];
}

export interface LeanModule {
  readonly module: string;
  /** As in go/pulumi/go.sum. */
  readonly version: string;
  readonly edits: readonly Edit[];
  /** Files and folders that are left out. */
  readonly leftOut?: readonly string[];
  /** A folder of sources that take the place of what is removed. */
  readonly sources?: string;
}

const PULUMI_EDITS: readonly Edit[] = [
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
 * The estimate of a password's strength, which is for the warning of `pulumi config set` alone, reads its lists of words
 * at first use, as it does already when they are missing.
 */
const ESTIMATE_EDITS: readonly Edit[] = [
  { file: "frequency/frequency.go", texts: [["func init() {", "// Load fills Lists.\nfunc Load() {"]] },
  {
    file: "matching/matching.go",
    blocks: [["func init() {\n\tloadFrequencyList()", "// Omnimatch runs"]],
    texts: [["func loadFrequencyList() {", "func loadFrequencyList() {\n\tfrequency.Load()"]],
  },
];

export const LEAN_MODULES: readonly LeanModule[] = [
  {
    module: PACKAGE,
    version: `v${versions.pulumi}`,
    edits: PULUMI_EDITS,
    leftOut: LEFT_OUT,
    sources: join(checkout, "scripts/stack/setup/go/pulumi/lean"),
  },
  {
    module: "github.com/nbutton23/zxcvbn-go",
    version: "v0.0.0-20180912185939-ae427f1e4c1d",
    edits: ESTIMATE_EDITS,
  },
  { module: "github.com/ccojocar/zxcvbn-go", version: "v1.0.1", edits: ESTIMATE_EDITS },
  {
    // Computes the width of a character when it is asked for, not of all two million at the start.
    module: "github.com/mattn/go-runewidth",
    version: "v0.0.27",
    edits: [
      {
        file: "runewidth.go",
        lines: ["\tinitStrictWidthLUT()"],
        blocks: [
          ["\tif c.StrictEmojiNeutral {\n\t\tif c.EastAsianWidth", "\treturn runeWidthNoLUT(r, c.EastAsianWidth"],
        ],
      },
    ],
  },
];

/**
 * @param original the module, as Go downloaded it
 * @param folder where the lean module is written
 */
export function writeLeanModule(lean: LeanModule, original: string, folder: string): void {
  const { module, edits, leftOut = [], sources } = lean;
  // Tests and their data are most of Pulumi's module.
  const isNeeded = (path: string): boolean =>
    !path.endsWith("_test.go") &&
    !path.includes("/testdata/") &&
    !leftOut.some((out) => `${path}/`.startsWith(`${out}/`));
  const editOf = new Map(edits.map((edit) => [edit.file, edit]));
  // A module from before there was go.mod has none, and `replace` requires one.
  write(join(folder, "go.mod"), `module ${module}\n`);
  for (const path of filesBelow(original).filter(isNeeded)) {
    const edit = editOf.get(path);
    const content = readFileSync(join(original, path));
    write(join(folder, path), edit === undefined ? content : edited(content.toString("utf8"), edit));
  }
  if (sources === undefined) return;
  for (const path of filesBelow(sources)) {
    write(
      join(folder, path),
      readFileSync(join(sources, path), "utf8").replaceAll(`"LEAN_REMEDY"`, JSON.stringify(LEAN_REMEDY)),
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

function edited(text: string, { file, lines = [], blocks = [], texts = [] }: Edit): string {
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
  for (const [from, to] of texts) {
    const start = placeOf(from, result, file);
    result = result.slice(0, start) + to + result.slice(start + from.length);
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
