"""A node is left out when runs fail there that do not fail elsewhere, and only then."""

from surefoot.execution.standing import Standing


def test_failures_alone_make_a_node_doubtful_but_do_not_leave_it_out():
    standing = Standing(3)
    for _ in range(3):
        assert not standing.is_doubtful("a")
        standing.failed("a")
    assert standing.is_doubtful("a")
    assert standing.left_out("a") == ""


def test_a_run_that_ends_well_elsewhere_is_the_proof():
    standing = Standing(3)
    for _ in range(3):
        standing.failed("a")
    standing.ended_well("b", elsewhere="a")
    assert "3 runs in a row failed there" in standing.left_out("a")
    assert standing.left_out("b") == ""


def test_the_proof_may_come_before_the_last_failure():
    standing = Standing(3)
    standing.failed("a")
    standing.ended_well("b", elsewhere="a")
    standing.failed("a")
    assert standing.left_out("a") == ""
    standing.failed("a")
    assert standing.left_out("a")


def test_a_run_that_fails_everywhere_acquits_both_nodes():
    standing = Standing(3)
    for _ in range(10):
        standing.failed("a")
        standing.failed("b", elsewhere="a")
    assert not standing.is_doubtful("a")
    assert not standing.is_doubtful("b")


def test_a_run_that_ends_well_clears_the_node():
    standing = Standing(2)
    standing.failed("a")
    standing.ended_well("b", elsewhere="a")
    standing.ended_well("a")
    standing.failed("a")
    assert not standing.is_doubtful("a")
    assert standing.left_out("a") == ""


def test_a_node_where_no_worker_starts_is_left_out_after_a_few():
    standing = Standing(3)
    for _ in range(2):
        standing.could_not_start("a", "no module named surefoot")
    standing.started("a")
    for _ in range(3):
        assert standing.left_out("a") == ""
        standing.could_not_start("a", "no module named surefoot")
    assert standing.left_out("a") == "no worker could be started there: no module named surefoot"
