"""Five context-free grammars for `bench.masks`, each in Lark's syntax and in xgrammar's EBNF, with texts.

Tokens are chosen so that the grammars mean the same with a greedy lexer (llguidance)
and without any (xgrammar): no token can be cut in two, keywords are in capitals where
names are small, and no text begins or ends with white space.
"""

from __future__ import annotations

import json
import random
from typing import NamedTuple


class Grammar(NamedTuple):
    """One language in two notations, members, and texts that are none."""

    lark: str
    ebnf: str
    valid: tuple[str, ...]
    invalid: tuple[str, ...]


JSON_LARK = r"""
start: value
value: object | array | STRING | NUMBER | "true" | "false" | "null"
object: "{" (pair ("," pair)*)? "}"
pair: STRING ":" value
array: "[" (value ("," value)*)? "]"
STRING: /"([^"\\\x00-\x1f]|\\(["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/
NUMBER: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/
%ignore /[ \t\n\r]+/
"""
JSON_EBNF = r"""
root ::= ws value
value ::= (object | array | string | number | "true" | "false" | "null") ws
object ::= "{" ws (pair ("," ws pair)*)? "}"
pair ::= string ws ":" ws value
array ::= "[" ws (value ("," ws value)*)? "]"
string ::= "\"" characters
characters ::= "\"" | [^"\\\x00-\x1f] characters | "\\" escape characters
escape ::= ["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F]
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [+-]? [0-9]+)?
ws ::= [ \t\n\r]*
"""

ARITHMETIC_LARK = r"""
start: sum
sum: product (("+" | "-") product)*
product: power (("*" | "/") power)*
power: atom ("^" power)?
atom: NUMBER | NAME | NAME "(" sum ("," sum)* ")" | "(" sum ")" | "-" atom
NUMBER: /[0-9]+(\.[0-9]+)?/
NAME: /[a-z]+/
%ignore / +/
"""
ARITHMETIC_EBNF = r"""
root ::= ws sum
sum ::= product (("+" | "-") ws product)*
product ::= power (("*" | "/") ws power)*
power ::= atom ("^" ws power)?
atom ::= number ws | name ws | name ws "(" ws sum ("," ws sum)* ")" ws | "(" ws sum ")" ws | "-" ws atom
number ::= [0-9]+ ("." [0-9]+)?
name ::= [a-z]+
ws ::= " "*
"""

SQL_LARK = r"""
start: select ";"
select: "SELECT" "DISTINCT"? columns "FROM" table join* where? group? order? limit?
columns: "*" | column ("," column)*
column: expression ("AS" NAME)?
table: NAME ("AS" NAME)? | "(" select ")" "AS" NAME
join: ("LEFT" | "INNER")? "JOIN" table "ON" condition
where: "WHERE" condition
group: "GROUP" "BY" expression ("," expression)* ("HAVING" condition)?
order: "ORDER" "BY" ordering ("," ordering)*
ordering: expression ("ASC" | "DESC")?
limit: "LIMIT" INTEGER
condition: conjunction ("OR" conjunction)*
conjunction: test ("AND" test)*
test: "NOT" test | "(" condition ")" | expression comparison
comparison: OPERATOR expression | "IS" "NOT"? "NULL" | "IN" "(" (select | values) ")" | "LIKE" STRING
    | "BETWEEN" expression "AND" expression
values: expression ("," expression)*
expression: term (("+" | "-") term)*
term: factor (("*" | "/") factor)*
factor: NAME ("." NAME)? | NUMBER | INTEGER | STRING | FUNCTION "(" ("*" | values) ")"
OPERATOR: "=" | "<>" | "<=" | ">=" | "<" | ">"
FUNCTION: "COUNT" | "SUM" | "AVG" | "MIN" | "MAX"
NAME: /[a-z_][a-z0-9_]*/
INTEGER: /[0-9]+/
NUMBER: /[0-9]+\.[0-9]+/
STRING: /'([^'\n]|'')*'/
%ignore /[ \n]+/
"""
SQL_EBNF = r"""
root ::= ws select ";"
select ::= "SELECT" ws ("DISTINCT" ws)? columns "FROM" ws table join* where? group? order? limit?
columns ::= "*" ws | column ("," ws column)*
column ::= expression ("AS" ws name)?
table ::= name ("AS" ws name)? | "(" ws select ")" ws "AS" ws name
join ::= (("LEFT" | "INNER") ws)? "JOIN" ws table "ON" ws condition
where ::= "WHERE" ws condition
group ::= "GROUP" ws "BY" ws expression ("," ws expression)* ("HAVING" ws condition)?
order ::= "ORDER" ws "BY" ws ordering ("," ws ordering)*
ordering ::= expression (("ASC" | "DESC") ws)?
limit ::= "LIMIT" ws [0-9]+ ws
condition ::= conjunction ("OR" ws conjunction)*
conjunction ::= test ("AND" ws test)*
test ::= "NOT" ws test | "(" ws condition ")" ws | expression comparison
comparison ::= operator ws expression | "IS" ws ("NOT" ws)? "NULL" ws | "IN" ws "(" ws (select | values) ")" ws
    | "LIKE" ws string | "BETWEEN" ws expression "AND" ws expression
values ::= expression ("," ws expression)*
expression ::= term (("+" | "-") ws term)*
term ::= factor (("*" | "/") ws factor)*
factor ::= name ("." ws name)? | number | string | function ws "(" ws ("*" ws | values) ")" ws
operator ::= "=" | "<>" | "<=" | ">=" | "<" | ">"
function ::= "COUNT" | "SUM" | "AVG" | "MIN" | "MAX"
name ::= [a-z_] [a-z0-9_]* ws
number ::= [0-9]+ ("." [0-9]+)? ws
string ::= "'" ([^'\n] | "''")* "'" ws
ws ::= [ \n]*
"""
SQL_TEXTS = (
    "SELECT name, COUNT(*) AS n_orders, SUM(o.price * o.amount) AS total FROM customers AS c "
    "LEFT JOIN orders AS o ON c.id = o.customer_id WHERE o.created >= '2024-01-01' AND "
    "(c.country IN ('DE', 'FR', 'NL') OR c.newsletter IS NOT NULL) GROUP BY name HAVING COUNT(*) > 3 "
    "ORDER BY total DESC, name ASC LIMIT 20;",
    "SELECT DISTINCT t.title, t.year FROM (SELECT title, year, rating FROM movies WHERE rating BETWEEN 7.5 AND 10.0)"
    " AS t\nINNER JOIN awards AS a ON a.title = t.title\nWHERE NOT t.year < 1990 AND a.kind LIKE '%best picture%'\n"
    "ORDER BY t.year DESC;",
    "SELECT * FROM measurements WHERE station = 'it''s windy' AND temperature + offset_c * 2 - 0.5 <= 31.25 / 1.8 "
    "OR id IN (SELECT measurement_id FROM flags WHERE reason = 'sensor fault' AND severity <> 0);",
)

PROGRAM_LARK = r"""
start: statement+
statement: "let" NAME "=" expression ";" | NAME "=" expression ";" | "return" expression ";" | "print" expression ";"
    | "if" "(" expression ")" block ("else" block)? | "while" "(" expression ")" block
    | "fn" NAME "(" (NAME ("," NAME)*)? ")" block
block: "{" statement* "}"
expression: conjunction ("or" conjunction)*
conjunction: comparison ("and" comparison)*
comparison: sum (COMPARE sum)?
sum: product (("+" | "-") product)*
product: unary (("*" | "/" | "%") unary)*
unary: "not" unary | "-" unary | primary
primary: atom ("(" arguments? ")" | "[" expression "]")*
arguments: expression ("," expression)*
atom: NAME | NUMBER | STRING | "true" | "false" | "(" expression ")" | "[" arguments? "]"
COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
NAME: /[a-z_][a-zA-Z0-9_]*/
NUMBER: /[0-9]+(\.[0-9]+)?/
STRING: /"[^"\n]*"/
%ignore /[ \n\t]+/
"""
PROGRAM_EBNF = r"""
root ::= ws statement+
statement ::= "let" ws name "=" ws expression ";" ws | name "=" ws expression ";" ws | "return" ws expression ";" ws
    | "print" ws expression ";" ws | "if" ws "(" ws expression ")" ws block ("else" ws block)?
    | "while" ws "(" ws expression ")" ws block | "fn" ws name "(" ws (name ("," ws name)*)? ")" ws block
block ::= "{" ws statement* "}" ws
expression ::= conjunction ("or" ws conjunction)*
conjunction ::= comparison ("and" ws comparison)*
comparison ::= sum (compare ws sum)?
sum ::= product (("+" | "-") ws product)*
product ::= unary (("*" | "/" | "%") ws unary)*
unary ::= "not" ws unary | "-" ws unary | primary
primary ::= atom ("(" ws arguments? ")" ws | "[" ws expression "]" ws)*
arguments ::= expression ("," ws expression)*
atom ::= name | number | string | "true" ws | "false" ws | "(" ws expression ")" ws | "[" ws arguments? "]" ws
compare ::= "==" | "!=" | "<=" | ">=" | "<" | ">"
name ::= [a-z_] [a-zA-Z0-9_]* ws
number ::= [0-9]+ ("." [0-9]+)? ws
string ::= "\"" [^"\n]* "\"" ws
ws ::= [ \n\t]*
"""
PROGRAM_TEXTS = (
    "fn fibonacci(n) {\n    if (n < 2) {\n        return n;\n    } else {\n        let a = fibonacci(n - 1);\n"
    "        return a + fibonacci(n - 2);\n    }\n}\n\nlet i = 0;\nwhile (i <= 20 and not stopped) {\n"
    '    print "value: " + fibonacci(i);\n    i = i + 1;\n}',
    'let words = ["alpha", "beta", "gamma"];\nlet total = 0.5 * (3 + 4) / -2;\nfn join(list, separator) {\n'
    '\tlet result = "";\n\tlet k = 0;\n\twhile (k < size(list)) {\n\t\tresult = result + list[k] + separator;\n'
    '\t\tk = k + 1;\n\t}\n\treturn result;\n}\nprint join(words, ", ");',
    "fn gcd(a, b) { while (b != 0) { let t = b; b = a % b; a = t; } return a; }\n"
    "if (gcd(462, 1071) == 21 or debug[level] >= 3.25) { print true; } else { print [gcd(1, 2), false, []]; }",
)

XML_LARK = r"""
start: element
element: OPEN ATTRIBUTE* "/>" | OPEN ATTRIBUTE* ">" content CLOSE
content: TEXT? ((element | ENTITY) TEXT?)*
OPEN: /<[a-zA-Z][a-zA-Z0-9_-]*/
CLOSE: /<\/[a-zA-Z][a-zA-Z0-9_-]*>/
ATTRIBUTE: /[ \n]+[a-zA-Z][a-zA-Z0-9_-]*="[^"<&]*"/
TEXT: /[^<&]+/
ENTITY: /&(lt|gt|amp|quot|apos|#[0-9]{1,6});/
"""
XML_EBNF = r"""
root ::= element
element ::= "<" name attribute* "/>" | "<" name attribute* ">" content "</" name ">"
content ::= text? ((element | entity) text?)*
attribute ::= [ \n]+ name "=\"" [^"<&]* "\""
name ::= [a-zA-Z] [a-zA-Z0-9_-]*
text ::= [^<&]+
entity ::= "&" ("lt" | "gt" | "amp" | "quot" | "apos" | "#" [0-9]{1,6}) ";"
"""
XML_TEXTS = (
    '<library owner="City of Ghent">\n  <book id="b1" lang="en">\n    <title>A Tale &amp; Its Teller</title>\n'
    '    <author born="1961">Mira Okafor</author>\n    <price currency="EUR">18.90</price>\n    <available/>\n  </book>'
    '\n  <book id="b2">\n    <title>x &lt; y &gt; z</title>\n  </book>\n</library>',
    '<svg width="120" height="80"><g class="axis"><line x1="0" y1="10" x2="120" y2="10"/><circle r="4"\n cx="60"/>'
    "<text>origin &#8594; end</text></g><desc>A line with a dot, drawn in one go: no fill, no shadow.</desc></svg>",
    '<p>It was late, and <em>nobody</em> had come. The <a href="https://example.org/?q=1">last train</a> left at '
    "23:41 &quot;sharp&quot;, as the <strong><em>only</em> guard</strong> told us twice.<br/>We walked home.</p>",
)


def json_texts() -> tuple[str, ...]:
    """Records of nested values, three in different layouts."""
    rng = random.Random(5)
    names = ("id", "name", "tags", "größe", "position", "notes", "active", "score")

    def value(depth: int) -> object:
        kind = rng.randrange(7 if depth else 5)
        words = " ".join(rng.choices(("river", "stone", "naïve", 'so-called "test"', "C:\\dir", "tab\t"), k=3))
        scalars = (rng.randrange(-500, 10_000), rng.uniform(-1, 1), words, None, rng.random() < 0.5)
        if kind < 5:
            return scalars[kind]
        inner = [value(depth - 1) for _ in range(3)]
        return inner if kind == 5 else dict(zip(rng.sample(names, 3), inner, strict=True))

    def record() -> dict[str, object]:
        return {name: value(2) for name in names[:6]}

    return (
        json.dumps(record()),
        json.dumps([record(), record()], indent=2, ensure_ascii=False),
        json.dumps({"items": [record()], "count": 1}, separators=(",", ":")),
    )


def arithmetic_texts() -> tuple[str, ...]:
    """Random expressions of about eighty tokens."""
    rng = random.Random(6)

    def expression(depth: int) -> str:
        if not depth:
            return rng.choice((str(rng.randrange(1000)), f"{rng.uniform(0, 99):.3f}", "x", "rate", "-y"))
        left, right = expression(depth - 1), expression(depth - 1)
        shape = rng.choice(("{} + {}", "{} * {}", "({} - {})", "max({}, {})", "{}/({})", "sqrt({})^2 - {}"))
        return shape.format(left, right)

    return tuple(expression(4) for _ in range(3))


def grammars() -> dict[str, Grammar]:
    """The five grammars by name."""
    numbers, terms = json_texts(), arithmetic_texts()
    return {
        "json": Grammar(JSON_LARK, JSON_EBNF, numbers, (numbers[0][:-1], '{"a": [1, 2}', '{"a" 1}', "[1,]")),
        "arithmetic": Grammar(ARITHMETIC_LARK, ARITHMETIC_EBNF, terms, (terms[0] + " +", "(1 + 2", "max(,1)", "2 3")),
        "sql": Grammar(
            SQL_LARK, SQL_EBNF, SQL_TEXTS, (SQL_TEXTS[0][:-1], "SELECT FROM a;", "SELECT a, FROM b;", "SELECT a b;")
        ),
        "program": Grammar(
            PROGRAM_LARK, PROGRAM_EBNF, PROGRAM_TEXTS, (PROGRAM_TEXTS[0][:-1], "let 1 = x;", "print (1;", "x = [1,];")
        ),
        "xml": Grammar(XML_LARK, XML_EBNF, XML_TEXTS, (XML_TEXTS[0][:-1], "<a b=c/>", "<a>&nope;</a>", "<a><b></a>")),
    }
