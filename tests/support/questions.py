"""A dozen questions with six to twenty possible answers: (style, prompt, answers, end rule)."""

import pgen

CAPITALS = ("Paris", "London", "Lyon", "The Hague", "The city of Rome", "Rome")
WRITERS = ("Shakespeare", "Shelley", "Will", "Homer", "William Tell", "William Blake")
COLOURS = ("Blue", "Green", "Grey", "The moon", "The sea", "It is red")
DAYS = (" Monday", " Tuesday", " Wednesday", " Thursday", " Friday", " Saturday", " Sunday")
NUMBERS = tuple(f" {n}" for n in ["1", "12", "123", "2", "20", "3", "4", "40", "7", "75", "9", "99"])
FRUITS = tuple(
    f" {f}s"
    for f in [
        "apple",
        "pear",
        "plum",
        "fig",
        "grape",
        "lemon",
        "lime",
        "mango",
        "melon",
        "peach",
        "cherry",
        "orange",
        "banana",
        "papaya",
        "kiwi",
        "date",
        "olive",
        "quince",
        "guava",
        "apricot",
    ]
)
ANSWERS = ("Yes", "No", "yes", "no", "Maybe", "Yes, it is")
QUESTIONS = [
    ("chat", "What is the capital of France?", CAPITALS, "match"),
    ("chat", "Who wrote Hamlet?", WRITERS, "match"),
    ("chat", "What colour is the sky? Answer in one or two words.", COLOURS, "eos"),
    ("chat", "What colour is the sky? Answer in one or two words.", COLOURS, "prefix"),
    ("chat", "Is water wet? Answer yes or no.", ANSWERS, "eos"),
    ("chat", "Is water wet? Answer yes or no.", ANSWERS, "match"),
    ("raw", "The capital of Italy is called", tuple(" " + c for c in CAPITALS), "match"),
    ("raw", "The day after Tuesday is", DAYS, "match"),
    ("raw", "The day after Tuesday is", DAYS, "prefix"),
    ("raw", "Three times four is", NUMBERS, "eos"),
    ("raw", "Three times four is", NUMBERS, "match"),
    ("raw", "Wine is made from", FRUITS, "match"),
]


def posed(lm, style, prompt, members, rule):
    """The measure over the answers of one question."""
    text = lm.chat(prompt, end=rule) if style == "chat" else lm.text(prompt, end=rule)
    return text.given(pgen.choice(*members))
