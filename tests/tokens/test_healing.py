"""Token healing against its definition, and the texts it leaves to be generated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgen
from pgen.tokens import Vocabulary
from pgen.tokens.healing import heal

PIECES = [b"a", b"b", b":", b"/", b"://", b"//", b"ab:", b"b:/", b"\xc3", b"\xa9", b"\xc3\xa9a", b""]
VOCABULARY = Vocabulary([*PIECES, b"</s>", b"<role>"], eos=12, special=[13])


def boundaries(prompt):
    """Every boundary that the definition allows, from the text of each end of the prompt alone."""
    for i in range(len(prompt)):
        tail = [PIECES[t] if t < len(PIECES) else b"" for t in prompt[i:]]
        text = b"".join(tail)
        reaches_beyond = any(piece.startswith(text) and len(piece) > len(text) for piece in PIECES)
        if all(tail) and not 0x80 <= text[0] < 0xC0 and reaches_beyond:
            yield i, text


@given(st.lists(st.integers(0, 13), max_size=6))
@settings(max_examples=150)
def test_the_first_boundary_from_which_a_token_reaches_beyond(prompt):
    healed = heal(VOCABULARY, prompt)
    kept, text = next(boundaries(prompt), (len(prompt), b""))
    try:
        expected = text.decode()
    except UnicodeDecodeError:
        kept, expected = len(prompt), ""
    assert (healed.kept, healed.suffix) == (tuple(prompt[:kept]), expected)


def test_a_url_goes_on_with_the_token_that_covers_the_colon():
    healed = heal(VOCABULARY, [0, 2])
    assert healed.suffix == ":" and healed.kept == (0,)
    automaton = healed.constrain(pgen.Regex("//[ab]+")).compile(VOCABULARY)
    assert 4 in automaton.allowed_tokens(automaton.start)
    assert automaton.accepts(b"://ab") and not automaton.accepts(b"//ab")


def test_residuals_see_the_text_after_the_suffix():
    unique = pgen.JSONSchema({"type": "array", "uniqueItems": True, "items": {"type": "integer"}})
    language = heal(VOCABULARY, [0, 2]).constrain(unique)
    assert language.matches(":[1, 2]") and not language.matches(":[1, 1]") and language.completable(":[1, 1]")


def test_control_tokens_and_foreign_ids():
    assert heal(VOCABULARY, [2, 13]).kept == (2, 13)
    assert heal(VOCABULARY, [13, 2]).kept == (13,)
    assert heal(VOCABULARY, []).kept == ()
    with pytest.raises(pgen.InvalidArgument):
        heal(VOCABULARY, [99])
