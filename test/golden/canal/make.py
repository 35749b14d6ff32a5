"""Writes the .jsonl files of this folder; see README.md."""
import json, os
OUT = os.path.dirname(os.path.abspath(__file__)) + "/"

def write(name, messages):
    with open(OUT + name, "w", encoding="utf-8") as file:
        for message in messages:
            file.write(json.dumps(message, ensure_ascii=False, separators=(",", ":")) + "\n")

TYPES = {"id": "bigint(20) unsigned", "tiny": "tinyint(1)", "small": "smallint(5) unsigned", "medium": "mediumint(8) unsigned", "number": "int(10)",
  "counter": "int(10) unsigned", "total": "decimal(12,2)", "exact": "decimal(65,30)", "ratio": "float", "rate": "double", "born": "date",
  "created": "datetime", "moved": "datetime(6)", "updated": "timestamp(3)", "wakes": "time(6)", "vintage": "year(4)",
  "status": "enum('new','paid, sent','it''s','2')", "flags": "set('gift','express','x,y')", "mask": "bit(12)", "doc": "json", "code": "char(4)",
  "name": "varchar(255)", "body": "text", "token": "binary(4)", "raw": "varbinary(16)", "photo": "longblob", "place": "point"}
JDBC = {name: 12 for name in TYPES}
ROW = {"id": "18446744073709551615", "tiny": "2", "small": "65535", "medium": "16777215", "number": "-2147483648", "counter": "4294967295",
  "total": "-1234567890.05", "exact": "12345678901234567890123456789012345.123456789012345678901234567891", "ratio": "5.18",
  "rate": "1.7976931348623157E308", "born": "1000-01-01", "created": "2024-02-29 23:59:59", "moved": "9999-12-31 23:59:59.999999",
  "updated": "2024-03-31 02:30:00.125", "wakes": "23:59:59.999999", "vintage": "1999", "status": "2", "flags": "5", "mask": "4095",
  "doc": "{\"a\": [1, 2.50]}", "code": "ab", "name": "Zürich — \"q\" \\ 😀\n", "body": "", "token": "\u0001\u00ff", "raw": "\u0000\u0080ÿ", "photo": "\u00ff\u00d8\u00ff\u00e0", "place": "\u0000\u0000\u0000\u0000\u0001"}
EMPTY = {**{name: None for name in TYPES}, "id": "7", "status": "4", "flags": "0"}

def canal(type, data, old=None, types=TYPES, keys=["id"], sql="", ddl=False, table="orders", **more):
    # Canal's writer puts the names in this order.
    message = {"data": data, "database": "shop", "es": 1700000000000, "gtid": "", "id": 3, "isDdl": ddl, "mysqlType": types, "old": old, "pkNames": keys,
      "sql": sql, "sqlType": None if types is None else JDBC, "table": table, "ts": 1700000000123, "type": type}
    return {**message, **more}

def ddl(type, sql, table="orders"):
    return canal(type, None, None, None, None, sql, type != "QUERY", table)

second = {**EMPTY, "id": "8", "name": "eight"}
WIDER = {**TYPES, "note": "varchar(20)"}
write("mysql.jsonl", [
  ddl("CREATE", "/* shop */ CREATE TABLE orders (id bigint unsigned primary key)"),
  canal("INSERT", [ROW, EMPTY, second]),
  canal("UPDATE", [{**EMPTY, "name": "seven"}, {**second, "tiny": "1"}], [{"name": None}, {"name": "eight", "tiny": None}]),
  canal("UPDATE", [{**second, "id": "9", "tiny": "1"}], [{"id": "8"}]),
  ddl("QUERY", "insert into orders select 1", ""),
  canal("INSERT", None),
  ddl("ALTER", "ALTER TABLE orders ADD note varchar(20)"),
  canal("INSERT", [{**EMPTY, "id": "10", "note": "new"}], None, WIDER),
  canal("DELETE", [{**EMPTY, "note": None}, {**ROW, "note": None}], None, WIDER),
  ddl("TRUNCATE", "truncate table orders"),
])

def ticdc(type, data, old=None, tidb=None):
    return {"id": 0, "database": "shop", "table": "orders", "pkNames": ["id"], "isDdl": False, "type": type, "es": 1639633141221, "ts": 1639633142960, "sql": "",
      "sqlType": {"id": 4, "state": 4, "big": 3}, "mysqlType": {"id": "int", "state": "enum('a','b')", "big": "bigint unsigned"}, "old": old, "data": data,
      "_tidb": tidb or {"commitTs": 429918007904436226}}

write("ticdc.jsonl", [
  ticdc("INSERT", [{"id": "1", "state": "2", "big": "18446744073709551615"}]),
  {"id": 0, "database": "", "table": "", "pkNames": None, "isDdl": False, "type": "TIDB_WATERMARK", "es": 1640007049196, "ts": 1640007050284, "sql": "",
    "sqlType": None, "mysqlType": None, "old": None, "data": None, "_tidb": {"watermarkTs": 429918007904436226}},
  ticdc("UPDATE", [{"id": "1", "state": "1", "big": "0"}], [{"id": "1", "state": "2", "big": "18446744073709551615"}]),
  ticdc("DELETE", [{"id": "1"}], None, {"commitTs": 429918007904436227, "onlyHandleKey": True}),
  ticdc("INSERT", [{"id": "2"}], None, {"commitTs": 429918007904436228, "onlyHandleKey": True}),
])

# Written by Flink's canal-json: values as JSON has them, an update as a delete and an insert, no declarations.
write("flink.jsonl", [
  {"data": [{"id": 111, "name": "scooter", "weight": 5.15}], "type": "INSERT"},
  {"data": [{"id": 111, "name": "scooter", "weight": 5.15}], "type": "DELETE"},
  {"data": [{"id": 111, "name": "scooter", "weight": 5.18}], "type": "INSERT"},
  # The example of Flink's documentation of the format, as Canal writes it.
  {"data": [{"id": "111", "name": "scooter", "description": "Big 2-wheel scooter", "weight": "5.18"}], "database": "inventory", "es": 1589373560000, "id": 9,
    "isDdl": False, "mysqlType": {"id": "INTEGER", "name": "VARCHAR(255)", "description": "VARCHAR(512)", "weight": "FLOAT"}, "old": [{"weight": "5.15"}],
    "pkNames": ["id"], "sql": "", "sqlType": {"id": 4, "name": 12, "description": 12, "weight": 7}, "table": "products", "ts": 1589373560798, "type": "UPDATE"},
])
