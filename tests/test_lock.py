"""lock: what a dvc.lock says, and what is none."""

import pytest

from defectseg.errors import RevisionError
from defectseg.revisions.lock import Lock, parse_lock

TEXT = """\
schema: '2.0'
stages:
  split:
    cmd: python split.py
    deps:
    - path: data/tiles
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
      size: 77
      nfiles: 2
    params:
      params.yaml:
        data_split:
          fold: 0
    outs:
    - path: data/split.csv
      hash: md5
      md5: c0000000000000000000000000000001
      size: 5
"""


def test_stages_have_deps_params_and_outs():
    lock = parse_lock(TEXT, "main")
    stage = lock.stages["split"]
    assert stage.params == {"params.yaml": {"data_split": {"fold": 0}}}
    assert [(dep.path, dep.is_folder, dep.nfiles) for dep in stage.deps] == [
        ("data/tiles", True, 2)
    ]
    out = lock.out("data/split.csv")
    assert out is not None and (out.size, out.is_folder) == (5, False)
    assert lock.out("data/tiles") is None  # only read


@pytest.mark.parametrize("text", ["", "schema: '2.0'\n", "schema: '2.0'\nstages: {}\n"])
def test_a_lock_without_stages_has_none(text: str):
    assert parse_lock(text, "main") == Lock()


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< ours\nschema: '2.0'\n=======\n>>>>>>> theirs\n",
        "- 1\n",
        "stages: []\n",
        "stages:\n  a: 3\n",
        TEXT.replace("md5: c0000000000000000000000000000001", "md5: ../../secret"),
        TEXT.replace("cmd: python split.py", "cmd: [1, 2]"),
        "!!python/object/apply:os.system ['true']\n",
        "[" * 100_000,
    ],
)
def test_what_is_no_lock_is_refused_by_its_name(text: str):
    with pytest.raises(RevisionError, match=r"(?s)the dvc\.lock of feature .*dvc repro"):
        parse_lock(text, "feature")
