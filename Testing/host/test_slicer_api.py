"""Neither the headless host's stand-ins nor our .ui files and code use anything that the real Slicer lacks."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from inspect import getattr_static
from pathlib import Path
from xml.etree import ElementTree

import pytest
import slicer
import slicer.util

from repository import REPOSITORY
from slicer_host.python_layer import PACKAGES, STAND_IN_MODULES, sample_data_of, source
from slicer_host.real_api import API, FROM_PYTHONQT, full_name, known, signatures
from slicer_host.usage import Reader

UI_FILES = sorted(REPOSITORY.glob("*/Resources/UI/*.ui"))
CODE_FOLDERS = sorted({path.parent for path in REPOSITORY.glob("*/CMakeLists.txt")} - {REPOSITORY / "Testing"})
ONLY_IN_QT_5 = {
    "QComboBox": {"activated(QString)", "highlighted(QString)", "currentIndexChanged(QString)"},
    "QDoubleSpinBox": {"valueChanged(QString)"},
    "QSpinBox": {"valueChanged(QString)"},
}

pytestmark = pytest.mark.usefixtures("host")


def own_names(stand_in: type) -> set[str]:
    overridden = {"paintEvent"}  # of Qt, protected
    return {name for name in vars(stand_in) if not name.startswith("_") and name != "staticMetaObject"} - overridden


def stand_ins() -> list[type]:
    from slicer_host import io_manager, modules, ui_loader, widgets

    return [
        *ui_loader.STAND_INS.values(),
        io_manager.qSlicerCoreIOManager,
        modules.qSlicerMainWindow,
        modules.qSlicerModuleFactoryManager,
        modules.qSlicerModuleManager,
        modules.qSlicerModuleSelectorToolBar,
        modules.qSlicerScriptedLoadableModule,
        widgets.qSlicerScriptedLoadableModuleWidget,
    ]


def test_the_stand_ins_have_nothing_that_the_real_classes_lack() -> None:
    from PySide6.QtCore import Property, Signal

    for stand_in in stand_ins():
        name = stand_in.__name__
        for kind, kinds in ((Property, ("properties",)), (Signal, ("signals",))):
            own = {item for item in own_names(stand_in) if isinstance(vars(stand_in)[item], kind)}
            assert own <= known(name, *kinds), f"{name} has no {own - known(name, *kinds)}"
        excess = own_names(stand_in) - known(name, "properties", "methods", "signals")
        assert not excess, f"{name} has no {excess}"


def test_the_signals_of_the_stand_ins_carry_what_those_of_the_real_classes_carry() -> None:
    import ctk

    from slicer_host.modules import qSlicerModuleManager

    for stand_in in (slicer.qMRMLNodeComboBox(), slicer.qMRMLWidget(), ctk.ctkSliderWidget(), qSlicerModuleManager()):
        name = type(stand_in).__name__
        real = {re.sub(r"vtk\w+\*", "PyObject", signature) for signature in signatures(name)}
        meta = stand_in.metaObject()
        for index in range(meta.superClass().methodCount(), meta.methodCount()):
            declared = bytes(meta.method(index).methodSignature().data()).decode()
            if declared.split("(")[0] in own_names(type(stand_in)):
                assert {declared, declared.split("(")[0]} & real, f"{name} has no {declared}"


def test_the_application_has_nothing_that_slicer_app_lacks() -> None:
    assert {name for name in dir(slicer.app) if not name.startswith("_")} <= set(API["app"])


def test_qt_has_its_properties_and_methods_where_slicers_qt_has_them() -> None:
    import qt

    from slicer_host.qt_bindings import LEFT_AS_METHODS

    for full in (name for name in API["classes"] if name.startswith("qt.")):
        cls = getattr(qt, full.removeprefix("qt."))
        for name in known(full, "properties") - LEFT_AS_METHODS - FROM_PYTHONQT:
            found = getattr_static(cls, name, None)  # None: Qt 6 has it no more
            assert found is None or isinstance(found, property), f"{full}.{name} is a property in Slicer"
        for name in known(full, "methods") - known(full, "properties") - FROM_PYTHONQT:
            assert not isinstance(getattr_static(cls, name, None), property), f"{full}.{name} is a method in Slicer"


@pytest.mark.parametrize(
    "class_name",
    [name.removeprefix("qt.") for name in API["classes"] if name.startswith("qt.") and API["classes"][name]["signals"]],
)
def test_the_signals_of_slicers_qt_can_be_connected(class_name: str) -> None:
    import qt

    sender = getattr(qt, class_name)()
    for signature in set(API["classes"][full_name(class_name)]["signals"]) - ONLY_IN_QT_5.get(class_name, set()):
        if "(" in signature:
            assert sender.connect(signature, print), signature


def methods(cls: type) -> set[str]:
    return {name for name, value in vars(cls).items() if inspect.isfunction(value) and not name.startswith("_")}


@pytest.mark.parametrize("name", PACKAGES)
def test_the_stand_ins_of_slicers_packages_have_nothing_that_the_real_ones_lack(name: str) -> None:
    if source() is not None:
        pytest.skip("Slicer's own package runs")
    module = importlib.import_module(name)
    for item in module.__all__:
        stand_in, real = getattr(module, item), API["packages"][name][item]
        if "methods" in real:
            assert methods(stand_in) <= set(real["methods"]), item
        else:
            parameters = list(inspect.signature(stand_in).parameters)
            assert parameters == [parameter for parameter in real["parameters"] if parameter in parameters], item


def test_the_stand_in_of_sample_data_takes_what_slicers_own_takes() -> None:
    checkout = source()
    if checkout is None:
        pytest.skip("needs a checkout of Slicer: CONTRIBUTING.md")
    stand_in, real = (
        parameters_in(folder / "SampleData.py") for folder in (STAND_IN_MODULES, sample_data_of(checkout))
    )
    for name, parameters in stand_in.items():
        assert parameters == [parameter for parameter in real[name] if parameter in parameters], name


def parameters_in(path: Path) -> dict[str, list[str]]:
    """Of the public functions, and of the methods as Class.method."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [(node.name, node) for node in tree.body if isinstance(node, ast.FunctionDef)]
    functions += [
        (f"{cls.name}.{node.name}", node) for cls in classes for node in cls.body if isinstance(node, ast.FunctionDef)
    ]
    return {
        name: [argument.arg for argument in node.args.args]
        for name, node in functions
        if not node.name.startswith("_") or node.name == "__init__"
    }


def ui_widgets(path: Path) -> dict[str, ElementTree.Element]:
    return {element.get("name", ""): element for element in ElementTree.parse(path).iter("widget")}


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_a_ui_file_sets_only_properties_that_the_real_widgets_have(path: Path) -> None:
    for name, element in ui_widgets(path).items():
        properties = {prop.get("name") for prop in element.findall("property") if prop.get("stdset") != "0"}
        excess = properties - known(element.get("class", ""), "properties")
        assert not excess, f"{name}: a {element.get('class')} has no {excess}"


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_a_ui_file_makes_only_connections_that_the_real_widgets_have(path: Path) -> None:
    widgets = ui_widgets(path)
    for connection in ElementTree.parse(path).iter("connection"):
        sender, receiver = (widgets[str(connection.findtext(tag))].get("class", "") for tag in ("sender", "receiver"))
        assert connection.findtext("signal") in signatures(sender)
        assert str(connection.findtext("slot")).split("(")[0] in known(receiver, "methods")


@pytest.mark.parametrize("folder", CODE_FOLDERS, ids=lambda folder: folder.name)
def test_our_code_uses_only_what_slicer_has(folder: Path) -> None:
    ui_classes = {
        name: element.get("class", "")
        for path in folder.glob("Resources/UI/*.ui")
        for name, element in ui_widgets(path).items()
    }
    reader = Reader(ui_classes)
    mistakes = [
        f"{path.relative_to(REPOSITORY)}, {mistake}"
        for path in sorted(folder.rglob("*.py"))
        for mistake in reader.mistakes(path.read_text(encoding="utf-8"))
    ]
    assert not mistakes, "\n".join(mistakes)
    if ui_classes:
        assert reader.uses
        assert reader.connections


def test_what_slicer_lacks_is_found_in_code() -> None:
    code = """
class Panel:
    def __init__(self):
        self._timer = qt.QTimer()
        self._boxes = {"field": self.ui.box}

    def update(self, item: qt.QTableWidgetItem):
        table = self.ui.table
        table.rowsCount
        table.rowCount()
        self._timer.connect("timeout(int)", self.update)
        for name, box in self._boxes.items():
            box.addItm("3 T")
        item.txt()
        self.ui.other.hide()
        slicer.util.pip_instal("x")
        slicer.packaging.pip_ensure("x", requestor="ACNet")
        qt.Qt.AlignTopp
"""
    found = "\n".join(Reader({"box": "QComboBox", "table": "QTableWidget"}).mistakes(code))
    for part in (
        "line 9: a qt.QTableWidget has no rowsCount",
        "line 10: rowCount of a qt.QTableWidget is a property",
        "line 11: a qt.QTimer has no signal timeout(int)",
        "line 13: a qt.QComboBox has no addItm",
        "line 14: a qt.QTableWidgetItem has no txt",
        "line 15: the .ui file has no other",
        "line 16: slicer.util has no pip_instal",
        "line 17: slicer.packaging.pip_ensure has no parameter requestor",
        "line 18: qt.Qt has no AlignTopp",
    ):
        assert part in found
