import json
import logging

import anyio

from multiwhats_async import AsyncMultiWhats

BARE = vars(logging.makeLogRecord({}))


class AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {name: value for name, value in vars(record).items() if name not in BARE}
        told = {"level": record.levelname, "logger": record.name, "event": record.getMessage()}
        return json.dumps(told | fields, ensure_ascii=False)


async def main() -> None:
    async with AsyncMultiWhats(sender="908503080335") as client:
        await client.send_button_message("905374937766", "Hi 👤", ["👍 Yes"], key="order-17")


handler = logging.StreamHandler()
handler.setFormatter(AsJson())
logger = logging.getLogger("multiwhats_async")
logger.addHandler(handler)
logger.setLevel(logging.DEBUG)

anyio.run(main)
