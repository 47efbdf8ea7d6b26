"""What the site makes of the repository: pages beside docs/, links, and examples.

In the repository README.md links to docs/guide.md, and pages link to ../README.md; on
the site both lie in one folder, and the README is its first page.
"""

import pathlib
import posixpath
import re

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parents[1]
BESIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CITATION.cff": "CITATION.cff",
}
"""Path in the repository -> on the site."""
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie beside docs/."""
    for name, uri in BESIDE.items():
        content = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Let links lead to where their targets lie on the site."""
    here = page.file.src_uri
    of_site = {uri: name for name, uri in BESIDE.items()}
    folder = posixpath.dirname(of_site.get(here, f"docs/{here}"))

    def moved(link: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        target = BESIDE.get(target, target.removeprefix("docs/"))
        return "](" + posixpath.relpath(target, posixpath.dirname(here) or ".")

    return _LINK.sub(moved, markdown)


def on_page_content(html: str, page: Page, files: Files, **_: object) -> str:
    """The same in notebooks, whose links come as HTML."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html
    folder = posixpath.dirname(page.file.src_uri)

    def moved(link: re.Match) -> str:
        file = files.get_file_from_path(
            posixpath.normpath(posixpath.join(folder, link[1]))
        )
        if file is None:
            raise PluginError(f"{page.file.src_uri}: {link[1]} is no page")
        return f'href="{file.url_relative_to(page.file)}"'

    return re.sub(r'href="([^":]+\.(?:md|ipynb))"', moved, html)


class ExampleSections(griffe.Extension):
    """Show `Example:` of a docstring as code; griffe knows `Examples:` alone."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Name the section as griffe does."""
        if obj.docstring is not None:
            text = obj.docstring.value
            obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", text)
