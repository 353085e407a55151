/** The version of the official command plugin that this one replaces. */
export const version = "1.2.1";
