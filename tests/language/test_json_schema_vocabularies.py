"""Metaschemas of one's own: `$vocabulary` says which keywords count."""

import warnings

import pytest

import pgen

VOCABULARIES = "https://json-schema.org/draft/2020-12/vocab/"
META = "http://example.org/meta"


def compiled(keywords, **vocabularies):
    meta = {"$id": META, "$vocabulary": {VOCABULARIES + name: needed for name, needed in vocabularies.items()}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pgen.JSONSchema({"$schema": META, **keywords}, resources={META: meta})


def test_keywords_of_missing_vocabularies_have_no_effect():
    keywords = {"properties": {"n": {"minimum": 10}, "bad": False}, "type": "object"}
    with_all = compiled(keywords, core=True, applicator=True, validation=False)
    without = compiled(keywords, core=True, applicator=True)
    assert not with_all.matches('{"n": 1}') and without.matches('{"n": 1}') and without.matches("[]")
    assert not with_all.matches('{"bad": 1}') and not without.matches('{"bad": 1}')


def test_residuals_leave_them_out_too():
    keywords = {
        "oneOf": [{"properties": {"a": False}}, {"properties": {"b": False}}],
        "minProperties": 2,
        "type": "array",
    }
    assert not compiled(keywords, core=True, applicator=True, validation=True).matches('{"a": 1}')
    without = compiled(keywords, core=True, applicator=True)
    assert without.residual
    assert without.matches('{"a": 1}')
    assert not without.matches("{}")


def test_unevaluated_is_a_vocabulary():
    keywords = {"properties": {"a": True}, "unevaluatedProperties": False}
    assert compiled(keywords, core=True, applicator=True).matches('{"b": 1}')
    assert not compiled(keywords, core=True, applicator=True, unevaluated=True).matches('{"b": 1}')


def test_vocabularies_that_nobody_knows():
    meta = {"$vocabulary": {"http://example.org/vocab/mine": True}}
    with pytest.raises(pgen.UnsupportedFeature, match="vocab/mine") as caught:
        pgen.JSONSchema({"$schema": META}, resources={META: meta})
    assert caught.value.pointer == "/$schema"
    meta["$vocabulary"]["http://example.org/vocab/mine"] = False
    assert pgen.JSONSchema({"$schema": META}, resources={META: meta}).matches("1")
