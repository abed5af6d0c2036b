"""Fetch MicroPython and the libraries it is built on from Debian, and unpack them."""

import hashlib
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from wattline.errors import RunError, WattlineError
from wattline.image import apt, cache
from wattline.image.progress import Stages
from wattline.image.run import ProgramFailed, run

_SUITE = "trixie"
_SOURCE_PACKAGES = ("micropython", "mbedtls")
_BINARY_PACKAGES = {"pico-sdk-source": "pico-sdk", "tinyusb-source": "tinyusb"}
_LIBRARIES = ("mbedtls", "pico-sdk", "tinyusb")
# The parts of a MicroPython tree that end up in the firmware.
_COMPILED = (
    "drivers",
    "extmod",
    "lib/crypto-algorithms",
    "lib/libm",
    "lib/littlefs",
    "lib/mbedtls/include",
    "lib/mbedtls/library",
    "lib/oofatfs",
    "lib/pico-sdk/src",
    "lib/tinyusb/src",
    "lib/uzlib",
    "ports/rp2",
    "py",
    "shared",
    "tools",
)


@dataclass(frozen=True)
class Sources:
    """A source tree that is ready to build.

    Attributes
    ----------
    tree : Path
        MicroPython, its libraries in place.
    version : str
        As MicroPython writes it, such as ``v1.25.0``.
    inputs : dict of str to str
        What the tree came from, by name, with its hash.
    key : str
        Changes when a compiled tree must not be used again; an edit does not change it.
    """

    tree: Path
    version: str
    inputs: dict[str, str]
    key: str

    @property
    def date_s(self) -> int:
        """Seconds UTC of the source's own release; the image shows this date."""
        return int((self.tree / "py" / "mpconfig.h").stat().st_mtime)


def fetch(root: Path, stages: Stages) -> Sources:
    """Return the sources from Debian, fetched once and kept under `root`.

    Raises
    ------
    RunError
        No network, a broken download, a full disk: one sentence with its cure.
    """
    folder = root / f"sources-{_SUITE}"
    inputs = cache.read_json(folder / "inputs.json")
    if inputs is None:
        with cache.complete_folder(folder) as fresh:
            inputs = _fetch_into(fresh, stages)
            cache.write_json(fresh / "inputs.json", inputs)
    original = next(
        name for name in inputs if name.startswith("micropython_") and ".orig." in name
    )
    version = "v" + original.removeprefix("micropython_").split("+")[0].split(".orig")[0]
    return Sources(folder / "micropython", version, inputs, key=f"{folder} {inputs}")


def _fetch_into(folder: Path, stages: Stages) -> dict[str, str]:
    """Download and unpack everything into an empty folder; return the hash of each download."""
    downloads = folder / "downloads"
    downloads.mkdir()
    private = apt.PrivateApt(folder / "apt", apt.find_archive(), _SUITE, folder.parent)
    stages.stage("Reading Debian's package lists")
    private.get("update", "--error-on=any", into=downloads)
    stages.stage("Downloading MicroPython and its libraries")
    private.get("source", "--download-only", *_SOURCE_PACKAGES, into=downloads)
    private.get("download", *_BINARY_PACKAGES, into=downloads)
    stages.stage("Unpacking the sources")
    try:
        for name in _SOURCE_PACKAGES:
            _unpack_source(_only(downloads, f"{name}_*.orig.tar.*"), folder / name)
        for package, name in _BINARY_PACKAGES.items():
            _unpack_package(_only(downloads, f"{package}_*.deb"), folder, name)
    except (tarfile.TarError, EOFError, ProgramFailed) as error:
        raise RunError(
            "a download is damaged and does not unpack: run the same command again"
        ) from error
    for name in _LIBRARIES:
        _put_in_place(folder / name, folder / "micropython" / "lib" / name)
    # The build only checks that this one exists; nothing of it is frozen.
    stub = folder / "micropython" / "lib" / "micropython-lib"
    stub.mkdir(exist_ok=True)
    (stub / "README.md").touch()
    inputs = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(downloads.iterdir())
        if ".orig." in file.name or file.suffix == ".deb"
    }
    shutil.rmtree(downloads)
    shutil.rmtree(folder / "apt")
    return inputs


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise RunError(
            f"the mirror gave {len(found)} files for {pattern} instead of one: run the same "
            "command again, or give a MicroPython checkout with MICROPYTHON=<path>"
        )
    return found[0]


def _unpack_source(archive: Path, target: Path) -> None:
    """Unpack a source archive so that its one top folder becomes `target`."""
    aside = target.with_name(target.name + ".unpack")
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "tar_filter", None)
        tar.extractall(aside)
    tops = list(aside.iterdir())
    top = tops[0] if len(tops) == 1 and tops[0].is_dir() else aside
    top.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def _unpack_package(package: Path, folder: Path, name: str) -> None:
    """Unpack a binary package that carries sources in usr/src/<name>."""
    aside = folder / f"{name}.unpack"
    run(["dpkg-deb", "-x", package, aside], root=folder)
    (aside / "usr" / "src" / name).rename(folder / name)
    shutil.rmtree(aside)


def _put_in_place(library: Path, target: Path) -> None:
    """Move a library to where MicroPython's build looks for it."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    library.rename(target)


def own_tree(path: Path) -> Sources:
    """Return a MicroPython checkout of the user's own.

    Raises
    ------
    WattlineError
        The path is no MicroPython checkout, or its libraries are missing.
    """
    tree = path.expanduser().resolve()
    if not (tree / "ports" / "rp2" / "CMakeLists.txt").is_file():
        raise WattlineError(
            f"{path} is no MicroPython checkout (it has no ports/rp2): give the top folder of one"
        )
    for name, file in (
        ("pico-sdk", "pico_sdk_init.cmake"),
        ("tinyusb", "src/tusb.c"),
        ("mbedtls", "library/aes.c"),
    ):
        if not (tree / "lib" / name / file).is_file():
            raise WattlineError(
                f"the MicroPython checkout {path} lacks lib/{name}: run "
                f"`make -C {path}/ports/rp2 submodules` once"
            )
    version = _own_version(tree)
    return Sources(tree, version, {"micropython": _own_hash(tree)}, key=f"{tree} {version}")


def _git(tree: Path, *arguments: str) -> str | None:
    try:
        return run(["git", "-C", tree, *arguments], root=tree).strip()
    except RunError:
        return None


def _own_version(tree: Path) -> str:
    """Return what git says about the tree, else the version in its sources."""
    if (tree / ".git").exists():
        described = _git(tree, "describe", "--tags", "--always", "--dirty")
        if described:
            return described
    text = (tree / "py" / "mpconfig.h").read_text(errors="replace")
    numbers = re.findall(r"#define MICROPY_VERSION_(?:MAJOR|MINOR|MICRO) (\d+)", text)
    return "v" + ".".join(numbers) if numbers else "unknown"


def _own_hash(tree: Path) -> str:
    """Return a hash over what the firmware is compiled from, whether committed or not."""
    digest = hashlib.sha256()
    for top in _COMPILED:
        for file in sorted((tree / top).rglob("*")):
            if file.suffix in (".c", ".h", ".s", ".S", ".py", ".cmake", ".ld", ".csv", ".txt"):
                digest.update(str(file.relative_to(tree)).encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
