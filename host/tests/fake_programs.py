"""Stand-ins for the programs that a build calls."""


def put_on_path(folder, monkeypatch, **programs):
    """Make `folder` the whole PATH, with these shell programs in it."""
    folder.mkdir(exist_ok=True)
    for name, script in programs.items():
        file = folder / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
