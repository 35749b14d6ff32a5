import { jsonText } from "../json/exact-json.ts";

/** A blob of a Puffin file (Puffin spec, "BlobMetadata"). */
export interface PuffinBlob {
  readonly type: string;
  /** Ids of the fields the blob was computed from. */
  readonly fields: readonly number[];
  readonly properties: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

const MAGIC = Uint8Array.of(0x50, 0x46, 0x41, 0x31);
/** Footer: magic, payload, u32 payload size, u32 flags, magic. */
const FOOTER_TAIL_BYTES = 12;

/** The snapshot that blobs were computed from. */
export interface PuffinSource {
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
}

/** Of blobs that are committed with the snapshot itself, which they inherit: as Java writes it. */
const INHERITED: PuffinSource = { snapshotId: -1n, sequenceNumber: -1n };

/**
 * Encodes a Puffin file (https://iceberg.apache.org/puffin-spec/), blobs uncompressed and the footer plain.
 * @returns the file, where each blob lies in it, and the size of the footer with both its magics
 */
export function encodePuffin(
  blobs: readonly PuffinBlob[],
  source: PuffinSource = INHERITED,
): { bytes: Uint8Array; offsets: readonly number[]; footerSizeBytes: number } {
  const offsets: number[] = [];
  let at = MAGIC.length;
  for (const blob of blobs) {
    offsets.push(at);
    at += blob.bytes.length;
  }
  const payload = new TextEncoder().encode(
    jsonText({
      blobs: blobs.map((blob, i) => ({
        type: blob.type,
        fields: blob.fields.map(BigInt),
        "snapshot-id": source.snapshotId,
        "sequence-number": source.sequenceNumber,
        offset: BigInt(offsets[i] as number),
        length: BigInt(blob.bytes.length),
        properties: blob.properties,
      })),
      properties: { "created-by": "frazil" },
    }),
  );
  const bytes = new Uint8Array(at + MAGIC.length + payload.length + FOOTER_TAIL_BYTES);
  bytes.set(MAGIC, 0);
  blobs.forEach((blob, i) => bytes.set(blob.bytes, offsets[i]));
  bytes.set(MAGIC, at);
  bytes.set(payload, at + MAGIC.length);
  const tail = at + MAGIC.length + payload.length;
  // Flags stay 0: bit 0 would say that the payload is compressed.
  new DataView(bytes.buffer).setUint32(tail, payload.length, true);
  bytes.set(MAGIC, tail + 8);
  return { bytes, offsets, footerSizeBytes: bytes.length - at };
}
