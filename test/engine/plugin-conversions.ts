import pb from "@pulumi/pulumi/proto/provider_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { z } from "zod/mini";
import { type Bag, bag, type Request } from "./plugin-messages.ts";

const diffKinds = ["ADD", "ADD_REPLACE", "DELETE", "DELETE_REPLACE", "UPDATE", "UPDATE_REPLACE"];
const changes = ["DIFF_UNKNOWN", "DIFF_NONE", "DIFF_SOME"];

export const toStruct = (value: Bag | undefined) => struct.Struct.fromJavaScript(value ?? {});
export const fromStruct = (value: struct.Struct | undefined) => (value ? bag.parse(value.toJavaScript()) : {});
export const failures = (list: pb.CheckFailure[]) =>
  list
    .map((failure) => ({ property: failure.getProperty(), reason: failure.getReason() }))
    .sort((a, b) => a.property.localeCompare(b.property));

/** Of a schema the shapes of what both plugins serve, without the descriptions. */
export function shapes(schema: string): Bag {
  const plain = JSON.parse(schema, (key, value: unknown) => (key === "description" ? undefined : value));
  const { resources, functions, types } = z.object({ resources: bag, functions: bag, types: bag }).parse(plain);
  const pick = (from: Bag, name: string) => from[name] ?? null;
  return {
    command: pick(resources, "command:local:Command"),
    run: pick(functions, "command:local:run"),
    logging: pick(types, "command:local:Logging"),
  };
}

export function diffRequest(id: string, urn: string, message: Request): pb.DiffRequest {
  const body = new pb.DiffRequest();
  body.setId(id).setUrn(urn).setOlds(toStruct(message.olds)).setNews(toStruct(message.news));
  return body.setOldInputs(toStruct(message.oldInputs)).setIgnorechangesList(message.ignoreChanges ?? []);
}

export function fromDiff(response: pb.DiffResponse): Bag {
  const detailed: [string, string][] = [];
  response.getDetaileddiffMap().forEach((diff, path) => {
    detailed.push([path, `${diffKinds[diff.getKind()]}${diff.getInputdiff() ? " input" : ""}`]);
  });
  return {
    changes: changes[response.getChanges()] ?? "",
    diffs: response.getDiffsList().sort(),
    replaces: response.getReplacesList().sort(),
    stables: response.getStablesList().sort(),
    deleteBeforeReplace: response.getDeletebeforereplace(),
    hasDetailedDiff: response.getHasdetaileddiff(),
    detailedDiff: Object.fromEntries(detailed.sort()),
  };
}
