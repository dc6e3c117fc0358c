"""Files that are whole or not there."""

from pathlib import Path

import pytest

from chestkd import workspace


def test_a_text_file_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "record.json"
    workspace.write_json(path, {"old": 1})
    with monkeypatch.context() as patched:
        # A kill after the text is written, before it takes the file's name.
        patched.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            workspace.write_json(path, {"new": 2})
    assert path.read_text() == '{\n  "old": 1\n}\n'
    workspace.write_json(path, {"new": 2})
    assert path.read_text() == '{\n  "new": 2\n}\n'
