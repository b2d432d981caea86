"""model_facts: what the metadata of an exported model says, and when it is not ours."""

import json

import pytest

from defectseg.errors import ModelFileError
from defectseg.inference.model_facts import ModelFacts, read_facts
from defectseg.inference.operating_point import neutral_point

POINT = neutral_point(["crack", "blowhole"])
METADATA = {
    "classes": '["crack", "blowhole"]',
    "in_channels": "3",
    "image_size": "96",
    "precision": "int8",
    "operating_point": POINT.model_dump_json(),
    "weights_sha256": "a" * 64,
    "data_digest": "b" * 64,
    "package_version": "0.1.0",
}


def test_every_fact_is_read():
    assert read_facts(METADATA | {"encoder": "not needed to run"}) == ModelFacts(
        ("crack", "blowhole"), 3, 96, "int8", POINT, "a" * 64, "b" * 64, "0.1.0"
    )


@pytest.mark.parametrize("missing", METADATA)
def test_what_is_missing_is_named(missing: str):
    metadata = {key: value for key, value in METADATA.items() if key != missing}
    with pytest.raises(ModelFileError, match=rf"lacks our metadata '{missing}'; .*stage export"):
        read_facts(metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": "crack,blowhole"}, "Expecting value"),
        ({"classes": "5"}, "not iterable"),
        ({"classes": '["crack"]'}, r"classes \('crack',\), but operating point of"),
        ({"classes": '["blowhole", "crack"]'}, "but operating point of"),
        ({"classes": '"crack"'}, "but operating point of"),
        ({"in_channels": "grey"}, "invalid literal"),
        ({"in_channels": "2"}, "in_channels is 2; expected 1 or 3"),
        ({"image_size": "0"}, "image_size is 0; expected at least 1"),
        ({"image_size": ""}, "invalid literal"),
        ({"operating_point": "{}"}, "Field required"),
        ({"operating_point": json.dumps(POINT.model_dump() | {"review": 2})}, "less than or equal"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told(change: dict[str, str], message: str):
    with pytest.raises(ModelFileError, match=rf"(?s)wrong metadata .*{message}.*stage export"):
        read_facts(METADATA | change)
