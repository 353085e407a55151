import { isRepoUrl } from "../git/repo-name.ts";
import { personSettingsFiles, readMngrSettings, repoSettingsFiles } from "../mngr/settings.ts";
import type { AgentKnowledge } from "./agent-checks.ts";
import { AgentTypes, stockWebTypes } from "./agent-types.ts";
import type { CronProvider } from "./changeling.ts";

/** What is known of the agents of a fleet's changelings; each settings file is read once. */
export interface AgentFinder {
  /** @param repo absolute path or URL; undefined: of the person's settings alone */
  forCron(provider: CronProvider, repo: string | undefined): AgentKnowledge;
  /** @param source absolute path or URL; undefined: its repo is made from scratch */
  forWeb(source: string | undefined): AgentKnowledge;
}

export function agentFinder(
  profile: string | undefined,
  home: string,
  environment: Readonly<Record<string, string | undefined>>,
): AgentFinder {
  const known = new Map<string, AgentKnowledge>();
  const personal = personSettingsFiles({ home, profile, environment });
  const once = (key: readonly string[], find: () => AgentKnowledge): AgentKnowledge => {
    const found = known.get(key.join(" ")) ?? find();
    known.set(key.join(" "), found);
    return found;
  };
  const settingsOf = (repo: string | undefined) =>
    readMngrSettings([...personal, ...(repo === undefined ? [] : repoSettingsFiles(repo, environment))]);
  const ofRepo = { settingsFile: ".mngr/settings.toml", isOwnAlone: false };

  return {
    forCron(provider, repo) {
      // Where the schedule fires there is no repository: the person's settings are all that counts.
      if (provider === "modal") {
        return once(["cron", "on modal"], () => {
          const settings = settingsOf(undefined);
          const settingsFile = personal[0] ?? "your mngr settings";
          const isComplete = personal.length > 0;
          return { ...settings, types: new AgentTypes(settings), isComplete, settingsFile, isOwnAlone: true };
        });
      }
      const here = repo === undefined || isRepoUrl(repo) ? undefined : repo;
      return once(["cron", here ?? "elsewhere"], () => {
        const settings = settingsOf(here);
        return { ...settings, types: new AgentTypes(settings), isComplete: here !== undefined, ...ofRepo };
      });
    },
    forWeb(source) {
      const isElsewhere = source !== undefined && isRepoUrl(source);
      return once(["web", source === undefined ? "from scratch" : isElsewhere ? "elsewhere" : source], () => {
        const settings = settingsOf(isElsewhere ? undefined : source);
        const types = new AgentTypes(settings, stockWebTypes());
        return { ...settings, types, isComplete: !isElsewhere, ...ofRepo };
      });
    },
  };
}
