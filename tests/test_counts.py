import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict_nlp.counts import Count, parse

bound = st.none() | st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("at least a dozen soldiers", ">=12"),
        ("one member of Baghdad’s security forces", "1"),
        ("18 people, including civilians", "18"),
        ("between 10 and 15", "10-15"),
        ("10-15 villagers", "10-15"),
        ("ten to twelve", "10-12"),
        ("3 or 4 men", "3-4"),
        ("up to 40", "<=40"),
        ("fewer than 20 fighters", "<=20"),
        ("nearly 100", "~100"),
        ("some 300 families", "~300"),
        ("more than 100", ">=100"),
        ("no fewer than eight", ">=8"),
        ("40 or more", ">=40"),
        ("no casualties", "0"),
        ("nobody", "0"),
        ("several American troops", "?"),
        ("dozens", "?"),
        ("hundreds of people", "?"),
        ("several hundred villagers", "?"),
        ("hundreds of thousands of people", "?"),
        ("an unspecified number of women", "?"),
        ("civilians", "?"),
        ("2,300", "2300"),
        ("more than 300 000 people", ">=300000"),
        ("1.5 million", "1500000"),
        ("one and a half million", "1500000"),
        ("half a million", "500000"),
        ("a quarter of a million people", "250000"),
        ("two dozen", "24"),
        ("half a dozen men", "6"),
        ("two hundred and six", "206"),
        ("Twenty-one people", "21"),
        ("a hundred men", "100"),
        ("two hundred of them", "200"),
        ("hundred of individuals", "?"),
        ("a mother and her child", "2"),
        ("a couple of farmers", "2"),
        ("a 12-year-old girl", "1"),
        ("an Army jawan", "1"),
        ("a Frontier Corps (FC) soldier", "1"),
        ("soldiers of the 144 Battalion", "?"),
        ("two soldiers of the 1st Brigade", "2"),
        ("half of the 200 hostages", "?"),
        ("some of the 40 hostages", "?"),
        ("one in three", "?"),
        ("30 to 40 per cent of residents", "?"),
        ("between 200 and 300 thousand", "200000-300000"),
        ("three-quarters of a million", "750000"),
        ("a man and two women", "3"),
        ("three soldiers and four civilians", "7"),
        ("a father, his wife and their two children", "4"),
        ("15 people or more", ">=15"),
        ("100-plus", ">=100"),
        (">130 000", ">=130000"),
        ("“at least” 12", ">=12"),
        ("at least 10 and possibly as many as 20", "10-20"),
        ("twenty-odd", "~20"),
        ("10−15", "10-15"),
        ("a six-member family", "6"),
        ("a girl under 18", "1"),
        ("children under 12", "?"),
        ("the 9 May victims", "?"),
        ("not one soldier", "0"),
        ("a platoon", "?"),
        ("a Buddhist couple", "2"),
        ("the sole survivor", "1"),
        ("five-year-old boy", "1"),
        ("a boy, 12", "1"),
        ("two boys, 12 and 14", "2"),
        ("a father, 35, and his son, 7", "2"),
        ("John Smith, 34", "?"),
        ("three people, two of them children", "3"),
        ("six Israelis, two of whom were children", "6"),
        ("the wounded, 1,200", "1200"),
        ("a policeman, two soldiers and three civilians, two of whom were children", "6"),
        ("a mother and her two children, one of them a baby", "3"),
        ("a man and his ٣ children", "4"),
        ("a man and his " + "9" * 30 + " children", "?"),
        ("1" + ",000" * 110, "?"),
        ("", "?"),
        ("a man and his 12-year-old son", "2"),
        ("a colonel and his 15th Brigade driver", "2"),
        ("ten to two dozen people", "10-24"),
        ("half a dozen to a dozen men", "6-12"),
        ("eighty to two hundred people", "80-200"),
        ("20 people, five children among them", "20"),
        ("dozens, among them 5 children", "?"),
        ("an unknown number wounded", "?"),
        ("a crowd waiting for bread", "?"),
        ("a soldier on patrol", "1"),
        ("a talk show host", "1"),
        ("1.5 m people", "1500000"),
        ("10k-15k fighters", "10000-15000"),
        ("5k-plus refugees", ">=5000"),
        ("a journalist held since 2014 in Syria", "1"),
        ("two in five civilians", "?"),
        ("1 to 1.5 million people", "1000000-1500000"),
        ("3 M'Bororo herders", "3"),
        ("a man 50 m from the post", "50"),
        ("an unidentified gang member", "1"),
        ("a party-affiliated journalist", "1"),
        ("several people - among them 3 children", "?"),
        ("20 in two separate attacks", "20"),
        ("5 Marines", "5"),
        ("20 Janjaweed fighters", "20"),
        ("3 M-23 rebels", "3"),
        ("3m people", "3000000"),
        ("a soldier and 12,500 villagers", "12501"),
        ("1,200 soldiers and 300 civilians", "1500"),
        ("a mother and her 2 young children", "3"),
        ("a man and his pregnant wife", "2"),
        ("a total of 2000 people", "2000"),
        ("the massacre of 1927", "?"),
        ("a 10-day-old baby", "1"),
        ("a man of 22 from a rival network", "1"),
        ("victims of the September 11 attacks", "?"),
        ("another dozen people", "12"),
        ("a couple dozen people", "?"),
        ("a significant number of civilians", "?"),
        ("a Palestinian family", "?"),
        ("a family member", "1"),
        ("a party of pilgrims", "?"),
        ("a Communist Party of India cadre", "1"),
        ("eleven out of fourteen", "11"),
        ("seven out of ten", "?"),
        ("2 or 3 dozen people", "24-36"),
        ("two to three hundred people", "200-300"),
        ("ten or twelve thousand refugees", "10000-12000"),
        ("a million and a half people", "1500000"),
        ("several people, including 3 children", "?"),
        ("25 people, including 3 children", "25"),
    ],
)
def test_phrases_of_reports(text, count):
    assert str(parse(text)) == count


@given(st.integers(0, 10**9))
def test_digits_are_themselves(number):
    assert parse(f"{number} people").bounds == (number, number)
    assert parse(f"{number:,} people").bounds == (number, number)
    assert parse(f"at least {number} people").bounds == (number, None)


@given(st.text(max_size=60))
def test_any_text_gives_a_count_that_can_be_written_and_read(text):
    count = parse(text)
    assert Count.from_string(str(count)).bounds == count.bounds


@given(bound, bound)
def test_the_grammar_goes_both_ways(low, high):
    if low is not None and high is not None and low > high:
        low, high = high, low
    count = Count(low, high)
    assert Count.from_string(str(count)) == count


@pytest.mark.parametrize("text", ["", "12 people", "<3", "5-3", "~5-6", ">=", "-1", "1.5", "9" * 30])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="is no count"):
        Count.from_string(text)


def test_sums_keep_what_is_known():
    assert str(Count(3, 3) + Count(2, 2)) == "5"
    assert str(Count(3, 3) + Count(2, None)) == ">=5"
    assert str(Count(3, 3) + Count()) == ">=3"
    assert str(Count() + Count()) == "?"
    assert str(Count(0, 0) + Count()) == "?"
    assert str(Count(None, 40) + Count(1, 1)) == "1-41"
    assert (Count(100, 100, True) + Count(1, 1)).approximate


@given(st.lists(st.builds(Count, st.integers(0, 99).map(int), st.none()), min_size=3, max_size=3))
def test_a_sum_does_not_depend_on_order(counts):
    a, b, c = counts
    assert a + b + c == c + (b + a)
