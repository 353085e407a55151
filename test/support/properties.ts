import fc from "fast-check";

/**
 * In CI, each property runs on fixed cases, so that a failure always comes from the change. Elsewhere it runs on new
 * ones, which find the next counterexample.
 */
if (process.env["CI"]) fc.configureGlobal({ seed: 20_261_121 });
