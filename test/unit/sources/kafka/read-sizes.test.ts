import { expect, it } from "vitest";
import { readSizes } from "../../../../src/sources/kafka/read-sizes.ts";

const MIB = 2 ** 20;

it("reads as much at a time as an ample budget allows, and little of a small one", () => {
  const ample = { answerBytes: 16 * MIB, partitionBytes: 4 * MIB, slabBytes: 8 * MIB };
  expect(readSizes(Infinity)).toEqual(ample);
  expect(readSizes(512 * MIB)).toEqual(ample);
  expect(readSizes(256 * MIB)).toEqual({ answerBytes: 8 * MIB, partitionBytes: 4 * MIB, slabBytes: 4 * MIB });
  expect(readSizes(64 * MIB)).toEqual({ answerBytes: 2 * MIB, partitionBytes: 2 * MIB, slabBytes: MIB });
});
