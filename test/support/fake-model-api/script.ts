/** One line of a prompt that says what to answer. */
export interface Step {
  readonly kind: string;
  readonly rest: string;
  /** Text before it in the same message. */
  readonly first?: string;
}

/** What a conversation asks the fake to do now. */
export interface Script {
  /** The last prompt. */
  readonly text: string;
  readonly step: Step;
  /** Distinguishes the requests of a prompt, except retries. */
  readonly key: string;
}

/** @param results how many tool calls of the prompt are done */
export function scriptOf(text: string, results: number): Script {
  const steps: Step[] = [];
  let first: string | undefined;
  for (const [, kind = "", rest = ""] of text.matchAll(/^(?:\w+: )?@@(\w+)[ \t]*(.*)$/gm)) {
    if (kind === "first") first = rest.trim();
    else {
      steps.push({ kind, rest: rest.trim(), ...(first === undefined ? {} : { first: newlines(first) }) });
      first = undefined;
    }
  }
  const step = steps[Math.min(results, steps.length - 1)];
  return {
    text,
    step: step ?? { kind: "echo", rest: `You said: ${text.trim().slice(0, 200)}` },
    key: `${text}#${results}`,
  };
}

export function newlines(text: string): string {
  return text.replaceAll("\\n", "\n");
}

/** Splits at the first space. */
export function headAndTail(text: string): [string, string] {
  const [, head = "", tail = ""] = /^(\S*)\s*(.*)$/s.exec(text) ?? [];
  return [head, tail];
}

export function words(text: string): string[] {
  return text.match(/\s*\S+\s*/g) ?? [text];
}
