"""`POST /api/ingest/v1/samples`: what is taken reaches the stream, what is not gets its number and a sentence, and nothing is ever a 500."""

import asyncio
import logging
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone
from prometheus_client import REGISTRY

from tests.inventory.factories import Estate, make_estate
from tests.traffic import test_push_formats as push
from tests.traffic.documents import octets
from tests.traffic.sending import make_token, packed, send, thread_leaves_database
from tests.valkey import Valkey
from vtapweb.access.models import User
from vtapweb.domain.scope import Scope
from vtapweb.traffic.actions.tokens import token_revoke, token_rotate
from vtapweb.traffic.ingest import auth, body
from vtapweb.traffic.ingest.app import DOCUMENTS_BURST, MEMBER_BURST, MEMBERS_MOST, Ingest
from vtapweb.traffic.ingest.limits import LARGE_OCTETS, OCTETS_MOST, PACKED_OCTETS_MOST
from vtapweb.traffic.keys import BOOTS, FIELD, SAMPLES, member_field
from vtapweb.traffic.models import CollectorToken
from vtapweb.traffic.samples import Counters, decode_sample
from vtapweb.traffic.store import store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


class Clock:
    """Monotonic seconds that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def ingest(valkey: Valkey, clock: Clock) -> AsyncIterator[Ingest]:
    made = Ingest(clock=clock)
    yield made
    await made.close()
    await thread_leaves_database()


@pytest.fixture
def estate() -> Estate:
    return make_estate()


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_user("ada", has_all_subscriptions=True)


def stream() -> list[Counters]:
    entries: Any = store().xrange(SAMPLES)
    found = [decode_sample(fields[FIELD.encode()]) for _, fields in entries]
    return [one for one in found if isinstance(one, Counters)]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("vtapweb_ingest_documents_total", {"format": "native", "outcome": outcome}) or 0.0


@pytest.mark.both_databases
async def test_a_document_reaches_the_stream_with_its_collector(ingest: Ingest, estate: Estate) -> None:
    token, secret = await make_token(estate.tap.destination_id, member_id=estate.collector.arm_id)
    before = counted("taken")
    assert (await send(ingest, secret, content_type="application/json; charset=utf-8")).status == 202
    assert (await send(ingest, secret, packed(octets(seq=13)), content_encoding="gzip")).status == 202
    assert (await send(ingest, secret, [b"", octets(seq=14)[:20], octets(seq=14)[20:]])).status == 202
    found = stream()
    assert [(one.seq, one.collector, one.nic_key, one.member) for one in found] == [
        (seq, token.destination_key, estate.collector.key, "9f3a") for seq in (12, 13, 14)
    ]
    assert counted("taken") == before + 3


async def test_exporters_reach_the_stream_by_their_own_formats(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    protobuf = {"content_type": "application/x-protobuf"}
    written = push.packed(push.write_request(push.NODE))
    assert (await send(ingest, secret, written, path="/api/ingest/v1/prometheus", content_encoding="snappy", **protobuf)).status == 202
    exported = push.export_request(push.OTEL).SerializeToString()
    answer = await send(ingest, secret, exported, path="/api/ingest/v1/otlp/v1/metrics", query="every_s=10", **protobuf)
    assert (answer.status, answer.headers["content-type"]) == (202, "application/x-protobuf")
    assert [(one.origin, one.interval_s, one.host["rx_packets"]) for one in stream()] == [("remote_write", 60.0, 66), ("otlp", 10.0, 66)]
    unfit = await send(ingest, secret, exported, path="/api/ingest/v1/otlp/v1/metrics", query="every_s=never", **protobuf)
    assert (unfit.status, "every_s" in unfit.detail) == (400, True)


async def test_documents_of_one_turn_go_to_redis_together(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    await send(ingest, secret, octets(member="first"))
    before = REGISTRY.get_sample_value("vtapweb_ingest_store_seconds_count") or 0
    answers = await asyncio.gather(*(send(ingest, secret, octets(member=f"m{one}")) for one in range(20)))
    assert {one.status for one in answers} == {202}
    assert len(stream()) == 21
    assert (REGISTRY.get_sample_value("vtapweb_ingest_store_seconds_count") or 0) - before <= 3


async def test_a_short_document_of_an_unknown_boot_is_asked_for_in_full(ingest: Ingest, estate: Estate) -> None:
    token, secret = await make_token(estate.tap.destination_id)
    short = octets(full=False)
    answer = await send(ingest, secret, short)
    assert (answer.status, "full" in answer.detail) == (409, True)
    store().hset(BOOTS, member_field(token.destination_key, "9f3a"), "another")
    assert (await send(ingest, secret, short)).status == 409
    assert (await send(ingest, secret)).status == 202
    store().hset(BOOTS, member_field(token.destination_key, "9f3a"), "b7d0-1a2b")
    assert (await send(ingest, secret, short)).status == 202


@pytest.mark.parametrize("secret", [None, "", "vtc_wrong", "x" * 500, b"\xff\xfe\x00"])
async def test_a_wrong_token_is_401_and_its_document_is_not_read(ingest: Ingest, estate: Estate, secret: Any) -> None:
    before = counted("token")
    answer = await send(ingest, secret, b"rubbish")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="vtapweb ingest"')
    assert answer.detail
    assert counted("token") == before + 1
    assert stream() == []


async def test_basic_is_no_bearer(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    assert (await send(ingest, None, authorization=f"Basic {secret}")).status == 401
    assert (await send(ingest, None, authorization=f"bearer {secret}")).status == 202


async def test_a_revoked_token_ends_within_five_seconds(ingest: Ingest, estate: Estate, clock: Clock, ada: User) -> None:
    token, secret = await make_token(estate.tap.destination_id)
    assert (await send(ingest, secret)).status == 202
    await sync_to_async(token_revoke)(token=token, scope=Scope.everything(), acting_user=ada)
    clock.now_s += 5
    assert (await send(ingest, secret)).status == 401


async def test_a_token_works_from_the_moment_it_is_made(ingest: Ingest, estate: Estate, clock: Clock) -> None:
    _, first = await make_token(estate.tap.destination_id)
    assert (await send(ingest, first)).status == 202
    _, second = await make_token(estate.tap.destination_id)
    assert (await send(ingest, second, octets(member="other"))).status == 202, "though all tokens were read before it was made"


@pytest.mark.both_databases
async def test_a_rotated_token_and_the_new_one_work_beside_each_other(ingest: Ingest, estate: Estate, clock: Clock, ada: User) -> None:
    token, old = await make_token(estate.tap.destination_id)
    _, new = await sync_to_async(token_rotate)(token=token, scope=Scope.everything(), acting_user=ada)
    clock.now_s += 5
    assert [(await send(ingest, one)).status for one in (old, new)] == [202, 202]
    await CollectorToken.objects.filter(pk=token.pk).aupdate(expires_at=timezone.now() - timedelta(seconds=1))
    clock.now_s += 5
    assert [(await send(ingest, one)).status for one in (old, new)] == [401, 202]


async def test_a_token_that_expires_while_it_is_remembered_ends_then(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id, expires_at=timezone.now() + timedelta(hours=1))
    assert (await send(ingest, secret)).status == 202
    tokens = ingest.state().tokens
    tokens._known = {key: auth.Known(one.pk, one.collector, one.nic_key, one.name, 1.0) for key, one in tokens._known.items()}
    assert (await send(ingest, secret)).status == 401


async def test_a_document_costs_no_query_while_the_tokens_are_fresh(ingest: Ingest, estate: Estate, clock: Clock) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    await send(ingest, secret)
    async with tokens_unreadable():
        assert {(await send(ingest, secret)).status for _ in range(5)} == {202}


@pytest.mark.both_databases
async def test_the_last_use_is_noted(ingest: Ingest, estate: Estate, clock: Clock) -> None:
    token, secret = await make_token(estate.tap.destination_id)
    await send(ingest, secret)
    clock.now_s += 5
    await send(ingest, secret)
    await ingest.close()
    await token.arefresh_from_db()
    assert token.last_used_at is not None
    assert timezone.now() - token.last_used_at < timedelta(minutes=1)


@sync_to_async
def rename_table(before: str, after: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {before} RENAME TO {after}")


@asynccontextmanager
async def tokens_unreadable() -> AsyncIterator[None]:
    """The database answers every question about tokens with an error."""
    await rename_table("traffic_collectortoken", "traffic_elsewhere")
    try:
        yield
    finally:
        await rename_table("traffic_elsewhere", "traffic_collectortoken")


@pytest.mark.both_databases
async def test_without_the_database_it_is_later_never_wrong(ingest: Ingest, estate: Estate, clock: Clock) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    assert (await send(ingest, secret)).status == 202
    async with tokens_unreadable():
        clock.now_s += 4
        assert (await send(ingest, secret)).status == 202, "known for less than five seconds"
        unknown = await send(ingest, "vtc_unknown")
        clock.now_s += 1
        known = await send(ingest, secret)
    assert [(one.status, one.retry_after_s) for one in (unknown, known)] == [(503, 2), (503, 2)]
    assert "database" in known.detail
    assert (await send(ingest, secret)).status == 202
    assert (await send(ingest, "vtc_unknown")).status == 401


async def test_without_redis_it_is_later_and_then_goes_on(ingest: Ingest, estate: Estate, valkey: Valkey) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    assert (await send(ingest, secret)).status == 202
    valkey.kill()
    answers = await asyncio.gather(*(send(ingest, secret) for _ in range(5)))
    assert {(one.status, one.retry_after_s) for one in answers} == {(503, 2)}
    assert "Redis" in answers[0].detail
    valkey.start()
    ingest.state().intake._away_until_s = 0.0
    assert (await send(ingest, secret)).status == 202
    assert len(stream()) == 1


async def test_other_methods_addresses_and_contents_are_named(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    get = await send(ingest, secret, method="GET")
    assert (get.status, get.headers["allow"]) == (405, "POST")
    assert (await send(ingest, secret, path="/api/ingest/v1/other")).status == 404
    form = await send(ingest, secret, content_type="application/x-www-form-urlencoded")
    assert (form.status, "application/json" in form.detail) == (415, True)
    brotli = await send(ingest, secret, content_encoding="br")
    assert (brotli.status, brotli.headers["accept-encoding"]) == (415, "gzip, identity")
    wrong = await send(ingest, secret, octets(seq="12"))
    assert (wrong.status, "$.seq" in wrong.detail) == (400, True)


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"no gzip", 400), (packed(octets())[:-9], 400), (packed(octets()) + b"x", 400), (packed(octets()) + packed(octets()), 400), (b"", 400)],
    ids=["none", "cut off", "something behind", "two", "nothing"],
)
async def test_what_is_no_gzip_is_refused(ingest: Ingest, estate: Estate, content: bytes, status: int) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    assert (await send(ingest, secret, content, content_encoding="gzip")).status == status


def bomb(octets_inside: int) -> bytes:
    """Zeros as gzip, a thousandth of their size."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packing.compress(bytes(2**20)) for _ in range(octets_inside // 2**20)) + packing.flush()


async def test_too_much_is_refused_before_it_is_held(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    assert (await send(ingest, secret, [], content_length=str(OCTETS_MOST + 1))).status == 413
    assert (await send(ingest, secret, [], content_length=str(PACKED_OCTETS_MOST + 1), content_encoding="gzip")).status == 413
    piece = bytes(2**20)
    endless = [piece] * (OCTETS_MOST // 2**20 + 2)
    exploding = bomb(512 * 2**20)
    assert len(exploding) < PACKED_OCTETS_MOST
    tracemalloc.start()
    try:
        assert (await send(ingest, secret, endless)).status == 413
        assert (await send(ingest, secret, exploding, content_encoding="gzip")).status == 413
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * OCTETS_MOST
    assert ingest.state().held.octets == 0
    assert (await send(ingest, secret)).status == 202


async def test_a_body_that_does_not_end_is_given_up(ingest: Ingest, estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_WITHIN_S", 0.05)
    never = asyncio.get_running_loop().create_future()
    pieces = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        return pieces.pop() if pieces else await never

    held = body.Held()
    with pytest.raises(Exception, match="did not come within"):
        await body.read(receive, declared=None, is_packed=False, held=held)
    assert held.octets == 0


async def test_who_hangs_up_gets_no_answer(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {secret}".encode())]
    path = "/api/ingest/v1/samples"
    await ingest({"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers, "client": None}, receive, take)
    assert sent == []


async def test_who_sends_too_often_waits_and_others_do_not(ingest: Ingest, estate: Estate, clock: Clock) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    _, other = await make_token(estate.tap.destination_id)
    answers = [await send(ingest, secret) for _ in range(int(MEMBER_BURST) + 10)]
    slow = [one for one in answers if one.status == 429]
    assert [len(slow), slow[0].retry_after_s] == [10, 1]
    assert (await send(ingest, secret, octets(member="a-neighbour"))).status == 202
    assert (await send(ingest, other)).status == 202
    clock.now_s += 1
    assert (await send(ingest, secret)).status == 202
    answers = [await send(ingest, secret, b"rubbish") for _ in range(int(DOCUMENTS_BURST) + 50)]
    assert {one.status for one in answers} == {400, 429}
    assert (await send(ingest, other)).status == 202


async def test_large_documents_count_as_many_by_what_they_are_unpacked(ingest: Ingest, estate: Estate, clock: Clock) -> None:
    """A few kB each: only packed are they small."""
    _, secret = await make_token(estate.tap.destination_id)
    large = packed(octets().rstrip(b"}") + b" " * (OCTETS_MOST - 2**20) + b"}")
    each = 1 + (OCTETS_MOST - 2**20) // LARGE_OCTETS
    fitting = -(-int(DOCUMENTS_BURST) // each)
    answers = [await send(ingest, secret, large, content_encoding="gzip") for _ in range(fitting + 1)]
    assert [one.status for one in answers] == [202] + [202] * (fitting - 1) + [429]
    clock.now_s += answers[-1].retry_after_s
    assert (await send(ingest, secret, octets(seq=2))).status == 202
    assert (await send(ingest, (await make_token(estate.tap.destination_id))[1])).status == 202, "others do not wait"
    clock.now_s += 60
    bad = [await send(ingest, secret, bomb(OCTETS_MOST + 2**20), content_encoding="gzip") for _ in range(6)]
    assert {one.status for one in bad} == {413, 429}, "nor is it free to be refused"


async def test_one_token_is_not_for_ever_more_machines(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    answers = [await send(ingest, secret, octets(member=f"m-{one}")) for one in range(MEMBERS_MOST + 1)]
    assert {one.status for one in answers[:-1]} == {202}
    assert (answers[-1].status, answers[-1].retry_after_s) == (429, 60)


async def test_wrong_tokens_slow_down_their_address_alone(ingest: Ingest, estate: Estate) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    assert (await send(ingest, secret)).status == 202
    statuses = [(await send(ingest, f"vtc_{one}", address="2001:db8::1")).status for one in range(60)]
    assert statuses[:30] == [401] * 30
    assert statuses[-1] == 429
    assert (await send(ingest, "vtc_x", address="2001:db8::2")).status == 429, "the same network"
    assert (await send(ingest, "vtc_x", address="2001:db8:1::2")).status == 401
    assert (await send(ingest, secret, address="2001:db8::1")).status == 202, "a good one is never slowed down by the wrong ones"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


async def test_no_secret_is_told_to_anybody(ingest: Ingest, estate: Estate, valkey: Valkey, log: pytest.LogCaptureFixture) -> None:
    _, secret = await make_token(estate.tap.destination_id, name="probe 7")
    wrong = f"{secret}x"
    answers = [
        await send(ingest, wrong),
        await send(ingest, secret, b"rubbish"),
        await send(ingest, secret, octets(member=f"Bearer {secret}")),
        await send(ingest, secret, octets(full=False)),
        await send(ingest, secret, content_type=secret),
    ]
    valkey.kill()
    answers.append(await send(ingest, secret))
    assert [one.status for one in answers] == [401, 400, 400, 409, 415, 503]
    told = log.text + "".join(one.body.decode() + str(one.headers) for one in answers)
    assert "probe 7" in log.text
    assert secret[4:] not in told


async def test_refusals_are_told_once_a_minute_and_documents_not_at_all(ingest: Ingest, estate: Estate, log: pytest.LogCaptureFixture) -> None:
    _, secret = await make_token(estate.tap.destination_id)
    for _ in range(5):
        await send(ingest, secret)
        await send(ingest, secret, b"rubbish")
    told = [one for one in log.records if one.name.startswith("vtapweb.traffic.ingest")]
    assert [one.levelname for one in told] == ["WARNING"]
