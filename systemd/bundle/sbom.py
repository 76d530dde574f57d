"""The software bill of materials of a bundle, in the format of CycloneDX.

It lists each wheel of the bundle and each model, with digests and licences.
"""

from __future__ import annotations

import email.message
import email.parser
import uuid
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from bundle.commit import Commit
from bundle.wheels import sha256 as file_digest

#: Names of the properties, of which CycloneDX requires a prefix of the project's own.
PYTHON, MACHINE, COMMIT = "mask-patrol:python", "mask-patrol:machine", "mask-patrol:commit"
CLASSIFIER = "License :: OSI Approved :: "
#: A longer licence in the metadata of a package is the licence's text, not its name.
MAX_LICENCE_NAME = 100


def sbom(wheels: Path, own_wheel: Path, machine: str, commit: Commit) -> str:
    """Return the JSON text for a bundle for `machine` with the wheels in `wheels/<python>/*.whl`.

    The text is the same for each build of `commit`.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(wheels.glob("*/*.whl")):
        if path.name != own_wheel.name:
            found[file_digest(path)].append(path)
    parts = [_package(paths[0], digest, paths) for digest, paths in found.items()]
    parts += _models(own_wheel)
    own = _package(own_wheel, file_digest(own_wheel), [])
    own.type = ComponentType.APPLICATION
    own.properties.add(Property(name=MACHINE, value=machine))
    own.properties.add(Property(name=COMMIT, value=commit.digest))
    identity = sha256("".join(sorted((*found, file_digest(own_wheel), machine))).encode())
    bom = Bom(
        components=parts,
        serial_number=uuid.UUID(bytes=identity.digest()[:16], version=4),
        metadata=BomMetaData(component=own, timestamp=datetime.fromtimestamp(commit.time_s, UTC)),
    )
    bom.register_dependency(own, parts)
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n"


def _package(wheel: Path, digest: str, paths: list[Path]) -> Component:
    """Return the component of a wheel; `paths` are its places in the folders of Pythons."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        )
        metadata = email.parser.BytesParser().parsebytes(archive.read(name), headersonly=True)
    package, version = metadata["Name"].lower(), metadata["Version"]
    return Component(
        name=package,
        version=version,
        bom_ref=wheel.name,
        purl=PackageURL("pypi", None, package, version, {"file_name": wheel.name}),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        licenses=_licences(metadata),
        properties=[Property(name=PYTHON, value=path.parent.name) for path in paths],
    )


def _licences(metadata: email.message.Message) -> list[License]:
    """Return the licences that a package states, in its oldest or its newest way."""
    make = LicenseFactory().make_from_string
    stated = metadata["License-Expression"] or metadata["License"] or ""
    if 0 < len(stated) <= MAX_LICENCE_NAME and "\n" not in stated:
        return [make(stated)]
    classifiers = metadata.get_all("Classifier", [])
    return [make(text.removeprefix(CLASSIFIER)) for text in classifiers if CLASSIFIER in text]


def _models(own_wheel: Path) -> list[Component]:
    with zipfile.ZipFile(own_wheel) as archive:
        digests = {
            name: sha256(archive.read(name)).hexdigest()
            for name in sorted(archive.namelist())
            if name.startswith("models/") and name.endswith(".tflite")
        }
    return [
        Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name=name,
            bom_ref=name,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        )
        for name, digest in digests.items()
    ]
