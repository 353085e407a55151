import * as z from "zod/mini";
import { HttpApi, HttpError } from "./http-api.ts";
import { pullRequestOf } from "./job-environment.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A comment of a pull request. */
export interface Comment {
  readonly id: number;
  readonly body: string;
  /** Login of the author. */
  readonly author: string;
}

/** The pull request (or merge request) that this job runs for, and its discussion. */
export interface Forge {
  /** "pull request 12" */
  readonly place: string;
  /** True if the token is known to be read-only: a pull request from a fork on GitHub. */
  readonly mayOnlyRead: boolean;
  /** The login that this job's comments have. */
  me(): Promise<string>;
  /** Oldest first. */
  comments(): AsyncIterable<Comment>;
  add(body: string): Promise<void>;
  edit(id: number, body: string): Promise<void>;
}

/** @throws if this job runs for no pull request, or has no token */
export function forgeOf(env: Environment): Forge {
  if (env["GITHUB_REPOSITORY"] !== undefined) return github(env);
  if (env["CI_MERGE_REQUEST_IID"] !== undefined) return gitlab(env);
  throw new Error(
    "no pull request to comment on: run this in a job of a pull request, where GitHub Actions (GITHUB_REPOSITORY, " +
      "GITHUB_EVENT_PATH, GITHUB_TOKEN) or GitLab CI (CI_MERGE_REQUEST_IID, GITLAB_TOKEN) set these variables",
  );
}

/** All comments by Actions' own token have this author. Such a token may not request its own login. */
const actionsLogin = "github-actions[bot]";

const githubComments = z.array(
  z.object({ id: z.number(), body: z.nullish(z.string()), user: z.nullish(z.object({ login: z.string() })) }),
);

function github(env: Environment): Forge {
  const pull = pullRequestOf(env);
  if (pull === undefined) throw new Error("no pull request to comment on: GITHUB_EVENT_PATH describes another event");
  const api = new HttpApi(env["GITHUB_API_URL"] ?? "https://api.github.com", {
    authorization: `Bearer ${required(env, "GITHUB_TOKEN", "pass the job's own, github.token")}`,
    accept: "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
  });
  const repo = `/repos/${required(env, "GITHUB_REPOSITORY", "run this in a job")}`;
  return {
    place: `pull request ${pull.number}`,
    mayOnlyRead: pull.isFromFork,
    async me() {
      try {
        return z.object({ login: z.string() }).parse((await api.send("GET", "/user")).body).login;
      } catch (error) {
        if (error instanceof HttpError && error.status === 403) return actionsLogin;
        throw error;
      }
    },
    async *comments() {
      for await (const page of api.pages(`${repo}/issues/${pull.number}/comments?per_page=100`)) {
        for (const { id, body, user } of githubComments.parse(page)) {
          yield { id, body: body ?? "", author: user?.login ?? "" };
        }
      }
    },
    add: async (body) => void (await api.send("POST", `${repo}/issues/${pull.number}/comments`, { body })),
    edit: async (id, body) => void (await api.send("PATCH", `${repo}/issues/comments/${id}`, { body })),
  };
}

const gitlabNotes = z.array(z.object({ id: z.number(), body: z.string(), author: z.object({ username: z.string() }) }));

function gitlab(env: Environment): Forge {
  const remedy = "a project access token with the scope api and the role Reporter, as a masked CI/CD variable";
  const api = new HttpApi(required(env, "CI_API_V4_URL", "run this in a job"), {
    "private-token": required(env, "GITLAB_TOKEN", remedy),
  });
  const number = required(env, "CI_MERGE_REQUEST_IID", "run this in a merge request's pipeline");
  const project = encodeURIComponent(required(env, "CI_MERGE_REQUEST_PROJECT_ID", "run this in a job"));
  const notes = `/projects/${project}/merge_requests/${encodeURIComponent(number)}/notes`;
  return {
    place: `merge request ${number}`,
    mayOnlyRead: false,
    me: async () => z.object({ username: z.string() }).parse((await api.send("GET", "/user")).body).username,
    async *comments() {
      for await (const page of api.pages(`${notes}?per_page=100&sort=asc`)) {
        for (const { id, body, author } of gitlabNotes.parse(page)) yield { id, body, author: author.username };
      }
    },
    add: async (body) => void (await api.send("POST", notes, { body })),
    edit: async (id, body) => void (await api.send("PUT", `${notes}/${id}`, { body })),
  };
}

function required(env: Environment, name: string, remedy: string): string {
  const value = env[name];
  if (!value) throw new Error(`${name} is not set: ${remedy}`);
  return value;
}
