"""Makes PyIceberg's expressions of filters in the form of the REST catalog's specification.

A literal is {as, text}: "bytes" in hexadecimal digits, "int", "float", "boolean", or "text", of which PyIceberg itself makes a date, a
time, a decimal or a uuid.
"""

from pyiceberg import expressions as pe

UNARY = {"is-null": pe.IsNull, "not-null": pe.NotNull, "is-nan": pe.IsNaN, "not-nan": pe.NotNaN}
LITERAL = {
    "lt": pe.LessThan,
    "lt-eq": pe.LessThanOrEqual,
    "gt": pe.GreaterThan,
    "gt-eq": pe.GreaterThanOrEqual,
    "eq": pe.EqualTo,
    "not-eq": pe.NotEqualTo,
    "starts-with": pe.StartsWith,
    "not-starts-with": pe.NotStartsWith,
}
SETS = {"in": pe.In, "not-in": pe.NotIn}
LITERALS = {
    "bytes": bytes.fromhex,
    "int": int,
    "float": float,
    "boolean": lambda text: text == "true",
    "text": str,
}


def literal(value):
    return LITERALS[value["as"]](value["text"])


def expression(given):
    """PyIceberg's expression of a filter."""
    kind = given["type"]
    if kind == "true":
        return pe.AlwaysTrue()
    if kind == "false":
        return pe.AlwaysFalse()
    if kind == "not":
        return pe.Not(expression(given["child"]))
    if kind in ("and", "or"):
        join = pe.And if kind == "and" else pe.Or
        return join(expression(given["left"]), expression(given["right"]))
    if kind in UNARY:
        return UNARY[kind](given["term"])
    if kind in SETS:
        return SETS[kind](given["term"], [literal(value) for value in given["values"]])
    return LITERAL[kind](given["term"], literal(given["value"]))
