#!/usr/bin/env python3
"""Cuts CEL's published conformance cases down to the subset of the check language.

Usage: cut.py <cel-spec checkout> <this directory>

Writes one <file>.jsonl per source file that keeps a case, and cut.md with the count of kept and left-out cases by reason.
The product does not need this script: it documents how the data came about, and repeats it for a newer version.
"""
import json, os, re, sys


def tokens(text):
    pattern = re.compile(
        r'''(?P<space>\s+|\#[^\n]*)|(?P<str>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>-?[A-Za-z0-9_.+\-]+)|(?P<any>\[[^\]\n]*/[^\]\n]*\])|(?P<punct>[{}<>:\[\],;])''',
        re.S)
    at = 0
    while at < len(text):
        found = pattern.match(text, at)
        if not found:
            raise SystemExit(f"cannot read {text[at:at + 40]!r}")
        at = found.end()
        if found.lastgroup != "space":
            yield found.lastgroup, found.group()


SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?"}


def unquote(raw):
    out, at, body = bytearray(), 0, raw[1:-1]
    while at < len(body):
        c = body[at]
        if c != "\\":
            out += c.encode()
            at += 1
            continue
        e = body[at + 1]
        if e in SIMPLE:
            out += SIMPLE[e].encode()
            at += 2
        elif e in "xX":
            digits = re.match(r"[0-9a-fA-F]{1,2}", body[at + 2:]).group()
            out.append(int(digits, 16))
            at += 2 + len(digits)
        elif e in "uU":
            n = 4 if e == "u" else 8
            out += chr(int(body[at + 2:at + 2 + n], 16)).encode("utf-8", "surrogatepass")
            at += 2 + n
        else:
            digits = re.match(r"[0-7]{1,3}", body[at + 1:]).group()
            out.append(int(digits, 8))
            at += 1 + len(digits)
    return bytes(out)


class Parser:
    def __init__(self, text):
        self.tokens, self.at = list(tokens(text)), 0

    def peek(self):
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def message(self, close=None):
        """A message as a list of (field, value)."""
        fields = []
        while self.peek() != close:
            _, name = self.next()
            if self.peek() == ":":
                self.next()
            fields.append((name, self.value()))
            if self.peek() in (",", ";"):
                self.next()
        if close:
            self.next()
        return fields

    def value(self):
        kind, text = self.next()
        if text in "{<" and kind == "punct":
            return self.message("}" if text == "{" else ">")
        if text == "[" and kind == "punct":
            items = []
            while self.peek() != "]":
                items.append(self.value())
                if self.peek() == ",":
                    self.next()
            self.next()
            return ("list", items)
        if kind == "str":
            whole = unquote(text)
            while self.at < len(self.tokens) and self.tokens[self.at][0] == "str":
                whole += unquote(self.next()[1])
            return whole
        return text


class Cut(Exception):
    pass


def get(fields, name):
    return next((v for n, v in fields if n == name), None)


def number(text):
    value = float(text.replace("infinity", "inf"))
    if value != value or value in (float("inf"), float("-inf")):
        return {"double": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]}
    return {"double": repr(value)}


def value(fields):
    """A result as our notation; raises Cut for what the subset lacks."""
    if len(fields) != 1:
        raise Cut("messages")
    name, v = fields[0]
    if name == "null_value":
        return None
    if name == "bool_value":
        return v == "true"
    if name == "int64_value":
        return int(v, 0)
    if name == "double_value":
        return number(v)
    if name == "string_value":
        return v.decode()
    if name == "list_value":
        return [value(x) for n, x in v if n == "values"]
    if name == "map_value":
        out = {}
        for n, entry in v:
            key = get(entry, "key")
            if key[0][0] != "string_value":
                raise Cut("map keys other than strings")
            out[key[0][1].decode()] = value(get(entry, "value"))
        return {"map": out}
    if name == "object_value":
        inner = dict(v)
        for kind in ("Timestamp", "Duration"):
            if len(v) == 1 and v[0][0].endswith(f"google.protobuf.{kind}]"):
                parts = dict(v[0][1])
                seconds, nanos = int(parts.get("seconds", 0)), int(parts.get("nanos", 0))
                if nanos % 1000000:
                    raise Cut("finer than a millisecond")
                return {kind.lower() + "_ms": seconds * 1000 + nanos // 1000000}
        del inner
        raise Cut("messages")
    raise Cut({"uint64_value": "unsigned numbers", "bytes_value": "bytes", "type_value": "types as values",
               "enum_value": "messages"}.get(name, "messages"))


def kind(fields):
    """A declared type as our notation."""
    name, v = fields[0]
    if name == "primitive":
        if v == "UINT64":
            raise Cut("unsigned numbers")
        if v == "BYTES":
            raise Cut("bytes")
        return {"BOOL": "bool", "INT64": "int", "DOUBLE": "double", "STRING": "string"}[v]
    if name == "well_known" and v in ("TIMESTAMP", "DURATION"):
        return v.lower()
    if name == "list_type":
        return {"list": kind(get(v, "elem_type"))}
    if name == "map_type":
        if kind(get(v, "key_type")) != "string":
            raise Cut("map keys other than strings")
        return {"map": kind(get(v, "value_type"))}
    if name == "message_type":
        text = v.decode()
        if text in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
            return text.rsplit(".", 1)[1].lower()
        raise Cut("messages")
    if name == "dyn":
        raise Cut("variables of any type")
    raise Cut("messages")


# What is seen in the expression itself, first reason that fits. Texts are blanked before.
REASONS = [
    (r"\b(optional\.|\.opt\w+\(|\.or\(|\.orValue\()|\?\.|\.\?|\[\?|\{\?|optional_type", "optional values (extension)"),
    (r"\bcel\.(bind|block|index|iterVar|accuVar|@\w+)", "cel.bind and cel.block (extensions)"),
    (r"\bmath\.", "math (extension)"),
    (r"\b(strings\.quote|\.format)\(|\.format\(", "quote and format (extension)"),
    (r"\bbase64\.", "base64 (extension)"),
    (r"\b(ip|cidr|isIP)\(|\bip\.|net\.(IP|CIDR)", "network addresses (extension)"),
    (r"\bproto\.|\.getExt\(", "messages"),
    (r"\btransform(List|Map|MapEntry)\(", "macros with two variables (extension)"),
    (r"\.(exists|all|existsOne|exists_one|filter|map)\(\s*\w+\s*,\s*\w+\s*,", "macros with two variables (extension)"),
    (r"[A-Za-z_][\w.]*\s*\{|google\.protobuf|\bcel\.expr\b|TestAllTypes|GlobalEnum|NestedEnum|NullValue", "messages"),
    (r"(?<![\w.])(0[xX][0-9a-fA-F]+|\d+)[uU]\b|\buint\(", "unsigned numbers"),
    (r"(?<![A-Za-z0-9_])([bB][rR]?|[rR][bB])[\"']|\bbytes\(", "bytes"),
    (r"\btype\(|==\s*(int|string|bool|double|list|map|null_type|type|uint|bytes)\b|^(dyn|int|string|bool|double|list|map|null_type|type|uint|bytes)$", "types as values"),
    (r"^(f_unknown\(17\)|x|a\.\w+\(\)) \|\| true$", "unknown names that || absorbs (an error at load here)"),
    (r"`", "quoted field names (extension)"),
    (r"(?<![\w)}\]\"'])\.[A-Za-z_]", "namespaces"),
]
# A map literal whose first key is not a text, anywhere.
KEYS = re.compile(r"\{\s*(-?\d|true|false|null|0x)|,\s*(-?\d+(\.\d+)?|true|false|null)\s*:", re.S)


def blanked(expr):
    return re.sub(r'''"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*\'''',
                  lambda m: m.group()[0] + m.group()[0], expr, flags=re.S)


def case(section, test):
    expr = get(test, "expr").decode()
    plain = blanked(expr)
    for pattern, reason in REASONS:
        if re.search(pattern, plain):
            raise Cut(reason)
    if KEYS.search(plain):
        raise Cut("map keys other than strings")
    if get(test, "container") or any("." in get(v, "name").decode() for n, v in test if n == "type_env"):
        raise Cut("namespaces")
    if re.search(r"\.matches\((?![\"'])|matches\([^,()]+,\s*(?![\"'])", plain):
        raise Cut("patterns that are not written out")
    if re.search(r"\d{4,}ns|\.\d{4,}Z|\bns\b|-?\d+ns", expr):
        raise Cut("finer than a millisecond")
    if get(test, "unknown") or get(test, "any_unknowns"):
        raise Cut("unknowns of CEL's protocol")
    out = {"name": f"{section}/{get(test, 'name').decode()}", "expr": expr}
    types = {get(v, "name").decode(): v for n, v in test if n == "type_env"}
    given = {}
    for n, v in test:
        if n != "bindings":
            continue
        name, bound = get(v, "key").decode(), get(get(v, "value"), "value")
        if "." in name:
            raise Cut("namespaces")
        declared = types.get(name)
        if declared is None or get(declared, "ident") is None:
            raise Cut("variables without a declared type") if re.search(rf"\b{name}\b", plain) else Cut(
                "variables without a declared type")
        given[name] = {"type": kind(get(get(declared, "ident"), "type")), "value": value(bound)}
    for name, declared in types.items():
        if get(declared, "function") is not None:
            raise Cut("functions declared by the case")
        if name not in given:
            raise Cut("variables without a value")
    if given:
        out["with"] = given
    typed = get(test, "typed_result")
    if get(test, "eval_error") is not None or get(test, "any_eval_errors") is not None:
        out["fails"] = True
    elif typed is not None:
        if get(typed, "result") is None:
            raise Cut("no result, only a deduced type")
        out["is"] = value(get(typed, "result"))
    elif get(test, "value") is not None:
        out["is"] = value(get(test, "value"))
    elif get(test, "check_only"):
        raise Cut("no result, only a deduced type")
    else:
        out["is"] = True
    return out


def main(source, target):
    table, reasons = [], {}
    folder = os.path.join(source, "tests", "simple", "testdata")
    for file in sorted(f for f in os.listdir(folder) if f.endswith(".textproto")):
        with open(os.path.join(folder, file), encoding="utf-8") as handle:
            parsed = Parser(handle.read()).message()
        kept, left, total = [], {}, 0
        for n, section in parsed:
            if n != "section":
                continue
            for m, test in section:
                if m != "test":
                    continue
                total += 1
                try:
                    kept.append(case(get(section, "name").decode(), test))
                except Cut as cut:
                    left[str(cut)] = left.get(str(cut), 0) + 1
                    reasons[str(cut)] = reasons.get(str(cut), 0) + 1
        stem = file.removesuffix(".textproto")
        table.append((stem, total, len(kept), left))
        path = os.path.join(target, f"{stem}.jsonl")
        if kept:
            with open(path, "w", encoding="utf-8") as handle:
                for line in kept:
                    handle.write(json.dumps(line, ensure_ascii=False) + "\n")
        elif os.path.exists(path):
            os.remove(path)
    with open(os.path.join(target, "cut.md"), "w", encoding="utf-8") as handle:
        total, kept = sum(t for _, t, _, _ in table), sum(k for _, _, k, _ in table)
        handle.write("<!-- Written by cut.py. -->\n")
        handle.write(f"{kept} of {total} cases are kept.\n\n| file | cases | kept | left out because of |\n|---|---:|---:|---|\n")
        for stem, count, k, left in table:
            why = ", ".join(f"{r}: {n}" for r, n in sorted(left.items(), key=lambda x: -x[1]))
            handle.write(f"| {stem} | {count} | {k} | {why} |\n")
        handle.write("\n| reason | cases |\n|---|---:|\n")
        for reason, n in sorted(reasons.items(), key=lambda x: -x[1]):
            handle.write(f"| {reason} | {n} |\n")


main(sys.argv[1], sys.argv[2])
