"""For the site that `make docs` builds: the README is its first page, and links to files outside it lead to GitHub."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")
PICTURE = re.compile(r"!\[[^]]*\]\((Resources/[^)]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as first page, and the pictures that it shows."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for picture in PICTURE.findall(readme):
        files.append(File.generated(config, picture, abs_src_path=str(REPOSITORY / picture)))
    files.append(File.generated(config, "index.md", content=readme))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages, or to GitHub where there is no page."""
    folder = "" if page.file.src_uri == "index.md" else "Documentation"

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match[1].partition("#")
        path = posixpath.normpath(posixpath.join(folder, target))
        page_path = "index.md" if path == "README.md" else path.removeprefix("Documentation/")
        if files.get_file_from_path(page_path) is None:
            return f"]({config.repo_url}/blob/main/{path})"
        return f"]({page_path}{'#' + anchor if anchor else ''})"

    return LINK.sub(link, markdown)
