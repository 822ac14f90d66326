"""What people of the made-up company talk about."""

# ruff: noqa: RUF001 - people write in their own letters

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """A subject, with questions and answers that go with it in any order."""

    word: str
    title: str
    questions: list[str]
    answers: list[str]
    customer: str = ""
    "Whose subject it is; empty: everybody's."


TOPICS = (
    Topic(
        "parcel",
        "Where is my parcel?",
        ["My parcel should have been here on Tuesday. Where is it?", "Can it be sent to the office instead?",
         "The tracking page shows nothing since yesterday.", "Will I get the delivery fee back?"],
        ["It left the depot in Leipzig this morning and arrives **tomorrow before noon**.",
         "I have changed the address; the driver sees it from 6:00 on.",
         "The tracking was late by a day, which I have reported.",
         "As it is late by more than two days, the fee is refunded within a week."],
    ),
    Topic(
        "invoice",
        "Invoice with the wrong tax",
        ["The invoice of October has 19 % tax, it should be 7 %.", "Please send the corrected one to accounting.",
         "Which number does the credit note have?", "Can you list what we paid this year, by month?"],
        ["You are right: books are taxed with 7 %. A credit note is on its way.",
         "The corrected invoice was sent to accounting@example.com.",
         "| month | paid |\n|---|---|\n| August | 1,240.00 |\n| September | 980.50 |\n| October | 1,102.10 |",
         "The credit note refers to the old invoice, so both can be booked."],
    ),
    Topic(
        "report",
        "A report of last month's sales",
        ["Summarise last month's sales in five lines.", "Which region grew most?", "Why did returns go up?",
         "Make the tone friendlier, it goes to the whole team."],
        ["Sales grew by 4.2 % over September, returns by 0.8 %.",
         "The north grew most, with 11 %; the south lost 2 %.",
         "Returns went up because one supplier changed the sizes without telling.",
         "1. Sales up by 4.2 %\n2. North ahead\n3. Returns watched\n4. New stock in week 47\n5. Thanks to all"],
    ),
    Topic(
        "code",
        "Speed up a slow query",
        ["This query takes 40 seconds. What can I do?", "Would an index help here?", "And in pandas?",
         "It still reads the whole table."],
        ["First filter:\n\n```sql\nselect day, count(*) from orders\nwhere day >= today() - 30 group by 1\n```",
         "An index on `(customer, day)` lets it read 30 days instead of 6 years.",
         '```python\norders[orders.day >= since].groupby("day").size()\n```',
         "Wrap nothing around the column in `where`, else the index cannot be used."],
    ),
    Topic(
        "password",
        "Cannot log in any more",
        ["I cannot log in since the update.", "The link in the mail has expired.", "Is my account locked?"],
        ["Your account was locked after five attempts; it is open again.",
         "I have sent a new link, it is good for an hour.",
         "Please use the second factor of your phone once more, then it is remembered."],
    ),
    Topic(
        "contract",
        "Notice period of the contract",
        ["How long is the notice period of our contract?", "What does clause 7 mean in plain words?",
         "Write a polite letter that ends it at the end of the year."],
        ["Three months to the end of a quarter, in writing.",
         "Clause 7 says that prices may follow the index, once a year, by at most 3 %.",
         "Dear partners, we thank you for the years we worked together and give notice to the end of December."],
    ),
    Topic(
        "travel",
        "A trip to Lyon",
        ["Plan two days in Lyon with little walking.", "Is the museum open on Mondays?", "What does the train cost?"],
        ["Day one: the old town and the silk workshops. Day two: the museum by the rivers, then the market.",
         "It is closed on Mondays; Tuesday is quiet.",
         "From 39 € if you book three weeks ahead."],
    ),
    Topic(
        "dose",
        "Leaflet in plain language",
        ["Explain this leaflet so that a ten-year-old understands it.", "Shorter, please.", "And in Turkish?"],
        ["Take one in the morning, with water, and not with grapefruit juice.",
         "One in the morning, with water.",
         "Sabahları bir tane, su ile alın; greyfurt suyu ile almayın."],
        "Cedar Health",
    ),
    Topic(
        "meter",
        "Zählerstand und Abschlag",
        ["Der Zählerstand ist 48.213. Stimmt der Abschlag noch?", "Warum ist er höher als im Vorjahr?",
         "Bitte schicken Sie mir die Übergabe als PDF."],
        ["Nach diesem Stand wären 84 € im Monat richtig, das sind 6 € weniger.",
         "Der Winter war kälter, und der Preis stieg im März um 3 %.",
         "Die Übergabe liegt im Kundenkonto; größere Änderungen stehen oben."],
        "Dogwood Energy",
    ),
    Topic(
        "hotel",
        "東京のホテル",
        ["東京駅の近くのホテルを教えてください。", "朝食は付いていますか。", "キャンセルはいつまでできますか。"],
        ["東京駅から徒歩五分のホテルが三つあります。", "二つは朝食付きです。",
         "前日の正午まで無料でキャンセルできます。"],
        "Ginkgo Tokyo",
    ),
    Topic(
        "claim",
        "A claim for a broken window",
        ["A ball broke our window. Which papers do you need?", "Do I have to wait for the expert?",
         "How long does it take?"],
        ["A photo, the glazier's offer and the name of who threw the ball.",
         "Below 500 € nobody has to come; just have it repaired.",
         "Usually ten days after the last paper."],
        "Fir Insurance",
    ),
)  # fmt: skip
