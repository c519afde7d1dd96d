"""Who plays: seven participants of the alliance that witness, and a bank that only reads."""

from dataclasses import dataclass

from contracts.messages import Level, Profile, Text


@dataclass(frozen=True, slots=True)
class Player:
    """One participant of the demonstration; ``slug`` names its folder."""

    slug: str
    profile: Profile
    is_witness: bool = True
    called: str = ""  # a short name for the terminal's lines


def _province(slug: str, code: str, zh: str, en: str) -> Player:
    name = Text(zh=zh, en=en)
    profile = Profile(
        name=name,
        admin_code=code,
        admin_code_edition="GB/T 2260 (2023)",
        level=Level.PROVINCE,
        sector="government",
    )
    return Player(slug, profile, called=zh[:2])


PROVINCES = (
    _province("chongqing", "50", "重庆市生态环境局", "Chongqing"),
    _province("sichuan", "51", "四川省生态环境厅", "Sichuan"),
    _province("guizhou", "52", "贵州省生态环境厅", "Guizhou"),
    _province("yunnan", "53", "云南省生态环境厅", "Yunnan"),
    _province("xizang", "54", "西藏自治区生态环境厅", "Tibet"),
    _province("qinghai", "63", "青海省生态环境厅", "Qinghai"),
)
CENTRE = Player(
    "centre",
    Profile(
        name=Text(zh="生态环境部信息中心", en="National information centre"),
        admin_code=None,
        admin_code_edition=None,
        level=Level.NATIONAL,
        sector="government",
    ),
    called="信息中心",
)
BANK = Player(
    "bank",
    Profile(
        name=Text(zh="长江绿色银行", en="Yangtze green bank"),
        admin_code=None,
        admin_code_edition=None,
        level=Level.NONE,
        sector="finance",
    ),
    is_witness=False,
    called="银行",
)
CAST = (*PROVINCES, CENTRE, BANK)
CALLED = {player.slug: player.called for player in CAST}
# Direct delivery for two, the mailbox and a sealed relay for everybody else.
WITH_INBOUND_ADDRESS = frozenset({"chongqing", "sichuan"})
HEARS_STATIONS = "guizhou"  # whose node has a gateway for stations
QUORUM = 5
