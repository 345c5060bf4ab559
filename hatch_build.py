"""The wheel's build hook: compiled modules go in where this machine can compile them.

Holds: says which it is. Without a C compiler, Python's headers or mypyc the wheel is pure and
fits every platform; with them it carries the binaries beside their sources and fits this one, on
processors that have what this one's binaries need: it says what.
Never: fails a build that could be pure; a module that mypyc refuses does fail it.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileCore(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling finds it by the file's name."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version != "standard":
            return  # an editable install is compiled in place, by scripts/setup.py
        root = Path(self.root)
        program = _program(root)
        reason = program.hindrance()
        if reason is not None:
            self.app.display_warning(f"Pure wheel: {reason}. The core will run interpreted.")
            return
        if program.is_current(root):
            names: list[str] = program.made(root)["binaries"]
        else:
            names = program.compile_in_place(root)
        needs = " ".join(program.made(root)["needs"]) or "any of its kind"
        self.app.display_info(f"Compiled wheel: {len(names) - 1} modules; processor: {needs}.")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(root / name): name for name in names})


def _program(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "straddle_compile_core", root / "scripts" / "compile_core.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
