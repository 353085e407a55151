/** The version of the official command plugin that this one stands in for. */
export const version = "1.2.1";
