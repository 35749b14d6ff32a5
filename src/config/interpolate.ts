/** Environment variables as handed in: never read from the process here. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `${VAR}`, `${VAR:-default}`, `${VAR:?message}`. Only capitals: `${table}` and its like belong to `tables:` and are left alone.
 * Defaults and messages end at the first closing brace.
 */
const VARIABLE = /\$\{([A-Z_][A-Z0-9_]*)(?:(:-|:\?)([^}]*))?\}/g;

/**
 * Puts environment variables into one scalar. As in the shell, an empty variable counts as unset for `:-` and `:?`.
 * `problem` is called for each variable that has no value, which then stays as it stands; values never appear in messages.
 */
export function interpolate(text: string, env: Environment, problem: (message: string) => void): string {
  return text.replace(
    VARIABLE,
    (written: string, name: string, operator: string | undefined, argument: string | undefined) => {
      const value = env[name];
      if (operator === ":-") return value === undefined || value === "" ? (argument as string) : value;
      if (operator === ":?" && (value === undefined || value === "")) {
        problem(`environment variable ${name} is not set${argument ? `: ${argument}` : ""}`);
        return written;
      }
      if (value === undefined) {
        problem(`environment variable ${name} is not set; set it, or write \${${name}:-default}`);
        return written;
      }
      return value;
    },
  );
}
