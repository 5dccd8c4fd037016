"""Parts of the mixed-version test: the two releases, and the verdict that detects failures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.upgrade.load import faults
from tests.upgrade.load_client import Operation
from tests.upgrade.old_release import OLD_COMMIT, OLD_VERSION
from tests.upgrade.recorder import Runs
from tests.upgrade.releases import ROOT, NoHistory, Release, install_old_release

CALL = Operation("api/call/0", "call", ["az1"], None, 0.0)
BROADCAST = Operation("api/broadcast/0", "broadcast", ["api", "az1"], None, 0.0)
ALL_RAN = {("api/call/0", "az1"): 1, ("api/broadcast/0", "api"): 1, ("api/broadcast/0", "az1"): 1}


def test_both_releases_are_installed_correctly(old: Release, new: Release) -> None:
    was, is_now = old.identity(), new.identity()
    assert was["version"] == OLD_VERSION
    assert was["package"] == was["installed"]
    assert not Path(was["package"]).is_relative_to(ROOT)
    assert was["package"] != is_now["package"]
    assert is_now["version"] != OLD_VERSION


def test_without_the_history_the_missing_commit_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match=f"{OLD_COMMIT} is not in {tmp_path}.*not a git repository"):
        install_old_release(tmp_path / "old", repository=tmp_path)


def test_the_verdict_is_empty_if_all_ran_once() -> None:
    assert faults([CALL, BROADCAST], Counter(ALL_RAN)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({("api/broadcast/0", "az1"): 0}, "did not run in az1", id="lost"),
        pytest.param({("api/call/0", "az1"): 2}, "ran 2 times in az1", id="doubled"),
        pytest.param({("api/call/0", "west"): 1}, "api/call/0 ran in west", id="strayed"),
        pytest.param({("api/call/1", "az1"): 1}, "api/call/1 ran in az1", id="without-a-sender"),
    ],
)
def test_lost_and_doubled_operations_are_detected(change: Runs, fault: str) -> None:
    runs = +Counter({**ALL_RAN, **change})
    (found,) = faults([CALL, BROADCAST], runs)
    assert fault in found


def test_a_failed_operation_is_detected_although_it_ran() -> None:
    (found,) = faults(
        [Operation("api/call/0", "call", ["az1"], "CallTimeout: too late", 0.0)], Counter([("api/call/0", "az1")])
    )
    assert "CallTimeout: too late" in found
