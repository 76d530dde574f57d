"""The configuration in force: settings, with the model and the detector loaded for them."""

from __future__ import annotations

from dataclasses import dataclass

from edge.classification.classifier import Classifier, load_classifier
from edge.config.settings import Settings
from edge.daemon.event_writer import EventWriter
from edge.daemon.snapshot_store import SnapshotStore
from edge.detection.face_detector import FaceDetector
from edge.detection.load_detector import load_detector
from edge.health.reporters import InfoReporter
from edge.mqtt.payloads import Origin
from edge.outputs.outputs import Outputs


@dataclass(frozen=True)
class Configuration:
    """Settings together with the classifier and the detector that were loaded for them."""

    settings: Settings
    classifier: Classifier
    detector: FaceDetector

    @property
    def origin(self) -> Origin:
        """The device, the camera, and the model that events name as their origin."""
        settings = self.settings
        return Origin(settings.device, settings.camera.name, self.classifier.digest)


def load_configuration(settings: Settings) -> Configuration:
    """Load the models and the cascade of `settings`; raises UserError when one is unusable."""
    return Configuration(settings, load_classifier(settings), load_detector(settings.detector))


class ActiveConfiguration:
    """The configuration in force, and the parts outside the pipeline that depend on it.

    The loop's thread applies a new configuration; any thread may read `settings`.
    """

    def __init__(
        self,
        configuration: Configuration,
        writer: EventWriter,
        snapshots: SnapshotStore,
        info: InfoReporter,
        outputs: Outputs,
    ) -> None:
        """Keep the parts, which were built from `configuration`, to update them later."""
        self._settings = configuration.settings
        self._writer = writer
        self._snapshots = snapshots
        self._info = info
        self._outputs = outputs

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def apply(self, configuration: Configuration) -> None:
        """Pass a reloaded configuration to the event writer, the snapshots, outputs, and `info`."""
        self._settings = configuration.settings
        self._writer.change_origin(configuration.origin)
        self._snapshots.change(configuration.settings.snapshot)
        self._outputs.change(configuration.settings.output)
        self._info.update(
            configuration.settings, configuration.classifier, configuration.detector.name
        )
