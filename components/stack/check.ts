/** The result of one check of `doctor`. */
export interface Check {
  readonly name: string;
  /** `failed` must be repaired; a `warning` may be worth knowing. */
  readonly status: "ok" | "warning" | "failed";
  readonly detail: string;
  /** What to do; undefined if nothing. */
  readonly remedy?: string;
}

export function ok(name: string, detail: string): Check {
  return { name, status: "ok", detail };
}

export function warning(name: string, detail: string, remedy?: string): Check {
  return { name, status: "warning", detail, ...(remedy === undefined ? {} : { remedy }) };
}

export function failed(name: string, detail: string, remedy?: string): Check {
  return { ...warning(name, detail, remedy), status: "failed" };
}
