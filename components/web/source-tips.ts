import * as pulumi from "@pulumi/pulumi";
import { plainValue } from "../component.ts";
import { gitCredentials } from "../git/credentials.ts";
import { type Tip, tipsOf } from "../source/tip.ts";
import type { DeclaredWeb } from "./declared.ts";

/** Values of a changeling's secrets by variable name. GITHUB_TOKEN reads sources on github.com. */
export type SecretValues = (changeling: DeclaredWeb) => Readonly<Record<string, pulumi.Input<string>>>;

/** The tips of the source branches of web changelings. Warns about sources that git can't read. */
export async function sourceTips(
  changelings: readonly DeclaredWeb[],
  secretValues: SecretValues = () => ({}),
): Promise<(of: DeclaredWeb) => Tip | undefined> {
  const sources = changelings.flatMap((each) => (each.source === undefined ? [] : [{ ...each, repo: each.source }]));
  if (sources.length === 0) return () => undefined;
  const [token] = sources.flatMap((each) => secretValues(each)["GITHUB_TOKEN"] ?? []);
  const plain = token === undefined ? undefined : await plainValue(token);
  const found = await tipsOf(sources, {
    environment: process.env,
    checkRemotes: false,
    credentials: (url) => gitCredentials(url, plain),
  });
  const tips = new Map<string, Tip>();
  const warnings = new Set<string>();
  for (const source of sources) {
    const tip = found(source);
    if (tip === undefined) continue;
    if ("message" in tip) warnings.add(`${source.name}: ${tip.message}; ${tip.remedy}`);
    else tips.set(source.name, tip);
    if (!("message" in tip) && tip.isDirty) {
      warnings.add(`${source.name}: uncommitted changes in ${source.repo} are not deployed; commit them first`);
    }
  }
  if (warnings.size > 0) await pulumi.log.warn([...warnings].join("\n"));
  return ({ name }) => tips.get(name);
}
