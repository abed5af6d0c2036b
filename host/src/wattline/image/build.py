"""Build the firmware image of one board; return at once when nothing has changed."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from endpoint.version import VERSION
from wattline.errors import RunError
from wattline.image import boards, cache, paths, sources, toolchain, uf2
from wattline.image.progress import Stages
from wattline.image.run import ProgramFailed, clean_environment, run

_BUILD_ID_DIGITS = 16
# Counts changes of how this file configures a build tree: old trees are then not used again.
_RECIPE = 1


@dataclass(frozen=True)
class Identity:
    """What an image says about itself."""

    version: str
    board: str
    git: str
    build_id: str
    micropython: str


@dataclass(frozen=True)
class Image:
    """A finished image.

    Attributes
    ----------
    uf2 : Path
        The file to flash.
    report : dict
        Identity, sizes in bytes, SHA-256 and the inputs; also stored beside the file.
    fresh : bool
        Whether it was built by this call.
    """

    uf2: Path
    report: dict
    fresh: bool


def build_image(
    board: str,
    *,
    micropython: Path | None = None,
    root: Path | None = None,
    target: Path | None = None,
    quiet: bool = False,
) -> Image:
    """Build the image of `board`, or return the one that is there when its inputs are the same.

    Parameters
    ----------
    board : str
        Name of a folder in `boards/`.
    micropython : Path, optional
        A MicroPython checkout to use instead of Debian's sources.
    root : Path, optional
        Cache for sources and build trees; `paths.cache_root()` when left out.
    target : Path, optional
        Folder for the image; `paths.output_folder(board)` when left out.
    quiet : bool
        Show no progress.

    Raises
    ------
    WattlineError, RunError
        One sentence with cause and cure.
    """
    board_folder = boards.folder(board)
    root = root or paths.cache_root()
    target = target or paths.output_folder(board)
    own_tree = sources.own_tree(micropython) if micropython else None
    with cache.disk_trouble_named(root), Stages(quiet) as stages:

        def waiting() -> None:
            stages.stage("Waiting for another build to end")

        with cache.locked(root, waiting):
            compiler = toolchain.find(root, stages)
            tree = own_tree or sources.fetch(root, stages)
            identity, inputs = _identify(board, board_folder, tree, compiler)
            image = target / f"wattline-{board}.uf2"
            report = cache.read_json(image.with_suffix(".json"))
            if _is_current(image, report, identity):
                return Image(image, report, fresh=False)
            report = _Builder(root, target, tree, compiler, stages).run(
                board_folder, image, identity, inputs
            )
            return Image(image, report, fresh=True)


def build_twice(board: str, *, micropython: Path | None = None) -> list[str]:
    """Build one image twice from nothing, in folders of different depth; return both SHA-256.

    Raises
    ------
    RunError
        The inputs changed between the two builds.
    """
    boards.folder(board)
    root = paths.cache_root()
    with tempfile.TemporaryDirectory(prefix="wattline-") as folder:
        reports = []
        for place in ("first", "the/second"):
            fresh = Path(folder) / place
            fresh.mkdir(parents=True)
            if micropython is None:
                # The unpacked sources are shared: the compiler sees a different path to them.
                with Stages() as stages, cache.locked(root, lambda: None):
                    tree = sources.fetch(root, stages).tree.parent
                (fresh / tree.name).symlink_to(tree)
            image = build_image(board, micropython=micropython, root=fresh, target=fresh / "image")
            reports.append(image.report)
    if reports[0]["build_id"] != reports[1]["build_id"]:
        raise RunError("the sources changed while the two images were built: run it again")
    return [report["sha256"] for report in reports]


def _is_current(image: Path, report: dict | None, identity: Identity) -> bool:
    if report is None or report.get("build_id") != identity.build_id or not image.exists():
        return False
    return hashlib.sha256(image.read_bytes()).hexdigest() == report.get("sha256")


def _identify(
    board: str, board_folder: Path, tree: sources.Sources, compiler: toolchain.Toolchain
) -> tuple[Identity, dict[str, str]]:
    """Return the identity of the image to be, and the hash of each input by name."""
    checkout = paths.checkout()
    git = _git_description(checkout)
    inputs = dict(tree.inputs)
    for file in _input_files(checkout, board_folder):
        name = file.relative_to(checkout).as_posix()
        inputs[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    for recipe in (Path(__file__), Path(uf2.__file__)):
        inputs[f"image/{recipe.name}"] = hashlib.sha256(recipe.read_bytes()).hexdigest()
    inputs["compiler"] = compiler.version
    inputs["git"] = git
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    build_id = digest[:_BUILD_ID_DIGITS]
    return Identity(VERSION, board, git, build_id, tree.version), inputs


def _input_files(checkout: Path, board_folder: Path) -> list[Path]:
    """Return every file of the checkout that can change the image."""
    folders = [board_folder, boards.shared(), checkout / "firmware" / "boot"]
    files = [file for folder in folders for file in folder.iterdir() if file.is_file()]
    files += (checkout / "firmware" / "endpoint").rglob("*.py")
    return sorted(files)


def _git_description(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _short_hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


class _Builder:
    """One build: mpy-cross, configuration, compilation, UF2, report."""

    def __init__(
        self,
        root: Path,
        target: Path,
        tree: sources.Sources,
        compiler: toolchain.Toolchain,
        stages: Stages,
    ) -> None:
        self._root = root
        self._tree = tree
        self._compiler = compiler
        self._stages = stages
        target.mkdir(parents=True, exist_ok=True)
        self._log = target / "build.log"
        self._log.write_text("")

    def run(
        self, board_folder: Path, image: Path, identity: Identity, inputs: dict[str, str]
    ) -> dict:
        """Build, write image and report, and return the report."""
        folder = self._build_folder(board_folder)
        unfinished = folder / "unfinished"
        if unfinished.exists():
            # A compiler that was killed may have left half a frozen module behind.
            shutil.rmtree(folder / "frozen_mpy", ignore_errors=True)
        unfinished.touch()
        environment = self._environment(folder, self._mpy_cross())
        self._write_build_info(folder / "build_info", identity)
        self._configure(folder, board_folder, environment)
        self._compile(folder, identity.board, environment)
        binary = (folder / "firmware.bin").read_bytes()
        content = uf2.pack(binary)
        report = {
            **asdict(identity),
            "file": image.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "sizes_bytes": self._sizes(folder, len(binary)),
            "inputs": inputs,
        }
        cache.write_whole(image, content)
        cache.write_json(image.with_suffix(".json"), report)
        unfinished.unlink()
        return report

    def _build_folder(self, board_folder: Path) -> Path:
        """Return the build tree for these sources, compiler and board; remove those of others.

        The board's C side is part of the key because MicroPython's build does not look for
        names again when only a header changes. Frozen modules are not: ninja follows those.
        """
        settings = [
            hashlib.sha256(file.read_bytes()).hexdigest()
            for folder in (board_folder, boards.shared())
            for file in sorted(folder.iterdir())
            if file.suffix in (".h", ".cmake", ".csv")
        ]
        key = _short_hash([self._tree.key, self._compiler.version, settings, _RECIPE])
        folder = self._root / f"build-{board_folder.name}-{key}"
        for other in self._root.glob(f"build-{board_folder.name}-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _environment(self, folder: Path, mpy_cross: Path) -> dict[str, str]:
        """Return the environment in which the same inputs give the same bytes anywhere."""
        # The last match wins, so the folders inside another come after it.
        moved = {paths.checkout(): "wattline", folder: "build", self._tree.tree: "micropython"}
        flags = " ".join(f"-ffile-prefix-map={place}=/{name}" for place, name in moved.items())
        search = f"{self._compiler.folder}{os.pathsep}{os.environ.get('PATH', '')}"
        return clean_environment(
            PATH=search,
            CFLAGS=flags,
            CXXFLAGS=flags,
            ASMFLAGS=flags,
            MICROPY_MPYCROSS=str(mpy_cross),
            MICROPY_GIT_TAG=self._tree.version,
            SOURCE_DATE_EPOCH=str(self._tree.date_s),
            NINJA_STATUS="[%f/%t] ",
            PYTHONHASHSEED="0",
        )

    def _mpy_cross(self) -> Path:
        """Return the compiler for frozen modules, built once from the same sources."""
        folder = self._root / f"mpy-cross-{_short_hash(self._tree.inputs)}"
        if not folder.exists():
            self._stages.stage("Building mpy-cross")
            for other in self._root.glob("mpy-cross-*"):
                shutil.rmtree(other, ignore_errors=True)
            with cache.complete_folder(folder) as fresh:
                self._run(
                    ["make", "-C", self._tree.tree / "mpy-cross", f"-j{os.cpu_count() or 1}",
                     f"BUILD={fresh}"],
                    clean_environment(MICROPY_GIT_TAG=self._tree.version),
                )  # fmt: skip
        return folder / "mpy-cross"

    def _write_build_info(self, folder: Path, identity: Identity) -> None:
        """Write the frozen module `build_info`; untouched when it says the same already."""
        facts = asdict(identity)
        lines = ['"""What this image is; written by the build."""', ""]
        lines += [f"{name.upper()} = {value!r}" for name, value in facts.items()]
        lines += [f"IMAGE = {uf2.MARK + json.dumps(facts)!r}", ""]
        text = "\n".join(lines)
        folder.mkdir(exist_ok=True)
        file = folder / "build_info.py"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)

    def _configure(self, folder: Path, board_folder: Path, environment: dict[str, str]) -> None:
        if (folder / "build.ninja").exists():
            return
        self._stages.stage("Configuring the firmware")
        settings = {
            "CMAKE_MAKE_PROGRAM": toolchain.build_tool("ninja"),
            "MICROPY_BOARD": board_folder.name,
            "MICROPY_BOARD_DIR": board_folder,
            "MICROPY_FROZEN_MANIFEST": board_folder / "manifest.py",
            "MICROPY_MANIFEST_BUILD_INFO_DIR": folder / "build_info",
            "PICO_NO_PICOTOOL": 1,
            "PICO_TOOLCHAIN_PATH": self._compiler.folder,
        }
        command = [toolchain.build_tool("cmake"), "-G", "Ninja"]
        command += ["-S", self._tree.tree / "ports" / "rp2", "-B", folder]
        command += [f"-D{name}={value}" for name, value in settings.items()]
        self._run(command, environment)

    def _compile(self, folder: Path, board: str, environment: dict[str, str]) -> None:
        self._stages.stage(f"Compiling the firmware for {board}")

        def follow(line: str) -> None:
            step = re.match(r"\[(\d+)/(\d+)\]", line)
            if step:
                self._stages.advance(int(step[1]), int(step[2]))

        self._run([toolchain.build_tool("ninja"), "-C", folder], environment, follow)

    def _sizes(self, folder: Path, flash: int) -> dict[str, int]:
        """Return sizes in bytes: image, code, initialised data, zeroed data, frozen modules."""
        size = self._compiler.program("size")

        def columns(file: Path) -> list[int]:
            line = run([size, file], root=self._root, environment=clean_environment())
            return [int(word) for word in line.splitlines()[1].split()[:3]]

        text, data, bss = columns(folder / "firmware.elf")
        frozen = columns(next(folder.glob("CMakeFiles/firmware.dir/frozen_content.c.o*")))
        return {"flash": flash, "text": text, "data": data, "bss": bss, "frozen": sum(frozen)}

    def _run(
        self,
        command: list[str | Path],
        environment: dict[str, str],
        follow: Callable[[str], None] | None = None,
    ) -> None:
        try:
            run(command, root=self._root, environment=environment, log=self._log, follow=follow)
        except ProgramFailed as error:
            raise RunError(f"{error} (whole log: {self._log})") from error
