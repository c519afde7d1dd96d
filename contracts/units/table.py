"""The table of units: quantity by quantity, each unit with its factor, its names and other spellings.

Symbols and factors follow GB 3100-93 and GB 3102-93; a mu is 2000/3 square metres. A year has no fixed number
of days and a share by volume no fixed mass, so these stand as quantities of their own.
"""

from collections.abc import Mapping
from fractions import Fraction

# One line a unit: symbol | factor into the first unit of its quantity | 中文 | English | other spellings.
TABLE: Mapping[str, str] = {
    "mass concentration": """
        mg/m3  | 1       | 毫克/立方米 | milligrams per cubic metre | mg/m³
        ug/m3  | 1/1000  | 微克/立方米 | micrograms per cubic metre | μg/m3 μg/m³ µg/m3 µg/m³
        ng/m3  | 1/10**6 | 纳克/立方米 | nanograms per cubic metre  | ng/m³
        g/m3   | 1000    | 克/立方米   | grams per cubic metre      | g/m³
        mg/L   | 1000    | 毫克/升     | milligrams per litre       | mg/l
        ug/L   | 1       | 微克/升     | micrograms per litre       | μg/L µg/L ug/l
        ng/L   | 1/1000  | 纳克/升     | nanograms per litre        | ng/l
        g/L    | 10**6   | 克/升       | grams per litre            | g/l
    """,
    "mass": """
        kg | 1        | 千克 | kilograms  | 公斤
        ng | 1/10**12 | 纳克 | nanograms  |
        ug | 1/10**9  | 微克 | micrograms | μg µg
        mg | 1/10**6  | 毫克 | milligrams |
        g  | 1/1000   | 克   | grams      |
        t  | 1000     | 吨   | tonnes     |
        1e4 t | 10**7 | 万吨 | ten thousand tonnes |
    """,
    "mass flow": """
        kg/s | 1            | 千克/秒   | kilograms per second |
        g/s  | 1/1000       | 克/秒     | grams per second     |
        mg/s | 1/10**6      | 毫克/秒   | milligrams per second |
        kg/h | 1/3600       | 千克/小时 | kilograms per hour   |
        kg/d | 1/86400      | 千克/日   | kilograms per day    | 千克/天
        t/h  | 1000/3600    | 吨/小时   | tonnes per hour      |
        t/d  | 1000/86400   | 吨/日     | tonnes per day       | 吨/天
    """,
    "mass a year": """
        t/a  | 1      | 吨/年   | tonnes a year    |
        kg/a | 1/1000 | 千克/年 | kilograms a year |
        1e4 t/a | 10**4 | 万吨/年 | ten thousand tonnes a year |
    """,
    "mass fraction": """
        mg/kg | 1      | 毫克/千克 | milligrams per kilogram |
        ug/kg | 1/1000 | 微克/千克 | micrograms per kilogram | μg/kg µg/kg
        g/kg  | 1000   | 克/千克   | grams per kilogram      |
    """,
    "mass per area": """
        kg/ha | 1        | 千克/公顷 | kilograms per hectare |
        kg/mu | 15       | 千克/亩   | kilograms per mu      |
        g/m2  | 10       | 克/平方米 | grams per square metre |
        t/ha  | 1000     | 吨/公顷   | tonnes per hectare    |
    """,
    "dust fall": """
        t/(km2.month) | 1 | 吨/平方千米•月 | tonnes per square kilometre and month | 吨/平方千米·月
    """,
    "volume": """
        m3 | 1      | 立方米 | cubic metres | m³
        L  | 1/1000 | 升     | litres       | l
        mL | 1/10**6 | 毫升  | millilitres  | ml
        1e4 m3 | 10**4 | 万立方米 | ten thousand cubic metres |
    """,
    "volume flow": """
        m3/s   | 1       | 立方米/秒   | cubic metres per second | m³/s
        L/s    | 1/1000  | 升/秒       | litres per second       | l/s
        m3/min | 1/60    | 立方米/分   | cubic metres per minute |
        m3/h   | 1/3600  | 立方米/小时 | cubic metres per hour   | m³/h
        m3/d   | 1/86400 | 立方米/日   | cubic metres per day    | m³/d 立方米/天
    """,
    "volume a year": """
        m3/a | 1 | 立方米/年 | cubic metres a year |
        1e4 m3/a | 10**4 | 万立方米/年 | ten thousand cubic metres a year |
    """,
    "volume fraction": """
        ppm | 1      | 体积百万分率 | parts per million by volume | umol/mol μmol/mol µmol/mol
        ppb | 1/1000 | 体积十亿分率 | parts per billion by volume | nmol/mol
    """,
    "length": """
        m  | 1      | 米   | metres      |
        mm | 1/1000 | 毫米 | millimetres |
        cm | 1/100  | 厘米 | centimetres |
        km | 1000   | 千米 | kilometres  | 公里
    """,
    "speed": """
        m/s  | 1       | 米/秒     | metres per second      |
        cm/s | 1/100   | 厘米/秒   | centimetres per second |
        km/h | 10/36   | 千米/小时 | kilometres per hour    |
    """,
    "area": """
        m2  | 1       | 平方米   | square metres     | m²
        ha  | 10**4   | 公顷     | hectares          | hm2
        km2 | 10**6   | 平方千米 | square kilometres | km² 平方公里
        mu  | 2000/3  | 亩       | mu                |
    """,
    "pressure": """
        Pa   | 1       | 帕   | pascals      |
        hPa  | 100     | 百帕 | hectopascals |
        kPa  | 1000    | 千帕 | kilopascals  |
        MPa  | 10**6   | 兆帕 | megapascals  |
        mbar | 100     | 毫巴 | millibars    |
    """,
    "temperature": """
        degC | 1   | 摄氏度 | degrees Celsius    | ℃ °C
        K    | 1   | 开尔文 | kelvins            |
        degF | 5/9 | 华氏度 | degrees Fahrenheit | °F
    """,
    "angle": """
        degree | 1 | 度 | degrees | ° [角]度
    """,
    "conductivity": """
        uS/cm | 1    | 微西/厘米 | microsiemens per centimetre | μS/cm µS/cm 微西[门子]/厘米
        mS/cm | 1000 | 毫西/厘米 | millisiemens per centimetre |
        mS/m  | 10   | 毫西/米   | millisiemens per metre      |
        S/m   | 10**4 | 西/米    | siemens per metre           |
    """,
    "share": """
        %        | 1    | 百分比 | percent   |
        permille | 1/10 | 千分比 | per mille | ‰
    """,
    "pure number": """
        1 | 1 | 无量纲 | pure number |
    """,
    "number per volume": """
        /L     | 1    | 个/升    | per litre           | 个/L
        /mL    | 1000 | 个/毫升  | per millilitre      | 个/mL
        /100mL | 10   | 个/百毫升 | per 100 millilitres |
        /m3    | 1/1000 | 个/立方米 | per cubic metre   |
    """,
    "most probable number": """
        MPN/L     | 1  | 最可能数/升     | most probable number per litre           |
        MPN/100mL | 10 | 最可能数/百毫升 | most probable number per 100 millilitres |
    """,
    "colony-forming units": """
        CFU/mL    | 1     | 菌落形成单位/毫升   | colony-forming units per millilitre      |
        CFU/100mL | 1/100 | 菌落形成单位/百毫升 | colony-forming units per 100 millilitres |
    """,
    "cells per volume": """
        cells/L  | 1    | 细胞/升   | cells per litre      |
        cells/mL | 1000 | 细胞/毫升 | cells per millilitre |
    """,
    "activity concentration": """
        Bq/L  | 1      | 贝可/升     | becquerels per litre       | 贝可[勒尔]/升
        Bq/m3 | 1/1000 | 贝可/立方米 | becquerels per cubic metre |
    """,
    "colour": """
        colour degree | 1 | 色度单位 | degrees of colour | [色]度
    """,
    "turbidity NTU": """
        NTU | 1 | 散射浊度单位 | nephelometric turbidity units |
    """,
    "turbidity FNU": """
        FNU | 1 | 福尔马肼散射浊度单位 | formazin nephelometric units |
    """,
    "salinity": """
        psu | 1 | 实用盐度 | practical salinity units |
    """,
    "sound level": """
        dB(A) | 1 | A 计权分贝 | decibels, A-weighted |
    """,
    "irradiance": """
        W/m2 | 1 | 瓦/平方米 | watts per square metre | W/m²
    """,
    "energy": """
        kWh | 1          | 千瓦时 | kilowatt-hours | 度电
        MWh | 1000       | 兆瓦时 | megawatt-hours |
        1e4 kWh | 10**4  | 万千瓦时 | ten thousand kilowatt-hours |
        MJ  | 1/3.6      | 兆焦   | megajoules     |
        GJ  | 1000/3.6   | 吉焦   | gigajoules     |
    """,
    "power": """
        kW | 1      | 千瓦 | kilowatts |
        W  | 1/1000 | 瓦   | watts     |
        MW | 1000   | 兆瓦 | megawatts |
    """,
    "standard coal": """
        tce | 1 | 吨标准煤 | tonnes of standard coal |
        1e4 tce | 10**4 | 万吨标准煤 | ten thousand tonnes of standard coal |
    """,
    "greenhouse gas": """
        tCO2e  | 1      | 吨二氧化碳当量   | tonnes of CO2 equivalent    |
        kgCO2e | 1/1000 | 千克二氧化碳当量 | kilograms of CO2 equivalent |
    """,
    "heat of fuel": """
        GJ/t     | 1 | 吉焦/吨       | gigajoules per tonne |
        GJ/1e4 m3 | 1 | 吉焦/万立方米 | gigajoules per ten thousand cubic metres |
    """,
    "carbon content": """
        tC/GJ | 1 | 吨碳/吉焦 | tonnes of carbon per gigajoule |
    """,
    "grid factor": """
        tCO2/MWh | 1 | 吨二氧化碳/兆瓦时 | tonnes of CO2 per megawatt-hour |
    """,
    "time": """
        s   | 1     | 秒   | seconds |
        min | 60    | 分   | minutes |
        h   | 3600  | 小时 | hours   |
        d   | 86400 | 日   | days    | 天
    """,
    "money": """
        CNY     | 1     | 元   | yuan              |
        1e4 CNY | 10**4 | 万元 | ten thousand yuan |
    """,
    "people": """
        person     | 1     | 人   | persons              |
        1e4 person | 10**4 | 万人 | ten thousand persons |
    """,
    "livestock": """
        head | 1 | 头 | head of livestock |
    """,
}
# Units of heat by mass and by volume share no factor; each stands alone although one table names both.
ALONE = frozenset({"GJ/t", "GJ/1e4 m3"})
OFFSETS = {"K": Fraction(-27315, 100), "degF": Fraction(-160, 9)}
