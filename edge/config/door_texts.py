"""The texts of the screen at the door, in the languages that Mask Patrol contains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DoorTexts:
    """What the screen at the door says in one language, for each of its states."""

    #: Nobody without a mask is in view.
    calm: str
    #: Somebody is in view without a mask, or with one that does not cover mouth and nose.
    no_mask: str
    incorrect_mask: str
    #: Somebody has put on the mask.
    thanks: str
    #: The door is not watched.
    off: str


#: By the two letters of ISO 639. Short texts, because they are read from a distance of metres.
DOOR_TEXTS = {
    "ar": DoorTexts(
        "أهلاً وسهلاً", "يرجى ارتداء الكمامة", "يرجى تغطية الفم والأنف", "شكراً لكم", "خارج الخدمة"
    ),
    "de": DoorTexts(
        "Willkommen",
        "Bitte Maske aufsetzen",
        "Bitte Mund und Nase bedecken",
        "Vielen Dank",
        "Außer Betrieb",
    ),
    "en": DoorTexts(
        "Welcome",
        "Please put on a mask",
        "Please cover your mouth and nose",
        "Thank you",
        "Not watching",
    ),
    "es": DoorTexts(
        "Bienvenidos",
        "Mascarilla, por favor",
        "Cúbrase la boca y la nariz",
        "Gracias",
        "Fuera de servicio",
    ),
    "fr": DoorTexts(
        "Bienvenue",
        "Veuillez mettre un masque",
        "Veuillez couvrir le nez et la bouche",
        "Merci",
        "Hors service",
    ),
    "it": DoorTexts(
        "Benvenuti",
        "Mascherina, per favore",
        "Coprire naso e bocca",
        "Grazie",
        "Fuori servizio",
    ),
    "pt": DoorTexts(
        "Bem-vindos",
        "Máscara, por favor",
        "Cubra o nariz e a boca",
        "Obrigado",
        "Fora de serviço",
    ),
    "zh": DoorTexts("欢迎光临", "请戴好口罩", "请遮住口鼻", "谢谢", "暂停服务"),
}
