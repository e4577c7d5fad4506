"""`pgen extract`: what it reads and writes, interruptions, and wrong input."""

import json
import math

import pytest
from byte_model import byte_model
from typer.testing import CliRunner

import pgen
from pgen import cli, records

SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
TEXTS = ["first", "second", "second", "third ü\u2028x"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pgen, "load", lambda name: byte_model())
    (tmp_path / "s.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in TEXTS))
    return tmp_path


def run(*arguments, text=None):
    return CliRunner().invoke(cli.main, [*map(str, arguments)], input=text)


def extract(*more, text=None):
    return run("extract", "--schema", "s.json", "--output", "out.jsonl", "--particles", 2, *more, text=text)


def lines(path="out.jsonl"):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file.read().split("\n") if line]


def test_one_line_for_each_record_in_order(place):
    assert extract("in.jsonl").exit_code == 0
    found = lines()
    assert [entry["id"] for entry in found] == [f"in.jsonl:{n}" for n in (1, 2, 3, 4)]
    assert len({entry["key"] for entry in found}) == 4
    for entry in found:
        assert isinstance(entry["value"]["ok"], bool)
        assert 0 < entry["probability"] <= 1
        assert math.isfinite(entry["log_evidence"])


def test_text_files_and_standard_input(place):
    (place / "a.txt").write_text("one\ntwo\n")
    assert extract("a.txt", "-", "--fields", text="three\n\nfour\n").exit_code == 0
    assert [entry["id"] for entry in lines()] == ["a.txt", "line 1", "line 3"]
    assert sum(share for _, share in lines()[0]["fields"]["ok"]) == pytest.approx(1)


@pytest.mark.parametrize("cut", range(0, 700, 37))
def test_a_result_file_cut_anywhere_is_completed_to_the_same(place, cut):
    extract("in.jsonl")
    whole = (place / "out.jsonl").read_bytes()
    (place / "out.jsonl").write_bytes(whole[:cut])
    assert extract("in.jsonl").exit_code == 0
    assert (place / "out.jsonl").read_bytes() == whole


def test_an_interruption_keeps_what_is_done_and_the_same_command_continues(place, monkeypatch):
    extract("in.jsonl")
    whole = (place / "out.jsonl").read_bytes()
    (place / "out.jsonl").unlink()
    calls, original = [], pgen.extract

    def interrupted(*arguments, **options):
        calls.append(arguments[2])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(pgen, "extract", interrupted)
    stopped = extract("in.jsonl")
    assert stopped.exit_code == cli.INTERRUPTED
    assert "continues" in stopped.stderr
    assert len(lines()) == 2
    assert extract("in.jsonl").exit_code == 0
    assert (place / "out.jsonl").read_bytes() == whole
    assert calls == [*TEXTS[:3], *TEXTS[2:]], "no record is read twice"


def test_nothing_is_read_again_and_no_model_is_loaded_when_all_is_done(place, monkeypatch):
    extract("in.jsonl")
    monkeypatch.setattr(pgen, "load", lambda name: pytest.fail("loaded"))
    again = extract("in.jsonl")
    assert again.exit_code == 0
    assert "4 of 4 records are done already" in again.stderr


def test_a_record_does_not_depend_on_the_others(place):
    extract("in.jsonl")
    expected = lines()[3]
    (place / "out.jsonl").unlink()
    (place / "in.jsonl").write_text("\n\n\n" + json.dumps({"text": TEXTS[3]}, ensure_ascii=False))
    extract("in.jsonl")
    assert lines() == [expected]


def test_a_record_that_fails_is_written_and_the_run_goes_on(place, monkeypatch):
    monkeypatch.setattr(pgen, "load", lambda name: byte_model(context_length=300))
    (place / "in.jsonl").write_text(json.dumps({"text": "x" * 500}) + "\n" + json.dumps({"text": "short"}))
    done = extract("in.jsonl")
    assert done.exit_code == 0
    assert "1 failed" in done.stderr
    first, second = lines()
    assert "context" in first["error"]
    assert "value" not in first
    assert "value" in second


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.txt",), "none.txt cannot be read"),
        (("bad.jsonl",), "bad.jsonl, line 2: not JSON"),
        (("in.jsonl", "--text-field", "body"), "no text under 'body'"),
        (("in.jsonl", "--schema", "missing.json"), "missing.json is no file"),
        (("in.jsonl", "--schema", "no_such_module:X"), "cannot be imported"),
        (("in.jsonl", "--schema", "broken.json"), "not JSON"),
        (("in.jsonl", "--output", "foreign.jsonl"), "other records or settings"),
        (("in.jsonl", "--output", "notes.txt"), "line 1: not a result"),
    ],
)
def test_wrong_input_is_named_and_the_exit_code_is_1(place, arguments, said):
    (place / "bad.jsonl").write_text('{"text": "a"}\n{')
    (place / "broken.json").write_text("{")
    (place / "foreign.jsonl").write_text('{"key": "x"}\n')
    (place / "notes.txt").write_text("dear diary\n")
    failed = extract(*arguments)
    assert failed.exit_code == 1
    assert said in failed.stderr.replace("\n", " ")


def test_a_type_in_a_module_is_a_schema(place):
    (place / "shapes_of_mine.py").write_text("from pydantic import BaseModel\nclass Flag(BaseModel):\n    ok: bool\n")
    assert extract("in.jsonl", "--schema", "shapes_of_mine:Flag").exit_code == 0
    assert isinstance(lines()[0]["value"]["ok"], bool)


def test_seeds_differ_between_records_and_between_seeds():
    one, other = records.Record("a", "t", "k1"), records.Record("b", "t", "k2")
    assert len({records.seed_of(one, 0), records.seed_of(one, 1), records.seed_of(other, 0)}) == 3


def test_warmup_says_when_it_is_ready():
    done = run("warmup")
    assert done.exit_code == 0
    assert "Ready" in done.stderr
