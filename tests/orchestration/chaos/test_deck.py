"""Which faults there are, and when each has its turn."""

from collections import Counter
from itertools import islice, product

from orchestration.chaos.deck import SHORT, STEPS, Card, Deck, Kind, Target, every_card


def kind_of(card: Card) -> tuple[object, ...]:
    return (
        card.kind,
        card.target,
        card.step,
        card.wire,
        card.knob,
        card.route,
        card.kind is Kind.CLOCK and card.seconds,
    )


def short_run(seed: int) -> list[Card]:
    deck = Deck(seed)
    return [deck.deal() for _ in range(SHORT)]


def test_there_is_a_card_for_every_step_and_fault_and_process() -> None:
    there = {(card.step, card.kind, card.target) for card in every_card()}
    assert there >= set(product(STEPS, (Kind.KILL, Kind.FREEZE), Target))


def test_a_few_seeds_in_a_row_see_every_card() -> None:
    cards = every_card()
    days = -(-len(cards) // SHORT)
    for first in (0, 739_000):  # as tests count days
        seen = Counter(kind_of(card) for seed in range(first, first + days) for card in short_run(seed))
        assert set(seen) == {kind_of(card) for card in cards}
        assert max(seen.values()) <= 2


def test_a_seed_is_the_same_faults_each_time() -> None:
    assert short_run(7) == short_run(7)
    assert short_run(7) != short_run(8)


def test_a_card_that_could_not_be_played_is_the_next() -> None:
    deck = Deck(0)
    card = deck.deal()
    deck.put_back(card)
    assert (deck.played, deck.deal(), deck.played) == (0, card, 1)
    assert card not in list(islice(iter(deck.deal, None), SHORT))
