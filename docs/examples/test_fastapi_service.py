import pytest
from fastapi_service import create_app

from multiwhats_async.testing import MultiWhatsKit

GUEST = "905374937766"
REPLIES = "/replies?token=secret"


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLY_TOKEN", "secret")


@pytest.mark.anyio
async def test_a_yes_is_answered(multiwhats: MultiWhatsKit) -> None:
    app = create_app(multiwhats.client)
    async with multiwhats.running(app) as web:
        await web.post(f"/ask/{GUEST}")
        multiwhats.tap(multiwhats.last, "👍 Yes")
        await multiwhats.deliver_to(app, REPLIES)
    multiwhats.assert_sent(to=GUEST, text="See you at 10:00!", times=1)


@pytest.mark.anyio
async def test_an_answer_that_was_not_sent_is_sent_later(multiwhats: MultiWhatsKit) -> None:
    app = create_app(multiwhats.client)
    async with multiwhats.running(app) as web:
        await web.post(f"/ask/{GUEST}")
        multiwhats.tap(multiwhats.last, "⛔ No")
        multiwhats.fail_next("refuse", times=4)
        (failed,) = await multiwhats.deliver_to(app, REPLIES)
        (taken,) = await multiwhats.deliver_to(app, REPLIES)
    assert (failed.status_code, taken.status_code) == (500, 200)
    multiwhats.assert_sent(text="Another time, then.", times=1)


@pytest.mark.anyio
async def test_an_answer_that_may_have_gone_out_is_not_sent_again(
    multiwhats: MultiWhatsKit,
) -> None:
    app = create_app(multiwhats.client)
    async with multiwhats.running(app) as web:
        await web.post(f"/ask/{GUEST}")
        multiwhats.fail_next("disconnect_after")
        multiwhats.fail_next("webhook_duplicate")
        multiwhats.tap(multiwhats.last, "👍 Yes")
        answers = await multiwhats.deliver_to(app, REPLIES)
    assert [answer.json()["status"] for answer in answers] == ["unknown", "duplicate"]
    multiwhats.assert_sent(text="See you at 10:00!", times=1)


@pytest.mark.anyio
async def test_a_number_that_is_none(multiwhats: MultiWhatsKit) -> None:
    async with multiwhats.running(create_app(multiwhats.client)) as web:
        assert (await web.post("/ask/0537")).status_code == 422
    multiwhats.assert_nothing_sent()
