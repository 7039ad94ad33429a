import base64
import html.parser
import io

import numpy as np
import pytest
from PIL import Image

from shared.report.page import MarkedText, Page, Span, data_address

VOID = {"meta", "img", "br"}


class Checker(html.parser.HTMLParser):
    """Collects text and picture addresses, and checks that every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.sources, self.tags = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [value for key, value in attributes if key in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def picture(form="PNG"):
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), 200, "uint8")).save(stream, form)
    return stream.getvalue()


def test_a_page_is_well_formed_and_loads_nothing_from_elsewhere(tmp_path):
    file = tmp_path / "a b é.png"
    file.write_bytes(picture())
    page = Page("Results")
    page.heading("Part one")
    page.text("A line.\nAnother.")
    page.code("kerasuite classify train DATA")
    rows = [
        ("cat", 3, 0.98765),
        ("dog", 12345, float("nan")),
        ("cow", np.int64(4321), np.float32(0.1)),
    ]
    page.table(rows, ["class", "count", "score"])
    page.pictures([(file, "from a file"), (picture("JPEG"), "from bytes")], large=True)
    page.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    checked = Checker(text)
    assert {"h1", "h2", "p", "pre", "table", "figure"} <= set(checked.tags)
    assert "12,345" in checked.text and "0.9877" in checked.text and "nan" in checked.text
    assert "4,321" in checked.text and "0.1" in checked.text and "0.10" not in checked.text
    assert len(checked.sources) == 2 and all(s.startswith("data:image/") for s in checked.sources)
    encoded = checked.sources[0].partition("base64,")[2]
    assert base64.b64decode(encoded) == picture()
    assert "http" not in text and "script" not in checked.tags


def test_contents_link_to_headings(tmp_path):
    """Before the parts of another page; what is to come has no picture and no link."""
    body = Page("")
    body.heading('A & "B"', anchor="a")
    whole = Page("Results")
    whole.contents([("a", 'A & "B"', picture()), ("c", "C", None)])
    whole.extend(body)
    checked = Checker(whole.render(tmp_path))
    links = [source for source in checked.sources if source.startswith("#")]
    assert links == ["#a"] and len(checked.sources) == 2
    assert "C (to come)" in checked.text and checked.text.count('A & "B"') == 2
    assert checked.tags.index("a") < checked.tags.index("h2")


def test_all_text_is_escaped(tmp_path):
    evil = "<script>alert('1')</script> & \"quotes\""
    page = Page(evil)
    page.heading(evil)
    page.text(evil)
    page.code(evil)
    page.table([(evil,)], [evil])
    page.pictures([(picture(), evil)])
    page.shaded([(evil, 0.5, evil)])
    checked = Checker(page.render())
    assert "script" not in checked.tags
    assert checked.text.count(evil) == 9
    assert "rgb(230 100 30 / 0.50)" in page.render()


def test_pictures_can_be_linked_relative_to_the_page(tmp_path):
    (tmp_path / "samples").mkdir()
    file = tmp_path / "samples" / "50% #1?.png"
    file.write_bytes(picture())
    page = Page("Gallery", inline=False)
    page.pictures([(file, "linked")])
    page.write(tmp_path / "gallery.html")
    checked = Checker((tmp_path / "gallery.html").read_text())
    assert checked.sources == ["samples/50%25%20%231%3F.png"]


def test_pictures_of_many_formats():
    for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP"):
        assert data_address(picture(form)).startswith(f"data:image/{form.lower()};base64,")
    with pytest.raises(ValueError, match="no picture format"):
        data_address(picture("TIFF"))


def test_spans_are_marked_where_they_are():
    page = Page("Spans")
    text = "x" * 1000 + "Anna <b> met Li." + "y" * 1000
    page.marked_text(MarkedText("line 1", text, [Span(1000, 1004, "PER"), Span(1013, 1015, "P&R")]))
    shown = page.render()
    around = f"…{'x' * 400}<mark>Anna<small>PER</small></mark> &lt;b&gt; met "
    assert f"{around}<mark>Li<small>P&amp;R</small></mark>.{'y' * 399}…</p>" in shown
    page.marked_text(MarkedText("none", "short", []))
    assert "<p>short</p>" in page.render()
    Checker(page.render())
