/** The suffixes of the Commands that install a changeling's secrets, on this machine and on Modal: `<name>-<suffix>`. */
export const secretSuffixes = ["secret", "secrets"] as const;
