/** Compressed bytes that cannot be decompressed. The reader of the batch adds where they were found. */
export class BadCompression extends Error {
  override readonly name = "BadCompression";
  readonly reason: "corrupt" | "too-large";

  constructor(message: string, reason: "corrupt" | "too-large" = "corrupt") {
    super(message);
    this.reason = reason;
  }
}
