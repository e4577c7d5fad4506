"""Every Python block of the documentation and the README runs, page by page, top to bottom."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NEEDS_MODEL = "pgen.load("


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def parameters():
    for page in PAGES:
        marks = [pytest.mark.model] if NEEDS_MODEL in "".join(blocks(page)) else []
        yield pytest.param(page, id=page.name, marks=marks)


@pytest.mark.parametrize("page", list(parameters()))
def test_the_code_of_a_page_runs(page):
    names = {"__name__": f"docs.{page.stem}"}
    for number, block in enumerate(blocks(page), 1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)


def test_some_page_has_code_and_links_lead_somewhere():
    assert sum(len(blocks(page)) for page in PAGES) >= 10
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+\.md)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
