import io

import pytest
from rich.console import Console

from cuckoo.demo.accounts import Accounts, Earned
from cuckoo.demo.fairness import Outcome
from cuckoo.demo.show import VISIBLE_TASKS, LiveShow, PlainShow
from cuckoo.domain.amounts import CAI, Wei

ACCOUNTS = Accounts(
    vouchers={"wren": Wei(10 * CAI)},
    paid_wei=Wei(10 * CAI),
    fees_wei=Wei(1 * CAI),
    earned=[
        Earned(who="wren-owner", part="owns wren", pictures_wei=Wei(9 * CAI), stake_wei=Wei(CAI // 3)),
        Earned(who="alice", part="voted for wren", pictures_wei=Wei(0), stake_wei=Wei(CAI // 6)),
    ],
)


@pytest.fixture
def screen():
    return io.StringIO()


def terminal(screen):
    return Console(file=screen, force_terminal=True, width=110, height=40, color_system=None, highlight=False)


def play(show, tasks):
    with show, show.stage("preparing"):
        pass
    with show:
        show.pictures(tasks)
        for number in range(1, tasks + 1):
            show.drawn(number, f"prompt {number}", "wren", 0.1, 16)
            show.step(number, 8, 16)
        for number in range(1, tasks + 1):
            show.done(number)
        show.earned(ACCOUNTS)
        show.table([("wren", Outcome(node_id=1, stake_wei=20_000 * 10**18, expected=4.8, done=3, least=0, most=12))])


def test_plain__a_line_a_draw_and_a_line_a_picture(screen):
    play(PlainShow(Console(file=screen, width=100, highlight=False)), 2)
    text = screen.getvalue()
    assert "✓ preparing" in text
    assert " 1/2  drawn  prompt 1 (wren, odds 10%, 16 steps)" in text
    assert " 2/2  done   prompt 2" in text
    assert "\x1b" not in text
    lines = text.splitlines()
    assert any(all(cell in line for cell in ("wren-owner", "owns wren", "9.0000", "0.3333")) for line in lines)
    assert any(all(cell in line for cell in ("all", "9.0000", "0.4999")) for line in lines)
    assert "cost 10 CAI" in text
    assert "9 to the miners' owners" in text
    assert any(
        all(cell in line for cell in ("wren", "20,000", "100%", "4.8", "3", "0 to 12")) for line in text.splitlines()
    )


def test_live__a_bar_a_task__names_step_miner_and_odds(screen):
    show = LiveShow(terminal(screen))
    with show:
        show.pictures(2)
        show.drawn(1, "a red apple", "magpie", 0.65, 16)
        show.step(1, 5, 16)
        show._live.refresh()
    line = next(line for line in screen.getvalue().splitlines() if "step 5 of 16" in line)
    assert "a red apple" in line
    assert "magpie" in line
    assert "odds 65%" in line
    assert "0 of 2" in screen.getvalue()


def test_live__more_tasks_than_fit__finished_ones_make_room_running_ones_stay(screen):
    show = LiveShow(terminal(screen))
    with show:
        show.pictures(100)
        show.drawn(1, "slow", "wren", 0.1, 16)
        for number in range(2, 60):
            show.drawn(number, f"prompt {number}", "wren", 0.1, 16)
            show.done(number)
        shown = [task.description.strip() for task in show._each.tasks]
    assert len(shown) == VISIBLE_TASKS
    assert shown[0] == "slow"
    assert shown[-1] == "prompt 59"


def test_live__another_attempt__begins_the_bar_anew(screen):
    show = LiveShow(terminal(screen))
    with show:
        show.pictures(1)
        show.drawn(1, "a cat", "wren", 0.1, 16)
        show.step(1, 9, 16)
        show.drawn(1, "a cat", "robin", 0.3, 16)
        (bar,) = show._each.tasks
    assert (bar.completed, bar.fields["miner"].strip()) == (0, "robin")


def test_live__interrupted__gives_the_terminal_back(screen):
    def interrupted():
        with LiveShow(terminal(screen)) as show:
            show.pictures(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h")


def test_table__outside_of_what_chance_allows__is_red(screen):
    console = Console(file=screen, force_terminal=True, width=110, highlight=False, color_system="standard")
    show = LiveShow(console)
    show.table([("wren", Outcome(node_id=1, stake_wei=10**18, expected=4.8, done=30, least=0, most=12))])
    assert "\x1b[31m" in screen.getvalue()
