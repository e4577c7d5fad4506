"""Texts of many scripts and kinds, for round trips through tokenizers."""

import random

SAMPLES = {
    "english": "It was the best of times, it was the worst of times; don't you think so?",
    "german": "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "french": "Dès Noël, où un zéphyr haï me vêt de glaçons würmiens…",
    "greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "russian": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "arabic": "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت",
    "hebrew": "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
    "hindi": "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण",
    "thai": "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า",
    "chinese": "天地玄黃,宇宙洪荒。日月盈昃,辰宿列張。",
    "japanese": "いろはにほへと ちりぬるを 色は匂へど",
    "korean": "키스의 고유조건은 입술끼리 만나야 하고",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🎉🎉🎉 ☕️",
    "mathematics": "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |ƒ(x)−ƒ(a)|<ε, 𝔼[𝑋²]≤∞",
    "python": 'def f(x: int) -> str:\n\tif x % 2 == 0:\n        return f"{x:>08.3f}\\n"\n\n\n# end',
    "json": '{"a": [1, 2.50, -3e-7], "b": {"c": null, "d": "\\u00e9\\n"}}',
    "whitespace": "  a   b\t\tc \n\n \n  d\r\n e    ",
    "digits": "1234567890 3.14159 1e100 0xDEADBEEF 192.168.0.1",
    "one space": " ",
    "spaces only": "      ",
    "markup": '<p class="x">&amp;</p> <0x41> ## [UNK] </w>',
}

# What some tokenizers cannot keep: letters as base and mark, the space symbol of SentencePiece, names of tokens.
TRICKY = {
    "decomposed": "e\u0301 n\u0303 o\u0308",
    "space symbol": "a▁b ▁▁",
    "byte map": "Ġ Ċ ĉ Ł",
    "token names": "<|im_end|> <s> </s> <unk> <|endoftext|> <eos> <pad>",
    "private": "\ue000 \U000f0000 \u200b \ufeff",
}


def random_texts(seed, n_texts, n_characters=40):
    """Texts of characters drawn from blocks all over Unicode, assigned or not."""
    rng = random.Random(seed)
    blocks = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE80), (0x3040, 0x3100)]
    blocks += [(0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0x2000, 0x2BFF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
    for _ in range(n_texts):
        chosen = rng.choices(blocks, k=n_characters)
        yield "".join(chr(rng.randrange(*block)) for block in chosen)
