/** The environment of a verb that a test runs: none of what the tester has set, but where Node keeps what it has compiled. */
export const BARE_ENV: Readonly<Record<string, string | undefined>> = {
  PATH: process.env["PATH"],
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
};
