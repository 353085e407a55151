import type * as pulumi from "@pulumi/pulumi";

/** The engine then sees one thing under a new name: the old one is removed and the new one made in one update. */
export function withAlias<Options extends pulumi.ResourceOptions>(opts: Options, former: string | undefined): Options {
  return former === undefined ? opts : { ...opts, aliases: [...(opts.aliases ?? []), { name: former }] };
}
