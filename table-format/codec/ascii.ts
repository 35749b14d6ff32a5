import { buffer } from "./node-modules.ts";

/** Strings of parts of some bytes, which must be ASCII: from `start` to before `end`. */
export type AsciiParts = (start: number, end: number) => string;

/** What makes strings of parts of these bytes. */
export const asciiParts: (bytes: Uint8Array) => AsciiParts = buffer === null ? plainParts : nodeParts(buffer);

function plainParts(bytes: Uint8Array): AsciiParts {
  const decoder = new TextDecoder();
  return (start, end) => decoder.decode(bytes.subarray(start, end));
}

function nodeParts({ Buffer }: NonNullable<typeof buffer>): typeof asciiParts {
  return (bytes) => {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return (start, end) => view.toString("latin1", start, end);
  };
}
