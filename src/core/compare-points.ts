/**
 * Orders two points of a split without their source, by what all points have in common: a generation behind `@`, before it a number
 * that counts up. Points that cannot be told apart so count as equal.
 */
export function comparePlainPoints(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  if (left === null || right === null) return 0;
  if (left.generation !== right.generation) return left.generation < right.generation ? -1 : 1;
  return left.count < right.count ? -1 : left.count > right.count ? 1 : 0;
}

const POINT = /^(\d{1,19})(?:[:+=][^@]*)?(?:@(\d{1,9}))?$/;

function parts(point: string): { readonly generation: number; readonly count: bigint } | null {
  const match = POINT.exec(point);
  return match === null ? null : { generation: Number(match[2] ?? 1), count: BigInt(match[1] as string) };
}
