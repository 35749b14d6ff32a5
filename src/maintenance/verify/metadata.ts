import { highestFieldId, identText, type LoadedTable } from "../../../table-format/index.ts";
import type { Finding } from "./finding.ts";

const HINT =
  "somebody changed the metadata by hand, and the next commit could give one id twice: stop the jobs that write to the table, and bring the metadata file back from a backup";

/** What the metadata says of the ids that it has given: none of them may be given again. */
export function verifyMetadata({ ident, metadata, metadataLocation }: LoadedTable): Finding[] {
  const { formatVersion, nextRowId, snapshots, schemas, lastColumnId, partitionSpecs, lastPartitionId } = metadata;
  const rows = snapshots.map(({ firstRowId, addedRows }) => (firstRowId ?? 0n) + (addedRows ?? 0n));
  const given = rows.reduce((max, end) => (end > max ? end : max), 0n);
  const column = Math.max(0, ...schemas.map(highestFieldId));
  const part = Math.max(0, ...partitionSpecs.flatMap(({ fields }) => fields.map(({ fieldId }) => fieldId)));
  const told = (key: string, least: bigint | number, found: bigint | number): Finding[] =>
    found >= least
      ? []
      : [
          {
            check: "objects",
            table: identText(ident),
            object: metadataLocation,
            expected: `${key} of ${least} or above`,
            found: String(found),
            hint: HINT,
          },
        ];
  return [
    ...(formatVersion >= 3 ? told("next-row-id", given, nextRowId) : []),
    ...told("last-column-id", column, lastColumnId),
    ...told("last-partition-id", part, lastPartitionId),
  ];
}
