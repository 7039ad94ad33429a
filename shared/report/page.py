"""A small HTML page in one file: no scripts, no fonts, nothing loaded from elsewhere.

Used for the demo page, galleries and the most confident mistakes:

    page = Page("Mistakes")
    page.heading("Cats taken for dogs")
    page.pictures([(folder / "a.png", "cat, taken for dog (0.98)")])
    page.write(folder / "mistakes.html")
"""

import base64
import html
import numbers
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from shared.common.files import write_text

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; margin: 1.6em 0 0.5em; }
h1 { margin-top: 0.5em; }
p { max-width: 48rem; white-space: pre-line; overflow-wrap: anywhere; }
.shaded { font-family: ui-monospace, monospace; white-space: pre-wrap; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; }
th { background: var(--soft); }
td.number { text-align: right; }
pre { background: var(--soft); padding: 0.75rem; overflow-x: auto; border-radius: 0.3rem; }
.pictures { display: grid; gap: 1rem; }
.pictures { grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); }
.pictures.large { grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }
figure { margin: 0; }
figure img { width: 100%; height: auto; border-radius: 0.3rem; background: var(--soft); }
.pictures:not(.large) img { aspect-ratio: 1; object-fit: contain; }
.pictures a { color: inherit; }
iframe { width: 100%; height: 36rem; border: 1px solid var(--line); border-radius: 0.3rem; }
mark { border-radius: 0.2rem; padding: 0 0.15em; }
mark small { opacity: 0.75; font-weight: bold; padding-left: 0.4em; }
figcaption { font-size: 0.875rem; overflow-wrap: anywhere; white-space: pre-line; }
""".strip()

MIME_BY_MAGIC = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"BM": "image/bmp",
}

Source = str | os.PathLike | bytes
Picture = tuple[Source, str]
# Characters of a text around its marked spans.
SHOWN_AROUND = 400


class Span(NamedTuple):
    """A part of a text, from `start` up to but not including `end`, in characters."""

    start: int
    end: int
    label: str


class MarkedText(NamedTuple):
    """A text with marked spans, in order and apart, below a line of its own."""

    caption: str
    text: str
    spans: Sequence[Span]


class Page:
    """Collects blocks from top to bottom; all text is escaped.

    Args:
        title: str. Title of the window and first heading.
        inline: bool. Whether picture files are put into the page, so that it can be moved
            and sent alone. Otherwise they are linked relative to the page.
    """

    def __init__(self, title: str, inline: bool = True):
        self.title = title
        self.inline = inline
        # HTML, or what gives it for the page's folder.
        self._blocks: list[str | Callable[[Path], str]] = []

    def heading(self, text: str, level: int = 2, anchor: str = "") -> None:
        """Adds a heading of level 2 or 3.

        Args:
            text: str. The heading.
            level: int. 2 or 3.
            anchor: str. Name by which `contents` links to it.
        """
        name = f' id="{html.escape(anchor)}"' if anchor else ""
        self._blocks.append(f"<h{level}{name}>{html.escape(text)}</h{level}>")

    def contents(self, entries: Iterable[tuple[str, str, Source | None]]) -> None:
        """Adds a table of contents: (anchor of a heading, title, picture or None if to come)."""
        chosen = list(entries)
        self._blocks.append(lambda folder: _grid([self._entry(*entry, folder) for entry in chosen]))

    def extend(self, page: "Page") -> None:
        """Adds all that another page holds so far."""
        self._blocks += page._blocks

    def text(self, text: str) -> None:
        """Adds a paragraph; line breaks are kept."""
        self._blocks.append(f"<p>{html.escape(text)}</p>")

    def marked_text(self, marked: MarkedText) -> None:
        """Adds a text with its spans marked; what is far from all spans is left out."""
        self._blocks.append(
            f"<figure><figcaption>{html.escape(marked.caption)}</figcaption></figure>"
            f"<p>{_marked(marked.text, marked.spans)}</p>"
        )

    def code(self, text: str) -> None:
        """Adds commands or other text in a fixed-width font."""
        self._blocks.append(f"<pre><code>{html.escape(text)}</code></pre>")

    def shaded(self, parts: Iterable[tuple[str, float, str]]) -> None:
        """Adds a text with a coloured background.

        Args:
            parts: (text, depth of the colour from 0 to 1, what is shown of a part that is pointed
                at).
        """
        spans = (
            f'<span title="{html.escape(note)}" style="background:rgb(230 100 30 / {depth:.2f})">'
            f"{html.escape(text)}</span>"
            for text, depth, note in parts
        )
        self._blocks.append(f'<p class="shaded">{"".join(spans)}</p>')

    def table(self, rows: Iterable[Sequence[Any]], header: Sequence[str] = ()) -> None:
        """Adds a table; floats are shown with four significant digits."""
        head = "".join(f"<th>{html.escape(str(name))}</th>" for name in header)
        head = f"<thead><tr>{head}</tr></thead>" if header else ""
        body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        self._blocks.append(
            f'<div class="wide"><table>{head}<tbody>\n{body}\n</tbody></table></div>'
        )

    def pictures(self, pictures: Iterable[Picture], large: bool = False) -> None:
        """Adds a gallery of (file or encoded bytes, caption); `large` for plots."""
        chosen = list(pictures)
        self._blocks.append(
            lambda folder: _grid([self._figure(*each, folder) for each in chosen], large)
        )

    def links(self, entries: Iterable[tuple[str | os.PathLike, str]]) -> None:
        """Adds a list of (file, text) links, relative to the page."""
        chosen = list(entries)
        self._blocks.append(lambda folder: _list(self._link(*each, folder) for each in chosen))

    def frame(self, file: str | os.PathLike) -> None:
        """Shows another page within this one; a link relative to the page."""
        self._blocks.append(
            lambda folder: f'<iframe src="{_relative(file, folder)}" loading="lazy"></iframe>'
        )

    def render(self, folder: str | os.PathLike = ".") -> str:
        """The page as text; links to pictures are relative to `folder`."""
        blocks = (
            block if isinstance(block, str) else block(Path(folder)) for block in self._blocks
        )
        title = html.escape(self.title)
        return "\n".join(
            [
                "<!doctype html>",
                '<html lang="en">',
                f'<head><meta charset="utf-8"><title>{title}</title>',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f"<style>\n{STYLE}\n</style></head>",
                f"<body>\n<h1>{title}</h1>",
                *blocks,
                "</body></html>\n",
            ]
        )

    def write(self, path: str | os.PathLike) -> None:
        """Writes the page atomically."""
        write_text(path, self.render(Path(path).parent))

    def _entry(self, anchor: str, title: str, source: Source | None, folder: Path) -> str:
        if source is None:
            return f"<figure><figcaption>{html.escape(title)} (to come)</figcaption></figure>"
        return f'<a href="#{html.escape(anchor)}">{self._figure(source, title, folder)}</a>'

    def _figure(self, source: Source, caption: str, folder: Path) -> str:
        caption = html.escape(caption)
        address = html.escape(self._address(source, folder))
        return (
            f'<figure><img src="{address}" alt="{caption}" loading="lazy">'
            f"<figcaption>{caption}</figcaption></figure>"
        )

    def _address(self, source: Source, folder: Path) -> str:
        if isinstance(source, bytes):
            return data_address(source)
        if self.inline:
            return data_address(Path(source).read_bytes())
        return quote(os.fsencode(Path(os.path.relpath(source, folder)).as_posix()))

    def _link(self, file: str | os.PathLike, text: str, folder: Path) -> str:
        return f'<a href="{_relative(file, folder)}">{html.escape(text)}</a>'


def _relative(file: str | os.PathLike, folder: Path) -> str:
    return html.escape(quote(os.fsencode(Path(os.path.relpath(file, folder)).as_posix())))


def _marked(text: str, spans: Sequence[Span]) -> str:
    first = max(spans[0].start - SHOWN_AROUND, 0) if spans else 0
    last = (spans[-1].end if spans else 0) + SHOWN_AROUND
    parts, position = ["…" if first else ""], first
    for start, end, label in spans:
        parts.append(html.escape(text[position:start]))
        shown = f"{html.escape(text[start:end])}<small>{html.escape(label)}</small>"
        parts.append(f"<mark>{shown}</mark>")
        position = end
    parts += [html.escape(text[position:last]), "…" if last < len(text) else ""]
    return "".join(parts)


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _grid(figures: Sequence[str], large: bool = False) -> str:
    """Figures side by side, as many as the window has room for."""
    inner = "\n".join(figures)
    return f'<div class="pictures{" large" if large else ""}">\n{inner}\n</div>'


def data_address(data: bytes) -> str:
    """A `data:` address of an encoded picture.

    Raises:
        ValueError: if the bytes are no PNG, JPEG, GIF, WebP or BMP.
    """
    for magic, mime in MIME_BY_MAGIC.items():
        if data.startswith(magic):
            return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
    raise ValueError(f"no picture format that browsers show begins with {data[:4]!r}")


def _cell(value: Any) -> str:
    # NumPy's numbers are registered with `numbers`.
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return f"<td>{html.escape(str(value))}</td>"
    shown = f"{value:,}" if isinstance(value, numbers.Integral) else f"{value:.4g}"
    return f'<td class="number">{shown}</td>'
