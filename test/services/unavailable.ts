/**
 * A server or reader that cannot be had on this machine: a tool is missing, or its download or build failed.
 * The message is the reason a skipped test gives; `fix` is what the user can do about it.
 */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
  readonly fix: string;

  constructor(reason: string, fix: string, options?: ErrorOptions) {
    super(`${reason}; ${fix}`, options);
    this.fix = fix;
  }
}
