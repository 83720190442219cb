import os

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

retry = Retry(total=3, backoff_factor=0.1, allowed_methods=None, status_forcelist=[429, 500, 503])


def ask(session: requests.Session, number: str, text: str) -> int:
    answer = session.post(
        os.environ["MULTIWHATS_BASE_URL"] + "basic/whatsapp/send-dynamic",
        params={"apikey": os.environ["MULTIWHATS_API_KEY"]},
        json={
            "from": "908503080335",
            "to": number,
            "message": text,
            "type": "button",
            "buttons": ["👍 Yes", "⛔ No"],
        },
        timeout=10,
    )
    answer.raise_for_status()
    record: int = answer.json()["id"]
    return record


with requests.Session() as session:
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    for number in ("905300000001", "905300000002"):
        print(number, ask(session, number, "Is 10:00 all right?"))
