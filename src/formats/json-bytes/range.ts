/** Where a value stands in the message: its start is -1 when it is missing or null. */
export interface Range {
  start: number;
  end: number;
}
