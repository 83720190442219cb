import logging

import anyio
import structlog

from multiwhats_async import AsyncMultiWhats


async def main() -> None:
    structlog.contextvars.bind_contextvars(request_id="r-1")
    async with AsyncMultiWhats(sender="908503080335") as client:
        await client.send_button_message("905374937766", "Hi 👤", ["👍 Yes"], key="order-17")


formatter = structlog.stdlib.ProcessorFormatter(
    foreign_pre_chain=[  # for records of logging, such as this package's
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
    ],
    processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ],
)
handler = logging.StreamHandler()
handler.setFormatter(formatter)
logger = logging.getLogger("multiwhats_async")
logger.addHandler(handler)
logger.setLevel(logging.DEBUG)

anyio.run(main)
