/** The version of the official docker plugin that this one replaces. */
export const version = "5.2.0";
