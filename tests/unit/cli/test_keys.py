import json
import stat

import pytest


@pytest.fixture(autouse=True)
def _quick(quick_keys):
    pass


def test_new__with_a_password_in_the_environment__writes_a_private_file(cuckoo, data_dir):
    result = cuckoo("keys", "new", "alice", env={"CUCKOO_PASSWORD": "secret"})
    path = data_dir / "keys" / "alice.json"
    assert result.exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert result.stdout.strip()[2:].lower() == json.loads(path.read_text())["address"]


def test_new__with_a_password_file__opens_with_it(cuckoo, tmp_path):
    from cuckoo.chain.keystore import load_key

    (tmp_path / "password").write_text("from a file\n")
    told = json.loads(cuckoo("keys", "new", "alice", "--password-file", tmp_path / "password", "--json").stdout)
    load_key(told["path"], directory=tmp_path, password=lambda _: "from a file", environ={}, raw_allowed=False)


def test_new__without_terminal_or_password__says_how_to_give_one(cuckoo):
    result = cuckoo("keys", "new", "alice")
    assert result.exit_code == 2
    assert "--password-file" in result.stderr


def test_new__name_taken__refused_before_the_password_is_asked(cuckoo):
    cuckoo("keys", "new", "alice", env={"CUCKOO_PASSWORD": ""})
    result = cuckoo("keys", "new", "alice")
    assert result.exit_code == 2
    assert "never overwritten" in result.stderr


def test_list_and_show__agree(cuckoo):
    assert json.loads(cuckoo("keys", "list", "--json").stdout) == []
    assert "cuckoo keys new" in cuckoo("keys", "list").stderr
    for name in ("bob", "alice"):
        cuckoo("keys", "new", name, env={"CUCKOO_PASSWORD": ""})
    listed = json.loads(cuckoo("keys", "list", "--json").stdout)
    assert [key["name"] for key in listed] == ["alice", "bob"]
    assert json.loads(cuckoo("keys", "show", "bob", "--json").stdout) == listed[1]
    assert cuckoo("keys", "show", "bob").stdout.strip() == listed[1]["address"]
    assert listed[0]["address"] in cuckoo("keys", "list").stdout


def test_show__unknown__says_where_to_look(cuckoo):
    result = cuckoo("keys", "show", "carl")
    assert result.exit_code == 2
    assert "cuckoo keys list" in result.stderr
