"""Finding the mirror in the machine's own apt configuration, and naming apt's failures."""

import pytest

from wattline.errors import WattlineError
from wattline.image.apt import Archive, explained, find_archive
from wattline.image.run import ProgramFailed


def etc_apt(tmp_path, **files):
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    for name, text in files.items():
        if name == "sources_list":
            (tmp_path / "sources.list").write_text(text)
        else:
            (parts / name.replace("__", ".")).write_text(text)
    return tmp_path


def test_stanza_format(tmp_path):
    keyring = tmp_path / "keys.gpg"
    keyring.touch()
    etc = etc_apt(
        tmp_path,
        debian__sources=f"""\
# the main archive
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {keyring}
""",
    )
    assert find_archive(etc) == Archive("http://mirror.example/debian", keyring)


def test_line_format_with_options(tmp_path):
    keyring = tmp_path / "keys.gpg"
    keyring.touch()
    etc = etc_apt(
        tmp_path,
        sources_list=f"""\
# deb http://old.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [ arch=amd64 signed-by={keyring} ] http://mirror.example/debian bookworm main # ours
""",
    )
    assert find_archive(etc) == Archive("http://mirror.example/debian", keyring)


def test_other_archives_are_passed_over(tmp_path):
    etc = etc_apt(
        tmp_path,
        a_vendor__list="deb https://vendor.example/apt stable-vendor main\n",
        b_node__sources="Types: deb\nURIs: https://node.example\nSuites: nodistro\n"
        "Components: main\n",
        c_off__sources="Enabled: no\nTypes: deb\nURIs: http://off.example/debian\n"
        "Suites: bookworm\nComponents: main\n",
        d_security__sources="Types: deb\nURIs: http://mirror.example/security\n"
        "Suites: bookworm-security\nComponents: main\n",
        e_disabled__off="deb http://disabled.example/debian bookworm main\n",
        f_debian__sources="Types: deb deb-src\nURIs: http://mirror.example/debian\n"
        "Suites: trixie\nComponents: main\n",
    )
    assert find_archive(etc).address == "http://mirror.example/debian"


def test_key_inside_the_stanza_falls_back_to_the_keyring(tmp_path):
    etc = etc_apt(
        tmp_path,
        debian__sources="Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\n"
        "Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n",
    )
    keyring = find_archive(etc).keyring
    assert keyring is None or keyring.name == "debian-archive-keyring.gpg"


def test_no_archive_is_one_sentence(tmp_path):
    with pytest.raises(WattlineError, match="MICROPYTHON="):
        find_archive(etc_apt(tmp_path))


@pytest.mark.parametrize(
    ("output", "cure"),
    [
        (
            "Err:1 http://x trixie InRelease\n  Temporary failure resolving 'x'",
            "check the network",
        ),
        ("W: Failed to fetch http://x  Could not connect to x:80", "check the network"),
        (
            "The following signatures couldn't be verified ... NO_PUBKEY 1",
            "debian-archive-keyring",
        ),
        ("E: Failed to fetch http://x  Hash Sum mismatch", "arrived broken"),
        ("E: Failed to fetch http://x  File has unexpected size (1 != 2)", "arrived broken"),
    ],
)
def test_failures_name_the_cure(output, cure):
    error = explained(ProgramFailed("apt-get failed", output))
    assert cure in str(error)
    assert "\n" not in str(error)


def test_unknown_failure_keeps_its_own_words():
    error = explained(ProgramFailed("apt-get failed: E: strange", "E: strange"))
    assert "strange" in str(error)
