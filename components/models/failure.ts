/** Why a CLI gave no answer. */
export interface CliFailure {
  /** `missing_api_key`: no credential, or one that the API rejects. */
  readonly code: "missing_api_key" | "over_budget" | "failed";
  /** The API's status; undefined if there was no request or no response, or the CLI does not report it. */
  readonly status: number | undefined;
  /** As the CLI or the API gave it. */
  readonly reason: string;
}
