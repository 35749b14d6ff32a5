import { describe, expect, it } from "vitest";
import { createBuilder, type PrimitiveType } from "../../../table-format/index.ts";
import { base64Room, decodeBase64 } from "../../../src/formats/json-bytes/base64.ts";
import { base64Decimal, variableDecimal } from "../../../src/formats/json-columns/decimal-conversions.ts";

/** These values once became others without a word: infinities, a scale cut to 32 bits, stray bits of base64. */
function convert(type: PrimitiveType, json: string, scale: number | null): string {
  const read = scale === null ? variableDecimal(type) : base64Decimal(type, scale);
  if (read === null) throw new Error("no conversion");
  const bytes = Buffer.from(json);
  const builder = createBuilder(type);
  read(bytes, 0, bytes.length, builder);
  const column = builder.finish();
  return column.layout === "bytes" ? Buffer.from(column.values).toString() : String(column.values[0]);
}

describe("decimals that no column holds", () => {
  it("refuses what would be an infinity", () => {
    expect(() => convert({ kind: "double" }, "1e400", 0)).toThrow(/range of a double/);
    expect(() => convert({ kind: "float" }, "1e60", 0)).toThrow(/range of a float/);
    expect(convert({ kind: "float" }, "340282346638528859811704183484516925440", 0)).toBe(
      String(Math.fround(3.4028234663852886e38)),
    );
  });

  it("refuses scales that nobody means", () => {
    const value = (scale: string) => `{"scale":${scale},"value":"AQ=="}`;
    expect(convert({ kind: "string" }, value("2"), null)).toBe("0.01");
    for (const scale of ["4294967298", "100000000", "-2147483648", "9223372036854775807"]) {
      expect(() => convert({ kind: "string" }, value(scale), null)).toThrow(/scale/);
    }
    expect(() => convert({ kind: "string" }, "1e999999999", 0)).toThrow(/decimal/);
  });

  it("refuses base64 whose last character says more than a byte", () => {
    const decode = (text: string) =>
      decodeBase64(Buffer.from(text), 0, text.length, new Uint8Array(base64Room(text.length)), 0, 0);
    expect(decode("AA==")).toBe(1);
    expect(() => decode("AB==")).toThrow(/base64/);
  });
});
