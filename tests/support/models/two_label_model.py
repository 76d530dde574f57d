"""A tiny classifier with two labels, as a user may have one: a mean of the pixels and a softmax."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

from edge.classification.model_card import Alert, Card, Framing, Input, attach_card

#: Made by TensorFlow 2.21: the softmax of (128 - m) / 32 and (m - 128) / 32, where m is the mean of
#: a uint8 picture of 16x16 pixels.
_FLATBUFFER = (
    "ABzY8000000t0nbJxmlq6rTIx4vynE@x%kJprC-};82WFjF1BYhQHv2*qtl4${JY6-5#Q`Fjf}C7-LDSD2O2@CKMLN"
    "!cbZmVqrmyg$1!vV}-!_y`8tq-XfcPnc3O*y`OL1%%+48xuMZ>3DGK2A}JCgE}~eg7D3Df)`WNjd;t=EA=-dvVIcx|"
    "_W?oR@xEzB*|ry`2TE#jNz?D-3+ip9JZCtztERLKS}}xJC>x7qBi|)l{-zI1Gsy4D078oM{A~yPdY+#KvJ>OegHzW>"
    "CdTt)gSq~J{#-x&My>qGf6Qe&uj%<>SvRzKHNT`5OWJ~tYK6FnKwUt}Cxh-{_zZjmwt#oQCa?jlQ4PQgz+m5@Lz(YQ"
    "fcy!owwRLxt+iRJA!{wfJbI#z=0QvM=6fwGZ(6o~1-Nd@KhT}-&ZMDIkz<k1O!`8)OB_ADd#2e33;@HxC@=}+fE&PT"
    "=5p-pdw#EGtqI$_7Ug%!fpYm#$-S};e;a#pFUCekrdqQLIy5!ZLfYabEVGzX9n~G<b?TFEF#1kf`=rl#Mbic6vW~S`"
    "-jkoK|3lg*j{gC<NdKaS#w2U>6up6Nz3Ox2Ukm&`vOg2&9IAl1zou#1P@NIxP~Od)cP;0glKcpbt&R>y`)TVJVP8~7"
    "4WOG&?35jw^xWmxHEbVdpD$0aPwq?mYFA%`WlD~|5w1JVHa@oTvpxaOp47Vb1W$_{k9bcwUWoZsJW@RSeu!{Bw$@dS"
    "esYYu-s{K~32eei&M)th9eiAM?e#vNw-sQRYkYn{dn$Z!uB(pqZ^!y6jFU>y&<vbpwUAZj<}P))YNv7A!;dn57V8ak"
    "hKpsjpe<eIvGabWlHYJx$**ON*1;!jW)}1r#i-;Ac{mZ~?0`cWmCCpB8CRZ!2Odrhk8!LAB&WjumB+rCWAtI2_Iye$"
    "%_@s(1?Q`W6K0OVXM0Rlbm6j(nU(e-wqIlWtWu&YP}q01ZAbZD^Kh%|bAKrB45g?UvuUVTG8Em&SUr+vPJ-j`UE?QS"
    "65nFSct@Jw^>72srF%DrZ;f1EXHhMbXQ*NFnqJUm)ROce?HjGLA^1eeCoCGdrQ@!%MLo1(${sw{L(YxdX#G>qp5QOZ"
    "cNd?LK$}%_(D`3^{-OD0boc+XrhQzbI)MTHSGKt{e2YArWQ?XQQ}#Wz_9x8!tP}lLJLJ4$m-V6o{$SoN=j~DJ&X7A!"
    "=cq@n_xu9{qC-GL2mk;"
)
CARD = Card(
    name="tiny",
    input=Input(height=16, width=16),
    framing=Framing(margin=0.1),
    labels=["mask", "no_mask"],
    quantisation="none",
    alert=Alert(threshold=0.8, chosen="by hand"),
    keras_sha256="sha256:0",
    training_data=[],
    figures={},
    licence="MIT",
    versions={},
)


def write_two_label_model(path: Path) -> Path:
    """Write the model to `path`, and return `path`; a brighter face scores more for `no_mask`."""
    flatbuffer = gzip.decompress(base64.b85decode(_FLATBUFFER))
    path.write_bytes(attach_card(flatbuffer, CARD))
    return path
