"""Messages to browsers and telephones by Web Push (RFC 8030): encrypted for the browser."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable

import requests

from edge.dashboard.notify.base64url import from_base64url, to_base64url
from edge.dashboard.notify.channel import SendResult, connection_error
from edge.dashboard.notify.message_text import Message
from edge.dashboard.notify.push_encryption import encrypt
from edge.dashboard.notify.push_subscriptions import Subscription
from edge.dashboard.notify.vapid_key import VapidKey

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 20.0
#: The statuses with which a push service says that the subscription has ended.
GONE = (404, 410)
#: Longer texts would not fit into a message, even with four bytes in each character.
MAX_TITLE_CHARACTERS, MAX_BODY_CHARACTERS = 200, 400


class PushChannel:
    """One browser."""

    def __init__(
        self,
        subscription: Subscription,
        key: VapidKey,
        lasts_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Sign with `key`; `clock` gives seconds since the epoch.

        The push service keeps a message for `lasts_s` while the browser is not reachable.
        """
        self._subscription = subscription
        self._key = key
        self._lasts_s = lasts_s
        self._clock = clock

    def send(self, message: Message) -> SendResult:
        """Hand a message to the push service of the browser."""
        # A second message with the same topic replaces the first one, at the push service and, by
        # `tag`, in the browser.
        tag = to_base64url(hashlib.sha256(message.tag.encode()).digest()[:24])
        content = {
            "title": message.title[:MAX_TITLE_CHARACTERS],
            "body": message.body[:MAX_BODY_CHARACTERS],
            "tag": tag,
        }
        receiver = self._subscription
        try:
            body = encrypt(
                json.dumps(content, ensure_ascii=False).encode(),
                from_base64url(receiver.p256dh),
                from_base64url(receiver.auth),
            )
        except ValueError:
            return SendResult("the browser's key is invalid, so it was removed", is_gone=True)
        try:
            response = requests.post(
                receiver.endpoint,
                data=body,
                headers={
                    "authorization": self._key.authorization(receiver.endpoint, self._clock()),
                    "content-encoding": "aes128gcm",
                    "content-type": "application/octet-stream",
                    "ttl": str(int(self._lasts_s)),
                    "urgency": "high",
                    "topic": tag,
                },
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            reason = connection_error(str(error), READ_TIMEOUT_S)
            return SendResult(reason or f"the push service failed: {type(error).__name__}")
        return _result(response.status_code)


def _result(status: int) -> SendResult:
    if 200 <= status < 300:
        return SendResult()
    if status in GONE:
        return SendResult("the browser has ended its subscription, so it was removed", is_gone=True)
    return SendResult(f"the push service answered with the status {status}")
