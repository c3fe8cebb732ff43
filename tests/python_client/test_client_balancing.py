"""Several servers behind one name."""

import pytest

from client_fake import serving

CALLS = 30


def address_of(*servers):
    """A name, as far as gRPC is concerned."""
    return "ipv4:" + ",".join(server.address.replace("localhost", "127.0.0.1") for server in servers)


def ask_many(ask, servers, **options):
    """How many calls each server got. The first waits until one is connected; then all are given the time."""
    ask(*[lambda client: client.classify("I love it")] * CALLS, address=address_of(*servers), **options)
    return [len(server.bertha.calls) for server in servers]


def test_round_robin_asks_all_servers_in_turn(ask):
    with serving() as one, serving() as two:
        counts = ask_many(ask, (one, two), load_balancing="round_robin")
    assert sum(counts) == CALLS
    assert min(counts) >= CALLS / 3  # until the second is connected all calls go to the first


def test_round_robin_spares_who_says_not_serving(ask):
    with serving() as one, serving() as two:
        one.health.watched = "NOT_SERVING"
        assert ask_many(ask, (one, two), load_balancing="round_robin") == [0, CALLS]


def test_without_it_one_server_gets_all(ask):
    with serving() as one, serving() as two:
        assert sorted(ask_many(ask, (one, two))) == [0, CALLS]


def test_an_unknown_policy_is_refused():
    from bertha import Client

    with pytest.raises(ValueError, match="load_balancing must be one of pick_first, round_robin, not 'random'"):
        Client(load_balancing="random")
