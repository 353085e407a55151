import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * Where Docker's build of the image gets its parts from: a company's mirrors, for a machine that can't reach the public
 * servers. Modal builds on its own machines, and needs none of this.
 */
export interface ImageSources {
  /** The name of the image to start from; by default `baseImage` of Docker Hub. */
  readonly base?: string | undefined;
  /**
   * The address of a Debian archive. `{archive}` is replaced by `debian` or `debian-security`, and `{date}` for the day that
   * the image is pinned to. Without `{date}` the packages are those of the day of the build.
   */
  readonly debianArchive: string;
  readonly npmRegistry?: string | undefined;
  /** Certificates of a company's own authorities, as PEM. Every program in the sandbox trusts them. */
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

/** Debian's archive of all its versions. */
export const publicSources: ImageSources = { debianArchive: "http://snapshot.debian.org/archive/{archive}/{date}" };

/** A line of a Dockerfile is 64 kB at most. Compressed, this is half of that. */
const mostCertificates = 40_000;

/** @throws Error with all that is wrong with them */
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
  const { debianArchive, ...others } = imageVariables;
  const sources = {
    base: given(others.base, imageName),
    debianArchive: given(debianArchive, archiveAddress) ?? publicSources.debianArchive,
    npmRegistry: given(others.npmRegistry, address),
    certificates: given(others.certificates, certificatesOf),
  };
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return sources;
}

function imageName(text: string): string {
  if (!/^[a-z0-9][a-zA-Z0-9._:/@-]*$/.test(text)) throw new Error("is not the name of an image");
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

/** It becomes a part of the image, which every sandbox can read. */
function address(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error("is not an address such as https://host/path");
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw new Error("must not contain credentials: every sandbox could read them. Use a mirror that needs none");
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
