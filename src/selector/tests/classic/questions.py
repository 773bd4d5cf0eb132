"""Random questions for Judge.java, always the same: selectors and messages on which ActiveMQ and the specification agree.

Left out is where ActiveMQ is known to stray (the table in selector/mod.rs): so the right side of = and <> is never missing, both
sides of <> are of one type, NOT stands before parentheses, nothing is compared with zero, and what divides is a leaf.
"""

import random

QUESTIONS = 2000
dice = random.Random(38)


def pick(*choices):
    return dice.choice(choices)


def case(word):
    return pick(word, word.lower(), word.capitalize())


def number(zero=False):
    literals = ["1", "2", "3", "5", "7", "10", "2147483647", "4294967296", "0x1F", "0X7", "017", "2.5", "1e2", ".5", "5.", "2.E1"]
    return dice.choice(literals + (["0", "0.0", "00"] if zero else []))


def exact_or_long():
    return pick(number(), number(), "5L", "7l", "-3", "+2", "-2147483648", "-9223372036854775808", "9223372036854775807")


def leaf(zero=False):
    return pick(number(zero), "li", "ll", "dd", "JMSPriority")


def factor(depth):
    kind = dice.random()
    if depth > 0 and kind < 0.2:
        return "(" + total(depth - 1) + ")"
    return pick("- ", "", "", "+") + leaf() if kind < 0.5 else leaf()


def product(depth):
    text = factor(depth)
    while dice.random() < 0.3:
        text += blank() + (("*" + blank() + factor(depth)) if dice.random() < 0.5 else pick("/", "%") + blank() + leaf(True))
    return text


def total(depth):
    text = product(depth)
    while dice.random() < 0.3:
        text += blank() + pick("+", "-") + " " + product(depth)
    return text


def blank():
    return pick("", " ", " ", "  ", "\\n", " /* a * b */ ", "/***/", " -- c'\\n") if dice.random() < 0.3 else " "


def string(letters="ab%_é"):
    return "".join(dice.choice(letters) for _ in range(dice.randrange(4)))


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def listed():
    return "(" + ", ".join(quoted(string("ab'")) for _ in range(dice.randrange(1, 8))) + ")"


def like():
    pattern = "".join(dice.choice("ab%_é%!") for _ in range(dice.randrange(7)))
    return quoted(pattern) + (f" {case('ESCAPE')} {quoted(pick('!', 'a', '_', '%'))}" if dice.random() < 0.4 else "")


def predicate(depth, convert):
    maybe_not = pick("", "", case("NOT") + " ")
    less = pick("<", "<=", ">", ">=")
    plain = [
        lambda: f"{total(depth)}{blank()}{pick('=', '<>')}{blank()}{exact_or_long()}",
        lambda: f"{total(depth)}{blank()}{less}{blank()}{pick(leaf(), exact_or_long())}",
        lambda: f"{leaf()} {less} {total(depth)}",
        lambda: f"ss {pick('=', '<>')} {quoted(string())}",
        lambda: f"{pick('ss', 'bb')} = {number()}",
        lambda: f"{pick('li', 'dd')} = {quoted(string())}",
        lambda: f"bb {pick('=', '<>')} {case(pick('TRUE', 'FALSE'))}",
        lambda: f"{pick('ss', 'ss', 'ss', 'li', 'bb')} {maybe_not}{case('LIKE')} {like()}",
        lambda: f"{pick('ss', 'ss', 'ss', 'li', 'bb')} {maybe_not}{case('IN')} {listed()}",
        lambda: f"{total(depth)} {maybe_not}{case('BETWEEN')} {leaf()} {case('AND')} {leaf()}",
        lambda: f"ss {maybe_not}BETWEEN 1 AND 2",
        lambda: f"{pick('ss', 'li', 'bb', 'dd', 'JMSType')} {case('IS')} {pick('', 'NOT ')}{case('NULL')}",
        lambda: pick("bb", "ss", "li", case("TRUE"), case("FALSE")),
        lambda: f"({condition(depth - 1, convert)}) {pick('=', '<>')} {pick('TRUE', 'FALSE')}",
        lambda: f"JMSDeliveryMode = {pick(quoted('PERSISTENT'), quoted('NON_PERSISTENT'))}",
        lambda: f"JMSType {maybe_not}LIKE {like()}",
    ]
    converted = [
        lambda: f"ns {pick('=', less)} {pick('1', '5', '-3', '2.5', '10', 'li', 'dd')}",
        lambda: f"NOT (ns = {pick('5', '2.5')})",
        lambda: f"ns = {case(pick('TRUE', 'FALSE'))}",
        lambda: f"ns {maybe_not}BETWEEN 1 AND 7",
        lambda: f"{pick('5', '2.5', 'li')} {less} ns",
    ]
    return dice.choice(converted if convert and dice.random() < 0.6 else plain)()


def condition(depth, convert):
    if depth <= 0 or dice.random() < 0.4:
        return predicate(max(depth, 0), convert)
    kind = dice.random()
    if kind < 0.25:
        return f"{case('NOT')} ({condition(depth - 1, convert)})"
    if kind < 0.4:
        return f"({condition(depth - 1, convert)})"
    word = f"{blank()} {case(pick('AND', 'OR'))} {blank()}"
    return word.join(condition(depth - 1, convert) for _ in range(dice.randrange(2, 4)))


def message():
    properties = [
        f"li:l={pick(1, 2, 3, 5, 7, -4, 100)}",
        f"ll:l={pick(4294967296, -9007199254740993, 9223372036854775807, 31)}",
        f"dd:d={pick(2.5, -1.5, 5.0, 0.5, 1e300, 9007199254740992.0)}",
        f"ss:s={string()}",
        f"bb:b={pick('true', 'false')}",
        f"ns:s={pick('5', '-3', '2.5', '10', ' 5', 'x', 'true', 'TRUE', '')}",
        f"JMSPriority:h={dice.randrange(10)}",
        f"JMSType:h={string('abé')}",
        f"JMSDeliveryMode:h={pick('PERSISTENT', 'NON_PERSISTENT')}",
    ]
    return [it for it in properties if dice.random() < 0.7]


print("# ActiveMQ's verdicts over random questions; questions.py makes them and Judge.java answers.")
for _ in range(QUESTIONS):
    convert = dice.random() < 0.15
    text = ("convert_string_expressions:" if convert else "") + condition(3, convert)
    print("\t".join([text] + message()))
