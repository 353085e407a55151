/** The version of the official docker plugin that this one stands in for. */
export const version = "5.2.0";
