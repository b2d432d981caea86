import json
import shutil
import stat
from pathlib import Path

import pytest

from defectseg.errors import StorageError
from defectseg.storage.keys import Keys
from defectseg.storage.remote import Remote, find_project, forget, point_at, read_remote
from storage_project import CONFIG

KEYS = Keys("an-id", "a-secret")
CLIENT = Path("/srv/storage/client.ini")
ENDPOINT = "http://127.0.0.1:9010"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the settings of this repository."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy(CONFIG, tmp_path / ".dvc/config")
    return tmp_path


def local(project: Path) -> Path:
    return project / ".dvc/config.local"


def test_the_committed_remote_is_a_bucket_without_address_and_keys():
    text = CONFIG.read_text(encoding="utf-8")
    assert read_remote(CONFIG.parents[1]).url == "s3://defectseg/dvc"
    assert "verify = true" in text
    assert not [word for word in ("endpoint", "key", "token", "password", "http") if word in text]


def test_the_storage_is_ignored_by_git_and_dvc():
    root = CONFIG.parents[1]
    for name in (".gitignore", ".dvcignore"):
        assert "/.storage/" in (root / name).read_text(encoding="utf-8").splitlines()


def test_a_project_is_told_the_way_and_forgets_it(project: Path):
    committed = read_remote(project)
    assert committed == Remote("storage", "s3://defectseg/dvc", "defectseg", None)
    point_at(project, ENDPOINT, KEYS, CLIENT)
    assert read_remote(project) == Remote("storage", "s3://defectseg/dvc", "defectseg", ENDPOINT)
    text = local(project).read_text(encoding="utf-8")
    assert "access_key_id = an-id" in text
    assert "secret_access_key = a-secret" in text
    assert "configpath = /srv/storage/client.ini" in text
    assert "profile = default" in text
    assert forget(project)
    assert read_remote(project) == committed
    assert local(project).read_text(encoding="utf-8").strip() == ""
    assert not forget(project)


def test_nothing_is_forgotten_where_there_is_nothing(project: Path):
    assert not forget(project)
    assert not local(project).exists()


def test_other_settings_of_the_clone_stay(project: Path):
    local(project).write_text(
        "['remote \"storage\"']\n    region = eu-central-1\n    endpointurl = http://old\n"
        "[cache]\n    dir = /srv/cache\n",
        encoding="utf-8",
    )
    point_at(project, ENDPOINT, KEYS, CLIENT)
    assert read_remote(project).endpoint == ENDPOINT
    forget(project)
    text = local(project).read_text(encoding="utf-8")
    assert "region = eu-central-1" in text
    assert "dir = /srv/cache" in text
    assert "http://" not in text


def test_only_the_owner_reads_the_keys(project: Path):
    local(project).touch(0o644)
    local(project).chmod(0o644)
    point_at(project, ENDPOINT, KEYS, CLIENT)
    assert stat.S_IMODE(local(project).stat().st_mode) == 0o600


def test_a_project_is_found_from_below(project: Path):
    (project / "src/deep").mkdir(parents=True)
    assert find_project(project / "src/deep") == project == find_project(project)


def test_a_folder_in_no_project_is_said(tmp_path: Path):
    with pytest.raises(StorageError, match="is in no DVC project; go into your clone first"):
        find_project(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("url = s3://defectseg/dvc", "url = /srv/dvc", "'/srv/dvc', not an S3 address such as"),
        ("remote = storage", "remote = other", "'other', not an S3 address such as"),
        ("    remote = storage\n", "", "None, not an S3 address such as"),
    ],
)
def test_a_remote_that_is_no_bucket_is_said(project: Path, before: str, after: str, said: str):
    config = project / ".dvc/config"
    config.write_text(config.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    with pytest.raises(StorageError, match=said):
        read_remote(project)


def test_damaged_settings_are_said(project: Path):
    (project / ".dvc/config").write_text("[core\n", encoding="utf-8")
    with pytest.raises(StorageError, match="DVC cannot read its settings in"):
        read_remote(project)


def test_the_policies_of_the_docs_are_json():
    text = (CONFIG.parents[1] / "docs/operations.md").read_text(encoding="utf-8")
    policy, lifecycle = (
        json.loads(part.partition("```")[0]) for part in text.split("```json\n")[1:]
    )
    actions = [statement["Action"] for statement in policy["Statement"]]
    assert actions == ["s3:ListBucket", "s3:GetObject", ["s3:PutObject", "s3:AbortMultipartUpload"]]
    assert all(rule["Status"] == "Enabled" for rule in lifecycle["Rules"])
