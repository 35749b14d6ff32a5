import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../../src/core/errors.ts";
import { canalJson } from "../../../../src/formats/canal-json/format.ts";
import { parseMysqlType } from "../../../../src/formats/canal-json/mysql-type.ts";
import { rowsOf } from "../../../support/batch-rows.ts";
import { bindingOf, decoderOf } from "../../../support/decoding.ts";
import { typeText } from "../../../../table-format/index.ts";

/** One value of column `a` as the message declares it, and as the job does. */
function decode(mysqlType: string | null, json: string, type?: string): unknown {
  const types = mysqlType === null ? "null" : JSON.stringify({ a: mysqlType });
  const value = `{"data":[{"a":${json}}],"database":"d","mysqlType":${types},"pkNames":["a"],"table":"t","type":"INSERT"}`;
  const binding = bindingOf({ mode: "append", columns: type === undefined ? {} : { a: type } });
  return rowsOf(decoderOf(canalJson, binding).decode([{ value }]))[0]?.values["a"];
}

const micros = (...parts: Parameters<typeof Date.UTC>) => BigInt(Date.UTC(...parts)) * 1000n;

describe("declared types", () => {
  const types: [mysqlType: string, expected: string][] = [
    ["tinyint(1)", "int"],
    ["TINYINT UNSIGNED", "int"],
    ["bool", "int"],
    ["smallint(5) unsigned zerofill", "int"],
    ["mediumint unsigned", "int"],
    ["INTEGER", "int"],
    ["int(11)", "int"],
    ["int(10) unsigned", "long"],
    ["INT UNSIGNED", "long"],
    ["bigint", "long"],
    ["bigint(20) unsigned", "decimal(20, 0)"],
    ["year(4)", "int"],
    ["bit(1)", "long"],
    ["bit(64)", "decimal(20, 0)"],
    ["decimal", "decimal(10, 0)"],
    ["DECIMAL( 12 , 2 ) unsigned", "decimal(12, 2)"],
    ["numeric(38,10)", "decimal(38, 10)"],
    ["decimal(39,1)", "string"],
    ["float(7,4)", "float"],
    ["float(53)", "double"],
    ["double precision", "double"],
    ["real", "double"],
    ["date", "date"],
    ["datetime", "timestamp"],
    ["datetime(6)", "timestamp"],
    ["timestamp(3)", "timestamp"],
    ["time(6)", "time"],
    ["char(3)", "string"],
    ["varchar(255) CHARACTER SET utf8mb4", "string"],
    ["longtext", "string"],
    ["json", "string"],
    ["enum('a')", "string"],
    ["set('a','b')", "string"],
    ["uuid", "string"],
    ["binary(16)", "binary"],
    ["VARBINARY(16)", "binary"],
    ["mediumblob", "binary"],
    ["geometry", "binary"],
    ["multipolygon", "binary"],
  ];
  it.each(types)("%s is %s", (mysqlType, expected) => {
    const { type } = parseMysqlType(mysqlType);
    expect(type === null ? null : typeText(type)).toBe(expected);
  });

  it.each([
    ["enum('a,b','it''s','c\\\\d', '(x)')", ["a,b", "it's", "c\\d", "(x)"]],
    ["set('unsigned','')", ["unsigned", ""]],
    ["ENUM('ü') COLLATE utf8mb4_bin", ["ü"]],
  ])("%s has its labels", (mysqlType, labels) => {
    expect(parseMysqlType(mysqlType)).toMatchObject({ labels, type: { kind: "string" } });
  });

  it("of an enum without labels cannot be told", () => {
    expect(parseMysqlType("enum").type).toBeNull();
    expect(() => decode("enum", '"1"')).toThrow(
      /column "a" of shop\.orders: expected a mysqlType with its labels, found enum/,
    );
    expect(decode("enum", '"1"', "int")).toBe(1);
  });
});

describe("values", () => {
  const values: [mysqlType: string | null, json: string, expected: unknown, type?: string][] = [
    ["int", '"-2147483648"', -(2 ** 31)],
    ["int", "2147483647", 2 ** 31 - 1],
    ["int(5) zerofill", '"00042"', 42n],
    ["year", '"0000"', 0],
    ["bigint", '"-9223372036854775808"', -(2n ** 63n)],
    ["bigint", '"9223372036854775807"', 2n ** 63n - 1n],
    ["bigint", '"-4294967296"', -(2n ** 32n)],
    ["bigint", "9223372036854775807", 2n ** 63n - 1n],
    ["bit(63)", '"9223372036854775807"', 2n ** 63n - 1n],
    ["bigint unsigned", '"18446744073709551615"', `${2n ** 64n - 1n}e-0`],
    ["decimal(5,2)", '"-0.50"', "-50e-2"],
    ["decimal(5,2)", "1.5", "150e-2"],
    ["double", '"-1.0E-10"', -1e-10],
    ["float", '"3.4028235E38"', Math.fround(3.4028235e38)],
    ["date", '"2024-02-29"', 19_782],
    ["datetime", '"1000-01-01 00:00:00"', micros(1000, 0, 1)],
    ["datetime(6)", '"2024-02-29 12:30:00.000001"', micros(2024, 1, 29, 12, 30) + 1n],
    ["timestamp", '"2024-02-29 12:30:00"', micros(2024, 1, 29, 12, 30), "timestamptz"],
    ["datetime", '"2024-02-29 12:30:00+01:00"', micros(2024, 1, 29, 11, 30), "timestamptz"],
    ["time(3)", '"23:59:59.999"', 86_399_999_000n],
    ["time", '"-838:59:59"', "-838:59:59", "string"],
    ["datetime", '"0000-00-00 00:00:00"', "0000-00-00 00:00:00", "string"],
    ["varchar(9)", '"42"', "42"],
    ["varchar(9)", "42", "42"],
    ["json", '"[1, 2.50]"', "[1, 2.50]"],
    ["json", "[1, 2.50]", "[1, 2.50]"],
    ["enum('a','2')", '"1"', "a"],
    ["enum('a','2')", '"2"', "2"],
    ["enum('2','1')", '"1"', "2"],
    ["enum('a','2')", '"0"', ""],
    ["enum('a','2')", '""', ""],
    ["enum('a','2')", '"a"', "a"],
    ["enum('a','2')", "1", "a"],
    ["enum('a','2')", '"2"', 2, "int"],
    ["set('a','b','c')", '"5"', "a,c"],
    ["set('a','b','c')", '"0"', ""],
    ["set('a','b','c')", '"a,b"', "a,b"],
    [`set(${Array.from({ length: 64 }, (_, k) => `'${k}'`).join(",")})`, '"-9223372036854775808"', "63"],
    ["blob", '"\\u0000\u00ff\\u00e9A"', "00ffe941"],
    ["binary(4)", '"\\u0001"', "01000000"],
    ["binary(16)", '"\\u00a0\\u00ee"', `a0ee${"00".repeat(14)}`, "uuid"],
    ["varchar(36)", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"', "a0eebc999c0b4ef8bb6d6bb9bd380a11", "uuid"],
    ["binary(3)", '"ab"', "616200", "fixed[3]"],
    ["tinyint(1)", '"1"', true, "boolean"],
    ["tinyint(1)", "0", false, "boolean"],
    ["int", '"12"', "1200e-2", "decimal(10,2)"],
    ["decimal(10,2)", '"12.50"', 12.5, "double"],
    [null, '"x"', "x"],
    [null, "7", 7n],
    [null, '"7"', 7, "int"],
    [null, '"AP8="', "00ff", "binary"],
  ];
  it.each(values)("%s: %s is %s", (mysqlType, json, expected, type) => {
    expect(decode(mysqlType, json, type)).toEqual(expected);
  });

  const refused: [mysqlType: string | null, json: string, expected: RegExp, type?: string][] = [
    ["int", '"2147483648"', /expected int, found "2147483648".*columns: \{ a: long \}/],
    ["int", '""', /expected int/],
    ["int", '"-"', /expected int/],
    ["int", '"1.0"', /expected int/],
    ["bigint", '"9223372036854775808"', /columns: \{ a: decimal\(20, 0\) \}/],
    ["bigint", '"-9223372036854775809"', /columns: \{ a: decimal\(20, 0\) \}/],
    ["bigint", '"100000000000000000000"', /columns: \{ a: decimal\(38, 0\) \}/],
    ["decimal(4,2)", '"100.00"', /found more than 4 digits/],
    ["decimal(4,2)", '"1.001"', /found digits beyond its scale/],
    ["double", '"1e999"', /expected double/],
    ["float", '"1e39"', /expected float/],
    ["date", '"0000-00-00"', /expected date.*columns: \{ a: string \}/],
    ["date", '"2024-02-30"', /expected date/],
    ["datetime", '"2024-02-29 24:00:00"', /expected timestamp/],
    ["datetime", "1700000000", /expected timestamp/],
    ["time", '"24:00:00"', /expected time.*columns: \{ a: string \}/],
    ["time", '"-00:00:01"', /expected time/],
    ["time", "1", /expected time/],
    ["varchar(9)", '{"a":1}', /expected a text/],
    ["enum('a')", '"2"', /expected a label of mysqlType, or its number, of 1, found "2"/],
    ["enum('a')", '"b"', /expected a label/],
    ["set('a')", '"2"', /expected a label/],
    ["set('a')", '"a,b"', /expected a label/],
    ["blob", '"Ā"', /characters up to U\+00FF/],
    ["blob", '"😀"', /characters up to U\+00FF/],
    ["binary(2)", '"abc"', /expected binary of 2 bytes/],
    ["tinyint(1)", '"2"', /expected boolean/, "boolean"],
  ];
  it.each(refused)("%s: %s is refused", (mysqlType, json, expected, type) => {
    let error: unknown;
    try {
      decode(mysqlType, json, type);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FrazilError);
    const { kind, message, hint } = error as FrazilError;
    expect(kind).toBe("data");
    expect(`${message} ${hint}`).toMatch(/stream .*, split .*, offset 0, column "a"/);
    expect(`${message} ${hint}`).toMatch(expected);
  });
});
