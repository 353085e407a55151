import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * A company's mirrors, from which the local Docker builds images if it can't reach the public servers. Modal and Fly.io
 * build images on their own machines, and use none of this.
 */
export interface ImageSources {
  /** The base image. `{node}` is replaced by the version of Node; see `baseImageOf`. */
  readonly base?: string | undefined;
  /**
   * The address of a Debian archive. `{archive}` is replaced by `debian` or `debian-security`, and `{date}` by the day that
   * the image is pinned to. Without `{date}`, the packages are those of the day of the build.
   */
  readonly debianArchive?: string | undefined;
  readonly npmRegistry?: string | undefined;
  /** Certificates of a company's own authorities, as PEM. Every program in the container trusts them. */
  readonly certificates?: string | undefined;
}

/** The environment variables that set them. `dockerEnvironment` passes them on to what builds images. */
export const imageVariables = {
  base: "CHANGELINGS_IMAGE_BASE",
  debianArchive: "CHANGELINGS_IMAGE_DEBIAN",
  npmRegistry: "CHANGELINGS_IMAGE_NPM",
  /** The path of a PEM file. */
  certificates: "CHANGELINGS_IMAGE_CA",
} as const;

/** The image to start from. Without a mirror, Docker Hub's. @param nodeVersion such as 24.21.0 */
export function baseImageOf({ base }: ImageSources, nodeVersion: string): string {
  return base?.replaceAll("{node}", nodeVersion) ?? `node:${nodeVersion}-bookworm-slim`;
}

/** A line of a Dockerfile is 64 kB at most. Compressed, this is half of that. */
const mostCertificates = 40_000;

/** Reads the variables. @throws Error with all problems */
export function imageSources(env: NodeJS.ProcessEnv): ImageSources {
  const problems: string[] = [];
  const given = <Value>(name: string, parse: (value: string) => Value): Value | undefined => {
    const value = env[name];
    if (!value) return undefined;
    try {
      return parse(value);
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const sources = {
    base: given(imageVariables.base, imageName),
    debianArchive: given(imageVariables.debianArchive, archiveAddress),
    npmRegistry: given(imageVariables.npmRegistry, address),
    certificates: given(imageVariables.certificates, certificatesOf),
  };
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return sources;
}

function imageName(text: string): string {
  if (!/^[a-z0-9][a-zA-Z0-9._:/@-]*$/.test(text.replaceAll("{node}", "24.0.0"))) {
    throw new Error("is not the name of an image");
  }
  return text;
}

function archiveAddress(text: string): string {
  // Braces are escaped in an address.
  address(text.replaceAll(/\{(archive|date)\}/g, "$1"));
  if (!text.includes("{archive}")) {
    throw new Error("lacks {archive}, which becomes debian or debian-security: http://mirror.example.com/{archive}");
  }
  return text;
}

/** It becomes a part of the image, which every agent in it can read. */
function address(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error("is not an address such as https://host/path");
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw new Error(
      "must not contain credentials: every agent in the image could read them. Use a mirror that needs none",
    );
  }
  if (!/^[\w.:/@%~+[\]-]+$/.test(text)) throw new Error("contains characters that must be escaped in an address");
  return text;
}

const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** @returns the certificates alone: a PEM file can contain a private key too */
function certificatesOf(path: string): string {
  const found = readFileSync(path, "utf8").match(certificate) ?? [];
  if (found.length === 0) throw new Error(`${path} contains no certificate in PEM format`);
  for (const each of found) {
    if (!new X509Certificate(each).ca) throw new Error(`${path} contains a certificate that is not an authority's`);
  }
  const text = `${found.join("\n")}\n`;
  if (text.length > mostCertificates) {
    throw new Error(`${path} is too large; give the certificates of your own authorities alone`);
  }
  return text;
}
