import pytest

from conflict_nlp.schema import CONFLICT, SCHEMA_VERSION, Attribute, Label, Schema, SchemaError


def test_a_schema_survives_its_own_data():
    assert Schema.from_dict(CONFLICT.to_dict()) == CONFLICT


def test_anchors_take_the_arguments_of_the_guidelines():
    assert CONFLICT.anchors == ("ATTACK", "CLAIM")
    assert CONFLICT.takes("ATTACK", "CASUALTY")
    assert CONFLICT.takes("CLAIM", "ATTACK")
    assert not CONFLICT.takes("ATTACK", "CLAIM")
    assert not CONFLICT.takes("TARGET", "ATTACK")
    assert CONFLICT.cluster("ATTACK") == Attribute("incident", "cluster")
    assert CONFLICT.cluster("CLAIM") is None


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((), "no labels"),
        ((Label("A"), Label("A")), "A twice"),
        ((Label("A", ("B",)),), "takes B"),
        ((Label("A", attributes=(Attribute("text", "flag"),)),), "cannot name an attribute"),
        ((Label("A", attributes=(Attribute("x", "cluster"), Attribute("y", "cluster"))),), "more than one cluster"),
    ],
)
def test_contradictions_are_refused(labels, words):
    with pytest.raises(SchemaError, match=words):
        Schema("s", labels)


@pytest.mark.parametrize(
    "labels",
    [
        [{"name": False}],
        [{"name": "A", "attributes": [{"name": "x", "kind": "choice", "values": [True, False]}]}],
        [{"name": "A", "attributes": [{"name": 3, "kind": "flag"}]}],
    ],
)
def test_words_that_yaml_reads_as_something_else_are_refused_with_the_mend(labels):
    with pytest.raises(SchemaError, match="in quotes"):
        Schema.from_dict({"name": "s", "labels": labels})


def test_a_newer_schema_is_refused_with_the_mend():
    with pytest.raises(SchemaError, match="update conflict-nlp"):
        Schema.from_dict({**CONFLICT.to_dict(), "version": SCHEMA_VERSION + 1})


def test_data_that_are_no_schema_are_refused():
    with pytest.raises(SchemaError, match="not a schema"):
        Schema.from_dict({"name": "x", "labels": [{"title": "A"}]})


def test_an_unknown_label_is_named_with_those_there_are():
    with pytest.raises(SchemaError, match=r"no label 'VICTIM', only ATTACK"):
        CONFLICT["VICTIM"]
