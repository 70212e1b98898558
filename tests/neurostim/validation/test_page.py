import re
from html.parser import HTMLParser

import pytest
from validation.test_table import BY_ID, small

from neurostim.validation.bars import WIDTH, bar
from neurostim.validation.page import render, write_page
from neurostim.validation.table import Row, measured_rows


@pytest.fixture(scope="module")
def page():
    samples = small()
    rows = measured_rows(
        samples, only=["D1", "D2a", "D5", "D6", "D7", "D8", "D10", "D11", "RNS-1y"]
    )
    return render(rows, samples=samples, subject="<Poisson> & co", facts={"Seed": "1"})


def test_the_page_fetches_nothing_and_escapes_what_it_is_told(page) -> None:
    assert "<Poisson>" not in page
    assert "Validation of &lt;Poisson&gt; &amp; co" in page
    assert not re.search(r"<(script|link|img|iframe)\b", page)
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "@import" not in page
    assert "url(http" not in page


def test_every_figure_has_its_words_and_ids_are_unique(page) -> None:
    labels = re.findall(r'role="img" aria-label="([^"]+)"', page)
    assert len(labels) == 8
    assert all(len(label) > 40 for label in labels)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "nan" not in " ".join(labels)


def test_tags_are_balanced(page) -> None:
    open_tags = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "br"}:
                open_tags.append(tag)

        def handle_startendtag(self, tag, attrs):
            pass

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Balance().feed(page)
    assert open_tags == []


def test_the_page_leads_with_a_verdict_and_names_itself_research(page, tmp_path) -> None:
    assert re.search(r"judged figures lie inside their published bands; .*D5.* fail", page)
    assert "Research software, not a medical device; patients are simulated." in page
    samples = small()
    rows = measured_rows(samples, only=["D4"])
    path = write_page(tmp_path / "page.html", rows, samples=samples, subject="x", facts={})
    text = path.read_text(encoding="utf-8")
    assert "0 of 1 judged" in text
    assert "<figure" not in text


def test_a_row_that_failed_to_measure_is_on_the_page_with_its_reason() -> None:
    rows = [Row(target=BY_ID["D1a"], value=float("nan"), error=float("nan"), note="no patients")]
    text = render(rows, samples=small(), subject="x", facts={})
    assert "no patients" in text
    assert "not measured" in text
    assert "<figure" not in text


def test_a_bar_keeps_its_order_and_stays_inside() -> None:
    made = bar(Row(target=BY_ID["D2e"], value=8.0, error=1.0))
    assert 0 <= made.band[0] < made.error[0] < made.value < made.error[1] < made.band[1]
    assert made.band[1] < made.reference <= WIDTH
    assert bar(Row(target=BY_ID["D2b"], value=0.9, error=0.01)).band[1] == WIDTH
    assert bar(Row(target=BY_ID["D12a"], value=1.0, error=0.1)) is None
    assert bar(Row(target=BY_ID["D12b"], value=100.0, error=0.0)).value > 0
    assert bar(Row(target=BY_ID["D1a"], value=float("nan"), error=float("nan"))) is None
