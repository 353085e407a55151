/** The result of one doctor check. */
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

export function checkText({ name, status, detail, remedy }: Check): string {
  const mark = { ok: "ok     ", warning: "warning", failed: "FAILED " }[status];
  return `${mark}  ${name}: ${detail}${remedy === undefined ? "" : `\n         ${remedy}`}`;
}

export interface DoctorOptions {
  /** Also reads each app's history. */
  readonly deep: boolean;
}
