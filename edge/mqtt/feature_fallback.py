"""Which features of MQTT to do without, because the broker does not support them.

In MQTT 5 the broker says so: in its CONNACK, when it refuses the connection, or when it ends it. In
3.1.1 it only closes the connection, so the features are left out one after another until a
connection works. Every connection after that is first tried with all features again: a broker that
was starting, or whose configuration has changed, costs one attempt and no feature.
"""

from __future__ import annotations

from dataclasses import replace

from paho.mqtt.reasoncodes import ReasonCode

from edge.mqtt.broker_limits import ALL_FEATURES, Features

#: The reason codes of MQTT 5 for "retain not supported" and "QoS not supported".
RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED = 154, 155
REDUCED = (Features(retain=False), Features(qos=0), Features(retain=False, qos=0))


class FeatureFallback:
    """The features to use with one broker, given how earlier attempts ended."""

    def __init__(self) -> None:
        """Start with all features, twice: once may be a broker that is just starting."""
        self._attempts = (ALL_FEATURES, ALL_FEATURES, *REDUCED)
        self._next = 0

    @property
    def features(self) -> Features:
        """The features to use for the next attempt."""
        return self._attempts[self._next]

    def refused(self, reason: ReasonCode) -> bool:
        """Record that a broker ended an attempt or a connection for `reason` (MQTT 5).

        Return whether the next attempt does without the feature that `reason` names.
        """
        used = self.features
        if reason.value == RETAIN_NOT_SUPPORTED:
            reduced = replace(used, retain=False)
        elif reason.value == QOS_NOT_SUPPORTED:
            reduced = replace(used, qos=0)
        else:
            return False
        self._next = self._attempts.index(reduced)
        return reduced != used

    def closed(self) -> bool:
        """Record that a broker closed a connection without a reason before it worked (3.1.1).

        Return whether a further attempt with other features makes sense at once; False if all were
        tried, and the next attempt begins again.
        """
        self._next = (self._next + 1) % len(self._attempts)
        return self._next > 0

    def worked(self, used: Features) -> None:
        """Record that a connection with the features `used` worked.

        The next connection is tried with all features, and then with those that worked.
        """
        self._attempts = (ALL_FEATURES, used, *REDUCED)
        self._next = 0
