"""Texts that are not in any package's probes: many scripts, odd characters, pairs, and lengths around the limit."""

import random

LINES = [
    "The train was late again, but the conductor made everyone laugh.",
    "Worst purchase of my life!!! It broke after 2 days :-(",
    "don't you think it's o'clock already?",
    "Visit https://example.org/a?b=c&d=e or mail me@example.org #yes @you",
    "Übergröße, Straße und Fußgängerzone",
    "Le garçon a mangé un gâteau à l'école, n'est-ce pas ?",
    "El niño comió piña y se fue mañana.",
    "Łódź, Kraków i Gdańsk są piękne",
    "Αυτό είναι ένα πολύ ωραίο βιβλίο",
    "Это очень хорошая книга, спасибо!",
    "זה ספר טוב מאוד",
    "هذا كتاب جيد جداً",
    "यह बहुत अच्छी किताब है",
    "இது ஒரு நல்ல புத்தகம்",
    "นี่เป็นหนังสือที่ดีมาก",
    "这是一本非常好的书,我很喜欢。",
    "これはとても良い本です。カタカナも",
    "이것은 아주 좋은 책입니다",
    "Việt Nam là một đất nước tươi đẹp",
    "ქართული ენა ძალიან ლამაზია",
    "Հայերեն լեզու",
    "አማርኛ ጥሩ ቋንቋ ነው",
    "😀😂👍🏽 family: 👨‍👩‍👧‍👦 flag: 🇫🇷",
    "e\u0301 vs \u00e9, A\u030a vs \u00c5, \ufb01ligature \u2460\u2461",
    "tabs\tand\nnew\r\nlines\u00a0and\u2003spaces\u200bzero",
    "control\u0001chars\u007fhere\u0000and nul",
    "[CLS] not special? [SEP] [MASK] [PAD] [UNK]",
    "CamelCaseWordsAndALLCAPS and sNaKe_case_words",
    "1,234.56 € + $99.99 = 50% of ½ × 10³",
    "supercalifragilisticexpialidocious" * 4,
    "x" * 250,
    "-" * 40 + "?!" * 20,
    "\u202eright to left override\u202c",
    "\ufffd replacement \ufeff bom",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕗𝕠𝕟𝕥𝕤 and 𐍈 gothic",
    "İstanbul'da ışık ıslak",
    "ﷺ and ㋿ and Ⅷ",
    "   leading and trailing   ",
    "a",
    "",
]


def short_texts(count, seed):
    """Distinct texts of a few words, mixed from the lines."""
    rng = random.Random(seed)
    words = " ".join(LINES).split()
    texts = {}
    while len(texts) < count:
        texts[" ".join(rng.choices(words, k=rng.randint(1, 30)))] = None
    return list(texts)


def long_text(rng, words):
    return " ".join(rng.choices(" ".join(LINES).split(), k=words))


def pairs(count, seed, longest):
    rng = random.Random(seed)
    return [
        (long_text(rng, rng.randint(1, longest)), rng.choice(LINES + [long_text(rng, longest)])) for _ in range(count)
    ]
