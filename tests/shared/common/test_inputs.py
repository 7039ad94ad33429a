import io
import os
import random
import tracemalloc
import types

import pytest

from shared.common.errors import KerasuiteError, UsageError
from shared.common.input_paths import files_below, folders_in
from shared.common.inputs import find_inputs, parse_shard


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return folder


def names(inputs, suffixes=(".txt",), **options):
    return [source.name for source in find_inputs(inputs, suffixes, **options)]


def test_folder_is_walked_in_order_of_components(tmp_path):
    make(tmp_path, "b.txt", "a/2.txt", "a/10.TXT", "a.txt", "a/b/c.txt", "a/x.jpg", "a-b/1.txt")
    expected = ["a/10.TXT", "a/2.txt", "a/b/c.txt", "a-b/1.txt", "a.txt", "b.txt"]
    assert names([tmp_path]) == expected
    assert expected == sorted(expected, key=lambda name: name.split("/"))


def test_random_tree_equals_brute_force(tmp_path):
    generator = random.Random(3)
    files = set()
    for _ in range(200):
        depth = generator.randint(1, 4)
        parts = [generator.choice(["a", "b", ".c", "d e", "é"]) for _ in range(depth)]
        files.add("/".join([*parts, generator.choice(["x.txt", ".y.txt", "z.jpg", "q.txt"])]))
    make(tmp_path, *files)
    expected = [
        name
        for name in sorted(files, key=lambda name: name.split("/"))
        if name.endswith(".txt") and not any(part.startswith(".") for part in name.split("/"))
    ]
    assert names([tmp_path]) == expected


def test_every_iteration_is_the_same(tmp_path):
    make(tmp_path, "a.txt", "b/c.txt")
    found = find_inputs([tmp_path], [".txt"])
    assert [s.name for s in found] == [s.name for s in found] == ["a.txt", "b/c.txt"]


def test_explicit_files_are_always_taken(tmp_path):
    make(tmp_path, "a.dat", ".hidden")
    assert names([tmp_path / "a.dat"]) == ["a.dat"]
    assert names([tmp_path / "a.dat", tmp_path / ".hidden"]) == [".hidden", "a.dat"]


def test_no_suffixes_take_every_file(tmp_path):
    make(tmp_path, "a.dat", "b")
    assert names([tmp_path], ()) == ["a.dat", "b"]


def test_several_inputs_are_named_from_the_common_parent(tmp_path):
    make(tmp_path, "x/a/1.txt", "x/b/1.txt", "x/c.dat")
    assert names([tmp_path / "x/b", tmp_path / "x/a", tmp_path / "x/c.dat"]) == [
        "a/1.txt",
        "b/1.txt",
        "c.dat",
    ]


def test_the_same_file_comes_once(tmp_path):
    make(tmp_path, "a/b/1.txt", "a/2.txt")
    overlapping = [tmp_path / "a/b", tmp_path / "a", tmp_path / "a/2.txt", tmp_path / "a/../a"]
    assert names(overlapping) == ["2.txt", "b/1.txt"]
    assert names([tmp_path / "a/2.txt", tmp_path / "a/../a/2.txt"]) == ["2.txt"]
    assert names([tmp_path / "a/*.txt", tmp_path / "a"]) == ["2.txt", "b/1.txt"]


def test_links_to_the_same_file_come_once(tmp_path):
    make(tmp_path, "in/real.txt", "elsewhere/far.txt", "elsewhere/deep/x.txt")
    (tmp_path / "in/a-link.txt").symlink_to("real.txt")
    (tmp_path / "in/far1.txt").symlink_to("../elsewhere/far.txt")
    (tmp_path / "in/far2.txt").symlink_to("../elsewhere/far.txt")
    (tmp_path / "in/linked").symlink_to("../elsewhere/deep", target_is_directory=True)
    (tmp_path / "in/loop").symlink_to(".", target_is_directory=True)
    assert names([tmp_path / "in"]) == ["far1.txt", "linked/x.txt", "real.txt"]
    (tmp_path / "other").symlink_to("in", target_is_directory=True)
    both = find_inputs([tmp_path / "in", tmp_path / "other"], [".txt"])
    assert sorted(s.path.resolve().name for s in both) == ["far.txt", "real.txt", "x.txt"]
    assert [s.name for s in both] == [s.name for s in both]
    assert names([tmp_path / "other"]) == ["far1.txt", "linked/x.txt", "real.txt"]


def test_broken_links_are_reported_not_left_out(tmp_path):
    make(tmp_path, "a.txt")
    (tmp_path / "broken.txt").symlink_to("nowhere")
    found = list(find_inputs([tmp_path], [".txt"]))
    assert [source.name for source in found] == ["a.txt", "broken.txt"]
    with pytest.raises(KerasuiteError, match=r"broken\.txt.*No such file"):
        found[1].read_bytes()


def test_pipes_devices_and_links_to_them_are_refused_when_read(tmp_path):
    make(tmp_path, "a.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "to-pipe.txt").symlink_to("pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    found = list(find_inputs([tmp_path], [".txt"]))
    assert [source.name for source in found] == ["a.txt", "pipe.txt", "zero.txt"]
    assert found[0].read_bytes() == b"a.txt"
    for source in found[1:]:
        with pytest.raises(KerasuiteError, match=rf"{source.name}: Not a regular file"):
            source.read_bytes()


def test_files_below_follow_links_once_and_without_loops(tmp_path):
    make(tmp_path, "disk/b/2.jpg", "data/a/1.JPG", "data/.hidden/3.jpg", "data/__MACOSX/4.jpg")
    (tmp_path / "data/more").symlink_to("../disk", target_is_directory=True)
    (tmp_path / "data/again").symlink_to("../disk/b", target_is_directory=True)
    (tmp_path / "disk/b/loop").symlink_to("../../data", target_is_directory=True)
    found = files_below(tmp_path / "data", (".jpg",))
    assert [os.path.relpath(path, tmp_path / "data") for path in found] == [
        "a/1.JPG",
        "again/2.jpg",
    ]
    inside = [os.path.basename(path) for path in folders_in(tmp_path / "data")]
    assert inside == ["a", "again", "more"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["1.txt", "2.txt"]),
        ("?.txt", ["1.txt", "2.txt"]),
        ("[13].txt", ["1.txt"]),
        ("*/*.txt", ["a/3.txt", "b/4.txt"]),
        ("**/*.txt", ["1.txt", "2.txt", "a/3.txt", "a/deep/5.txt", "b/4.txt"]),
        ("**/deep", ["a/deep/5.txt"]),
        ("a*", ["a/3.txt", "a/deep/5.txt"]),
        ("a/", ["3.txt", "deep/5.txt"]),
        ("*.dat", ["6.dat"]),
        (".*/*.txt", [".h/7.txt"]),
    ],
)
def test_globs(tmp_path, monkeypatch, pattern, expected):
    make(tmp_path, "1.txt", "2.txt", "a/3.txt", "b/4.txt", "a/deep/5.txt", "6.dat", ".h/7.txt")
    monkeypatch.chdir(tmp_path)
    assert names([pattern]) == expected


def test_glob_names_start_after_the_fixed_part(tmp_path):
    make(tmp_path, "x/y/a1/z.txt", "x/y/a2/z.txt")
    assert names([f"{tmp_path}/x/y/a*/z.txt"]) == ["a1/z.txt", "a2/z.txt"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path):
    make(tmp_path, "a[1].txt", "a1.txt")
    assert names([tmp_path / "a[1].txt"]) == ["a[1].txt"]


def test_output_folder_is_never_read(tmp_path):
    make(tmp_path, "a.txt", "out/b.txt", "c/d.txt")
    (tmp_path / "link").symlink_to("out", target_is_directory=True)
    assert names([tmp_path], output=tmp_path / "out") == ["a.txt", "c/d.txt"]
    assert names([f"{tmp_path}/**/*.txt"], output=tmp_path / "out") == ["a.txt", "c/d.txt"]
    with pytest.raises(KerasuiteError, match="both INPUT and --output"):
        names([tmp_path / "out"], output=tmp_path / "link")


def test_long_and_foreign_names(tmp_path):
    long = "日本語" * 27 + "é" * 3 + ".txt"  # 253 bytes of 255.
    undecodable = os.fsdecode(b"\xff\xfe.txt")
    make(tmp_path, long, undecodable, "new\nline.txt", 'quo"te,.txt')
    found = list(find_inputs([tmp_path], [".txt"]))
    assert {s.name for s in found} == {long, undecodable, "new\nline.txt", 'quo"te,.txt'}
    assert all(s.read_bytes() for s in found)


def test_standard_input_is_one_input(tmp_path, monkeypatch):
    make(tmp_path, "a.txt")
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(b"content")))
    found = list(find_inputs(["-", tmp_path / "a.txt", "-"]))
    assert [(s.name, s.path is None) for s in found] == [("stdin", True), ("a.txt", False)]
    assert found[0].read_bytes() == b"content"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("missing", "INPUT .*missing does not exist"),
        ("*.nothing", "matches no file"),
        ("missing/*.txt", "matches no file"),
        ("empty", r"holds no file to read \(looked for .png, .txt\)"),
    ],
)
def test_nothing_to_read(tmp_path, item, message):
    make(tmp_path, "a.jpg", "empty/b.jpg", "empty/.hidden.txt")
    with pytest.raises(KerasuiteError, match=message):
        find_inputs([tmp_path / item], [".png", ".txt"])


def test_one_empty_folder_among_others(tmp_path):
    make(tmp_path, "full/a.txt", "empty/a.jpg")
    with pytest.raises(KerasuiteError, match="empty holds no file"):
        find_inputs([tmp_path / "full", tmp_path / "empty"], [".txt"])


def test_limit_and_shards(tmp_path):
    make(tmp_path, *(f"{i}.txt" for i in range(10)))
    assert names([tmp_path], limit=3) == ["0.txt", "1.txt", "2.txt"]
    assert names([tmp_path], shard="2/3") == ["1.txt", "4.txt", "7.txt"]
    parts = [names([tmp_path], shard=f"{k}/3", limit=8) for k in (1, 2, 3)]
    assert sorted(sum(parts, [])) == names([tmp_path], limit=8)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/2/3", "-1/3", ""])
def test_bad_shard(text):
    with pytest.raises(UsageError, match="K/N"):
        parse_shard(text)


def test_a_list_holds_a_path_for_each_file(tmp_path):
    make(tmp_path, *(f"folder{i}/{j:060d}.txt" for i in range(20) for j in range(50)))
    tracemalloc.start()
    found = find_inputs([tmp_path], [".txt"])
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 1000
    assert size < 1000 * (100 + len(str(found[0].path)))


def test_loops_of_links_end(tmp_path):
    make(tmp_path, "a/1.txt", "b/2.txt")
    for folder in ("a", "b"):
        for number in range(3):
            link = tmp_path / folder / f"loop{number}"
            link.symlink_to("../b" if folder == "a" else "..", target_is_directory=True)
    (tmp_path / "self.txt").symlink_to("self.txt")
    for item in (tmp_path, f"{tmp_path}/**/*.txt", f"{tmp_path}/**"):
        assert names([item]) == ["a/1.txt", "b/2.txt", "self.txt"]


def test_a_file_behind_two_inputs_keeps_the_path_without_links(tmp_path):
    make(tmp_path, "x/1.txt")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link").symlink_to("../x", target_is_directory=True)
    assert names([tmp_path / "a", tmp_path / "x"]) == ["x/1.txt"]
    assert names([f"{tmp_path}/a/*/*.txt", tmp_path / "x/1.txt"]) == ["x/1.txt"]
    assert names([f"{tmp_path}/a/**", tmp_path / "x"]) == ["x/1.txt"]
