"""The build of the real control plane, as far as it is decided before anything is fetched or compiled."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import control_plane  # noqa: E402  the scripts are no package
from control_plane import ControlPlane, Failed, Mirror  # noqa: E402

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = f"""Types: deb
# a comment
URIs: https://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEY}
"""
OTHERS = "Types: deb\nURIs: https://other.test/apt\nSuites: cloud-bookworm\nComponents: main\n"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([DEBIAN], Mirror(("https://mirror.test/debian",), KEY)),
        ([OTHERS, DEBIAN], Mirror(("https://mirror.test/debian",), KEY)),
        ([f"Enabled: no\n{OTHERS}", DEBIAN], Mirror(("https://mirror.test/debian",), KEY)),
        ([DEBIAN.replace("bookworm bookworm-updates", "trixie")], Mirror(("https://mirror.test/debian",), KEY)),
        (
            [control_plane.paragraph("deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main")],
            Mirror(("http://mirror.test/debian",), "/k.gpg"),
        ),
        ([control_plane.paragraph("deb http://m.test/debian stable main")], Mirror(("http://m.test/debian",), KEY)),
    ],
    ids=[
        "its own form",
        "after others",
        "after one that is off",
        "a newer Debian",
        "one line",
        "one line without a key",
    ],
)
def test_the_machines_own_mirror_is_found(texts: list[str], found: Mirror) -> None:
    assert control_plane.mirror(texts) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# deb http://m.test/debian bookworm main",
        OTHERS,
        f"Enabled: no\n{DEBIAN}",
        DEBIAN.replace("main contrib", "contrib"),
    ],
)
def test_a_machine_that_reads_no_debian_is_told_what_to_do(text: str) -> None:
    lines = [control_plane.paragraph(text)] if text.startswith("#") else [text]
    with pytest.raises(Failed, match=r"no Debian mirror is named in /etc/apt .* KUBECONFIG"):
        control_plane.mirror(lines)


def test_a_control_plane_is_built_when_every_program_is_there(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path)
    for name in ("etcd", *control_plane.PROGRAMS):
        assert not plane.built
        (tmp_path / "made").write_text("#!/bin/sh\n")
        control_plane.place(tmp_path / "made", plane.program(name))
        assert plane.program(name).stat().st_mode & 0o111
    assert plane.built


def test_the_build_is_told_nothing_of_an_outer_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "-j8 --jobserver-auth=3,4")
    told = control_plane.environment(tmp_path)
    assert "MAKEFLAGS" not in told
    assert (told["GOPROXY"], told["CGO_ENABLED"]) == ("off", "0")


def test_a_step_that_fails_says_its_last_words_and_where_all_of_them_are(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "tree").mkdir(parents=True)
    command = [sys.executable, "-c", "import sys; print('began', flush=True); sys.exit('no room left')"]
    with pytest.raises(Failed, match=r"it broke \(.* ended with 1: .*no room left\); all of it is in .*build\.log"):
        control_plane.run(command, work / "tree", "it broke")
    assert "began" in (work / "build.log").read_text()


def test_a_source_that_is_not_as_expected_is_not_mended(tmp_path: Path) -> None:
    folder = tmp_path / "vendor" / "github.com" / "modern-go" / "reflect2"
    folder.mkdir(parents=True)
    (folder / "unsafe_link.go").write_text("package reflect2\n")
    with pytest.raises(Failed, match=r"unsafe_link\.go of the source package is not as it was"):
        control_plane.mend(tmp_path)


def test_a_mended_source_iterates_maps_the_newer_way(tmp_path: Path) -> None:
    folder = tmp_path / "vendor" / "github.com" / "modern-go" / "reflect2"
    folder.mkdir(parents=True)
    link = "func mapiterinit(t unsafe.Pointer, m unsafe.Pointer) *hiter\ntype hiter struct {\n\tkey unsafe.Pointer\n}\n"
    (folder / "unsafe_link.go").write_text(link)
    old = "\treturn &UnsafeMapIterator{\n\t\thiter:      mapiterinit(type2.rtype, m),\n\t\tpKeyRType: x,\n\t}\n"
    (folder / "unsafe_map.go").write_text(old)
    control_plane.mend(tmp_path)
    assert "m unsafe.Pointer, it *hiter)\n" in (folder / "unsafe_link.go").read_text()
    assert "checkBucket uintptr" in (folder / "unsafe_link.go").read_text()
    mended = (folder / "unsafe_map.go").read_text()
    assert "hiter: &it,\n\t\tpKeyRType: x," in mended


def test_nothing_of_the_machines_apt_is_written(tmp_path: Path) -> None:
    command = control_plane.apt(tmp_path, "update")
    assert f"Dir::State::lists={tmp_path}/apt/lists" in command
    assert f"Dir::Cache={tmp_path}/apt/cache" in command
    assert "Dir::Etc::sourcelist=/dev/null" in command
