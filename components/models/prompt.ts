import { InvalidPromptError, type LanguageModelV4Prompt, UnsupportedFunctionalityError } from "@ai-sdk/provider";

/** The prompt that a CLI gets. */
export interface TextPrompt {
  readonly system: string;
  readonly text: string;
}

/**
 * A conversation as one text. A single message is sent as it is. Several are put between tags, which are escaped within
 * messages.
 *
 * @throws UnsupportedFunctionalityError for files and tools: leaving them out would change the question
 */
export function textPrompt(prompt: LanguageModelV4Prompt): TextPrompt {
  const system: string[] = [];
  const messages: { readonly role: string; readonly text: string }[] = [];
  for (const message of prompt) {
    if (message.role === "system") system.push(message.content);
    else messages.push({ role: message.role, text: textOf(message) });
  }
  if (messages.every(({ text }) => text.trim() === ""))
    throw new InvalidPromptError({ prompt, message: "the prompt is empty" });
  const [first, ...others] = messages;
  const text =
    first?.role === "user" && others.length === 0
      ? first.text
      : [
          "This is the conversation so far. Give the assistant's next message, without a tag.",
          ...messages.map(({ role, text }) => `<${role}>\n${withoutTags(text)}\n</${role}>`),
        ].join("\n\n");
  return { system: system.join("\n\n"), text };
}

type Message = Exclude<LanguageModelV4Prompt[number], { role: "system" }>;

function textOf(message: Message): string {
  if (message.role === "tool") throw unsupported("results of tools in a prompt");
  return message.content
    .map((part) => {
      if (part.type === "text") return part.text;
      if (part.type === "reasoning") return "";
      throw unsupported(part.type === "file" ? "files in a prompt" : `a part of type ${part.type} in a prompt`);
    })
    .join("");
}

function unsupported(functionality: string): UnsupportedFunctionalityError {
  return new UnsupportedFunctionalityError({ functionality });
}

function withoutTags(text: string): string {
  return text.replace(/<(?=\/?(?:user|assistant)>)/g, "&lt;");
}
