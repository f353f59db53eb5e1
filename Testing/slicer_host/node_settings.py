"""What a node selector lists, and what it offers to do with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import slicer


@dataclass
class NodeSettings:
    """The fields are properties of Slicer's node selector, with its defaults."""

    nodeTypes: Sequence[str] = ()
    showChildNodeTypes: bool = True
    hideChildNodeTypes: Sequence[str] = ()
    showHidden: bool = False
    noneEnabled: bool = False
    noneDisplay: str = "None"
    addEnabled: bool = True
    removeEnabled: bool = True
    renameEnabled: bool = False
    selectNodeUponCreation: bool = True
    baseName: str = ""

    def fit(self, node: slicer.vtkMRMLNode) -> bool:
        """Whether the node is to be listed."""
        class_name = node.GetClassName()
        if class_name in self.hideChildNodeTypes or (node.GetHideFromEditors() and not self.showHidden):
            return False
        if self.showChildNodeTypes:
            return any(node.IsA(node_type) for node_type in self.nodeTypes)
        return class_name in self.nodeTypes

    def actions(self, label: Callable[[str], str]) -> list[tuple[str, str]]:
        """What can be done, as text and as "rename", "remove" or the class of the node to create."""
        current = label(self.nodeTypes[0]) if len(self.nodeTypes) == 1 else "node"
        rename = [(f"Rename current {current}", "rename")] if self.renameEnabled else []
        create = [(f"Create new {label(kind)}", kind) for kind in self.nodeTypes if self.addEnabled]
        remove = [(f"Delete current {current}", "remove")] if self.removeEnabled else []
        return [*rename, *create, *remove]
