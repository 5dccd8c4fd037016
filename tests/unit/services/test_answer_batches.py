"""AnswerBatches: the next batch is fetched when it is needed, and the source is stopped once, if at all."""

from __future__ import annotations

from cells.services.answer_batches import AnswerBatches


class Source:
    def __init__(self, *batches: tuple[str, bool]) -> None:
        self.batches = list(batches)
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1

    def answers(self) -> AnswerBatches[str]:
        return AnswerBatches(lambda: self.batches.pop(0), self.stop)


def test_batches_are_fetched_until_the_last_one() -> None:
    source = Source(("ab", False), ("", False), ("c", True))
    answers = source.answers()
    assert next(answers) == "a"
    assert len(source.batches) == 2
    assert list(answers) == ["b", "c"]
    assert list(answers) == []
    answers.close()
    assert source.stops == 0


def test_an_iteration_that_ends_early_stops_the_source_once() -> None:
    source = Source(("ab", False))
    with source.answers() as answers:
        assert next(answers) == "a"
    answers.close()
    assert list(answers) == []
    assert source.stops == 1


def test_an_empty_source_is_neither_fetched_from_nor_stopped() -> None:
    source = Source()
    answers = AnswerBatches[str](lambda: source.batches.pop(0), source.stop, is_complete=True)
    assert list(answers) == []
    answers.close()
    assert source.stops == 0
