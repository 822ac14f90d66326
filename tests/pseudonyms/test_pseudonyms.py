"""What stands for names, ids and numbers: the same for the same, and nothing of what it stands for."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import CredentialsRefused, UsageError
from exporter.model import Secret
from exporter.pseudonyms import VARIABLE, Pseudonyms, _extra, _patterns, any_key, key_of
from exporter.pseudonyms._fields import plain
from exporter.pseudonyms._numbers import checked_region
from exporter.pseudonyms._values import Redaction

KEY = Secret("a key that nobody guesses")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
FOUND = {
    "mail": ["ann.smith+x@example.co.uk", "Jörg@bücher.example", "a@b.museum"],
    "phone": ["+49 170 1234567", "+1 (415) 555-2671", "+44 20 7946 0958"],
    "card": ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
    "ip": ["192.168.17.4", "2001:db8::8a2e:370:7334"],
    "key": [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "sk-proj-Abcdefghijklmn0pqrstuvwxyz0123456789ABCDEFG",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ],
    "id": ["msg_abc123def456ghi", "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "550e8400-e29b-41d4-a716-446655440000"],
}
NAMED = [
    *("name", "firstName", "lastName", "fullName", "customerName", "customer_name", "customer-name", "Customer Name"),
    *("contact.name", "billing_contact_name", "userID", "user-id", "uid", "userid", "ID", "customerId", "clientid"),
    *("user_no", "customerNumber", "account_nr"),
    *("email", "eMail", "emailAddress", "workEmail", "phoneNumber", "mobile", "homePhone", "billingAddress", "street"),
    *("companyName", "organisation", "owner", "sender", "safetyIdentifier"),
]
STAYS = [
    "I paid 12.50 EUR for order 4711 on 2026-11-21 at 12:30:45, see chapter 3.1.4",
    "def thread_pool_executor(max_workers=10): return snake_case_name_of_mine",
    "The password reset page is broken; my secret is safe",
    "pi is 3.141592653589793, 1_700_000_000_000_000 and run_at_1700000000000008_x are no cards, nor is 4111.1111",
    "at 00:49, order 0000049170 of 00123 pieces; ab12 is not an account and DE12 neither",
    "version 1.2.3 of https://docs.example/guide/intro has 1,234,567 downloads",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts])
@pytest.mark.parametrize("frame", ["{}", "Please note: {}, thanks.", "({})\nsecond line", '"{}"'])
def test_what_has_a_shape_is_replaced(kind: str, text: str, frame: str) -> None:
    names = Pseudonyms(KEY)
    told = Redaction(names).text(frame.format(text))

    assert text not in told
    assert not any(part in told for part in re.findall(r"[\w@]{5,}", text) if part not in {"PRIVATE", "chatcmpl"})
    assert names.counts[kind] == 1, (names.counts, told)


@pytest.mark.parametrize("text", STAYS)
def test_what_is_nobodys_stays(text: str) -> None:
    assert Redaction(Pseudonyms(KEY)).text(text) == text


@pytest.mark.parametrize(
    ("text", "kept", "hidden"),
    [
        ("see https://ann:pw1@host.example/a/b?token=abc#frag now", "@host.example/a/b?", "pw1 abc frag"),
        ("password: hunter2!x and PWD=s3cr3t-word", "password: ", "hunter2 s3cr3t"),
        ("call 030/1234567 in Berlin", "call phone-", "1234567"),
    ],
)
def test_what_is_in_front_and_behind_stays(text: str, kept: str, hidden: str) -> None:
    told = Redaction(Pseudonyms(KEY), region=checked_region("de")).text(text)

    assert kept in told
    assert not any(one in told for one in hidden.split())


def test_the_same_is_the_same_however_it_is_written() -> None:
    redaction = Redaction(Pseudonyms(KEY))

    assert redaction.text("Ann@Example.com") == redaction.text("ann@example.COM")
    assert redaction.text("+49 170 1234567") == redaction.text("+49-170-1234567")
    assert redaction.text("4111 1111 1111 1111") == redaction.text("4111-1111-1111-1111")


@pytest.mark.parametrize(
    ("kind", "same", "text", "told"),
    [
        ("iban", "DE89370400440532013000", "de89370400440532013000 and so on", "# and so on"),
        ("iban", "DE89370400440532013000", "DE89-3704-0044-0532-0130-00.", "#."),
        ("iban", "DE89370400440532013000", "De89 3704 0044 0532 0130 00 AND MORE 12 345", "# AND MORE 12 345"),
        ("iban", "GB82WEST12345698765432", "_GB82.WEST.1234.5698.7654.32_", "_#_"),
        ("card", "4111111111111111", "4111.1111.1111.1111.", "#."),
        ("card", "4111111111111111", "4111_1111_1111_1111", "#"),
        ("card", "4111111111111111", "_4111111111111111_", "_#_"),
        ("card", "378282246310005", "3782.822463.10005", "#"),
        ("phone", "+491701234567", "0049 170 1234567", "#"),
        ("phone", "+491701234567", "tel:00491701234567;", "tel:#;"),
        ("phone", "+491701234567", "(0049) 170 1234567", "#"),
        ("phone", "+491701234567", "0049-170-1234567, +49 170 1234567", "#, #"),
    ],
)
@pytest.mark.parametrize("region", [None, "DE", "US"])
def test_a_number_is_the_same_word_however_it_is_written(
    kind: str, same: str, text: str, told: str, region: str | None
) -> None:
    names = Pseudonyms(KEY)

    assert Redaction(names, region=region).text(text) == told.replace("#", names.of(kind, same))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ann.leeson", "#"),
        ("ann.leeson.pdf", "#.pdf"),
        ("Report.Mueller", "#"),
        ("WAGES.XLSX", "#.XLSX"),
        ("backup.ann.tar.gz", "#.gz"),
        (".ann", "#"),
    ],
)
def test_the_end_of_a_file_is_kept_if_it_says_what_it_is(name: str, told: str) -> None:
    names = Pseudonyms(KEY)
    body = json.loads(Redaction(names).body(json.dumps({"filename": name}).encode()))

    assert body == {"filename": told.replace("#", names.of("file", name))}


def test_a_key_decides() -> None:
    one, same, other = Pseudonyms(KEY), Pseudonyms(KEY), Pseudonyms(any_key())

    assert one.of("user", "ann") == same.of("user", "ann") != other.of("user", "ann")
    assert one.of("user", "ann") != one.of("customer", "ann").replace("customer", "user")
    assert re.fullmatch(r"thread_[a-z2-7]{16}", one.id("thread_abc"))
    assert one.id("thread_abc") != one.id("thread_abd")


def test_the_people_of_a_thread_are_found_in_its_texts_and_fields() -> None:
    people = [("user", "Ann Smith"), ("customer", "ACME"), ("id", "thread_1")]
    names = Pseudonyms(KEY)
    body = {
        "id": "thread_1",
        "metadata": {"user_id": "ann smith", "firm": "ACME", "note": "for Ann Smith of Acme"},
        "content": "Hello ann smith, ACME's order is in thread_1. Annually, smiths meet.",
    }
    told = json.loads(Redaction(names, people).body(json.dumps(body).encode()))
    user, customer, thread = names.of("user", "Ann Smith"), names.of("customer", "ACME"), names.id("thread_1")

    assert told["metadata"] == {"user_id": user, "firm": customer, "note": f"for {user} of {customer}"}
    assert told["content"] == f"Hello {user}, {customer}'s order is in {thread}. Annually, smiths meet."
    assert told["id"] == thread


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("李明伟", "我叫李明伟。", "我叫*。"),
        ("李明", "李明说", "*说"),
        ("田中太郎", "私は田中太郎です", "私は*です"),
        ("김철수", "김철수가 왔다", "*가 왔다"),
        ("김철수", "\u1100\u1175\u11b7\u110e\u1165\u11af\u1109\u116e가 왔다", "*가 왔다"),
        ("สมชาย", "ผมชื่อสมชายครับ", "ผมชื่อ*ครับ"),
        ("Ann", "我叫Ann。", "我叫*。"),
        ("Müller", "Frau Mu\u0308ller kam, MÜLLERS nicht", "Frau * kam, MÜLLERS nicht"),
        ("Mu\u0308ller", "Frau Müller kam", "Frau * kam"),
        ("Ann Leeson", "Ann\nLeeson; Ann  Leeson; Ann\u00a0Leeson; ann_leeson", "*; *; *; *"),
        ("Ann  Leeson", "Ann Leeson!", "*!"),
        ("Ann", "Ann_Leeson, Annual, Joann, ann7", "*_Leeson, Annual, Joann, ann7"),
        ("Strauß", "STRAUSS, Strauss, strauß, Straußen", "*, *, *, Straußen"),
        ("Strauss", "Herr Strauß", "Herr *"),
        ("İpek", "ipek, IPEK, İPEK und İpek", "*, *, * und *"),
        ("O'Brien-Lee", "O\u2019Brien\u2011Lee", "*"),
        ("Bo", "Bo and bo", "Bo and bo"),
        ("李", "李明", "李明"),
        ("Aİ\u0308x", "aİ\u0308X!", "*!"),
    ],
)
@pytest.mark.parametrize("kind", ["name", "user"])
def test_a_name_is_found_however_it_is_written(name: str, text: str, told: str, kind: str) -> None:
    names = Pseudonyms(KEY)

    assert Redaction(names, [(kind, name)]).text(text) == told.replace("*", names.of(kind, name))


@pytest.mark.parametrize("name", ["Bo", "Ann  Leeson", "李", "Strauß", "ann_1"])
def test_a_value_that_is_a_name_is_that_name(name: str) -> None:
    names = Pseudonyms(KEY)
    told = json.loads(Redaction(names, [("user", name)]).body(json.dumps({"said": [name, name.upper()]}).encode()))

    assert told == {"said": [names.of("user", name)] * 2}


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_name_between_spaces_never_stays(before: str, after: str) -> None:
    names = Pseudonyms(KEY)
    told = Redaction(names, [("name", "Jörg Strauß")]).text(f"{before} jörg STRAUSS {after}")

    assert "STRAUSS" not in told
    assert names.of("name", "Jörg Strauß") in told


def test_calls_of_tools_are_looked_into() -> None:
    inner = json.dumps({"email": "x", "amount": 12, "to": "ann@example.com", "order_id": "o-1"})
    told = json.loads(
        Redaction(Pseudonyms(KEY)).body(json.dumps({"type": "function_call", "arguments": inner}).encode())
    )
    arguments = json.loads(told["arguments"])

    assert told["type"] == "function_call"
    assert arguments["amount"] == 12
    assert arguments["to"].startswith("mail-")
    assert arguments["email"] != "x"
    assert arguments["order_id"] != "o-1"


@pytest.mark.parametrize("field", NAMED)
def test_a_field_that_names_somebody_is_found_however_it_is_written(field: str) -> None:
    names = Pseudonyms(KEY)
    inner = {field: "Leeson Brothers", field + "s": ["Leeson Brothers"], plain(field).upper(): "Leeson Brothers"}
    told = Redaction(names).body(json.dumps({"arguments": json.dumps(inner), "metadata": inner}).encode()).decode()

    assert "Leeson" not in told
    assert not names.counts["key"]


def test_a_name_in_parts_is_replaced_in_each_of_them() -> None:
    names = Pseudonyms(KEY)
    inner = {
        "name": {"first": "Ann", "last": ["Leeson"]},
        "billingAddress": {"city": "Berlin", "email": "x", "on": True},
    }
    told = json.loads(Redaction(names).body(json.dumps({"metadata": {"contact": inner}}).encode()))["metadata"]

    assert told["contact"]["name"] == {"first": names.of("user", "Ann"), "last": [names.of("user", "Leeson")]}
    assert told["contact"]["billingAddress"] | {"on": True} == {
        "city": names.of("user", "Berlin"),
        "email": names.of("mail", "x"),
        "on": True,
    }


@pytest.mark.parametrize(
    "field", ["tool_name", "modelName", "hotel", "valid", "fileType", "mailbox", "rename", "paid", "cell"]
)
def test_a_field_that_names_nobody_stays(field: str) -> None:
    body = json.dumps({"metadata": {field: "Some Words"}}, separators=(",", ":")).encode()

    assert Redaction(Pseudonyms(KEY)).body(body) == body


def test_an_id_of_a_user_is_the_user_whatever_the_field_is_called() -> None:
    names = Pseudonyms(KEY)
    fields = {"user": "ann-leeson", "userID": "ann-leeson", "user-id": "ann-leeson", "uid": "ann-leeson"}
    told = json.loads(Redaction(names).body(json.dumps({"metadata": fields, "content": "of ann-leeson."}).encode()))

    assert told["metadata"] == dict.fromkeys(fields, names.of("user", "ann-leeson"))
    assert told["content"] == f"of {names.of('user', 'ann-leeson')}."


def test_a_number_is_replaced_where_its_field_names_somebody() -> None:
    names = Pseudonyms(KEY)
    inner = {"phone": 4917012345678, "user_id": 4711, "customer": 4712, "orderId": 12.0, "userIds": [7, 8]}
    body = {"user": 123456789, "customer_id": 4712, "arguments": json.dumps(inner), "metadata": {"account": 99}}
    told = json.loads(Redaction(names, [("user", "99")]).body(json.dumps(body).encode()))
    arguments = json.loads(told["arguments"])

    assert told["user"] == names.of("user", "123456789")
    assert told["customer_id"] == arguments["customer"] == names.of("customer", "4712")
    assert arguments["phone"].startswith("phone-")
    assert arguments["user_id"] == names.of("user", "4711")
    assert arguments["userIds"] == [names.of("user", "7"), names.of("user", "8")]
    assert arguments["orderId"] == names.id("12")
    assert told["metadata"]["account"] == names.of("user", "99")


@pytest.mark.parametrize(
    "inner",
    [
        {"customers": 250, "accounts": 3, "amount": 4711, "quantity": 2, "account": 12.5, "created_at": 1766000000},
        {"user": True, "name": None, "token_id": 17, "prompt_token_ids": [1, 2, 3], "guests": 2, "names": 4},
        {"width": 1.5e300, "ratio": float("inf"), "phone": float("inf"), "size": -1},
    ],
)
def test_a_number_that_counts_stays(inner: dict[str, object]) -> None:
    body = json.dumps({"metadata": inner}, separators=(",", ":")).encode()

    assert Redaction(Pseudonyms(KEY)).body(body) == body


def test_numbers_of_the_api_stay() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    body = json.dumps(
        {"created": 1766000000, "index": 0, "usage": usage, "customer": 5}, separators=(",", ":")
    ).encode()

    assert Redaction(Pseudonyms(KEY)).body(body) == body


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        *(("phone", value, "+491701234567") for value in ("+49 170 1234567", "0049 170 1234567", "(+49)170/1234567")),
        *(("mobile", value, "+49-170-1234567") for value in (491701234567, "491701234567", " +49 170 1234567 ")),
        *(("email", value, "ann@example.com") for value in ("Ann@Example.com", "Ann Lee <ann@example.com>")),
        *((field, "Ann@Example.COM", "ann@example.com") for field in ("name", "owner", "username", "contact", "to")),
        ("emails", ["mailto:ann@example.com"], "ann@example.com"),
        ("ip_address", "2001:DB8::1", "2001:db8:0::1"),
        ("account_number", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("account", "de89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("account", 4111111111111111, "4111 1111 1111 1111"),
    ],
)
def test_what_a_field_says_is_the_same_word_in_a_text(field: str, value: object, text: str) -> None:
    body = json.dumps({"metadata": {field: value}, "content": text}).encode()
    told = json.loads(Redaction(Pseudonyms(KEY)).body(body))

    assert told["metadata"][field] in (told["content"], [told["content"]])
    assert re.fullmatch("(mail|phone|ip|iban|card)-[a-z2-7]{16}", told["content"])


@pytest.mark.parametrize("value", ["0170 1234567", "0170/1234567", "+49 170 1234567", 1701234567])
def test_a_telephone_of_the_region_is_the_same_word(value: object) -> None:
    names = Pseudonyms(KEY)
    told = Redaction(names, region="DE").body(json.dumps({"metadata": {"tel": value}}).encode())

    assert json.loads(told)["metadata"]["tel"] == names.of("phone", "+491701234567")


def test_a_telephone_of_no_country_is_its_digits() -> None:
    names = Pseudonyms(KEY)
    told = [names.of("phone", "01701234567"), names.of("phone", "at work")]
    body = json.dumps({"metadata": {"phones": ["0170 1234567", "at work"]}}).encode()

    assert json.loads(Redaction(names).body(body))["metadata"]["phones"] == told


def test_an_address_that_is_the_user_is_the_user_everywhere() -> None:
    names = Pseudonyms(KEY)
    people = [("user", "Ann@Example.com")]
    body = {"user": "ann@example.com", "metadata": {"email": "ANN@example.com"}, "content": "to <ann@example.com>"}
    told = json.loads(Redaction(names, people).body(json.dumps(body).encode()))
    user = names.of("user", "Ann@Example.com")

    assert told == {"user": user, "metadata": {"email": user}, "content": f"to <{user}>"}
    assert json.loads(Redaction(names).body(b'{"user":"Ann@Example.com"}')) == {"user": user}


def test_what_one_record_is_says_nothing_of_the_next() -> None:
    redaction, receipt = Redaction(Pseudonyms(KEY)), {"profile": "corp", "reference": "on paper"}
    hidden = redaction.value(receipt, ours=True)

    assert not set(receipt.values()) & set(hidden.values())
    assert redaction.value(receipt) == receipt


PERSON = '{"name":"Ann Leeson","n":1}'


@pytest.mark.parametrize(
    "text",
    [
        f" {PERSON}",
        f"\n\t{PERSON}\n",
        f"[{PERSON}]",
        json.dumps(PERSON),
        json.dumps(json.dumps([PERSON])),
        json.dumps({"payload": PERSON, "list": json.dumps([PERSON])}),
        f"{PERSON}\n{PERSON}\n",
        f"{PERSON}\r\n\r\n{PERSON}",
        f"Found:\n{PERSON}\nand that is all",
        f"result={PERSON}; done",
        f"```json\n{json.dumps(json.loads(PERSON), indent=2)}\n```",
        f'{{"cut": [{PERSON}, ',
        '{"name":"Ann Leeson","name":7}',
    ],
)
@pytest.mark.parametrize("field", ["arguments", "output", "metadata"])
def test_json_is_found_in_a_text(text: str, field: str) -> None:
    names = Pseudonyms(KEY)
    told = Redaction(names).body(json.dumps({field: text}).encode()).decode()

    assert not re.search("Ann|Leeson", told)
    assert names.counts["user"]


@pytest.mark.parametrize(
    "text",
    [
        "[1] Smith, 1999, [ 2, 3 ] and {braces}\n[x] done\n{ }",
        '{ "amount":  12.50,\n  "to": [1,  2] }',
        '"[1,  2]"',
        '"{quoted"',
        '"a"',
        '{"open": [' * 300,
    ],
)
def test_json_without_anybody_stays_as_it_was_written(text: str) -> None:
    body = json.dumps({"arguments": text}, separators=(",", ":")).encode()

    assert Redaction(Pseudonyms(KEY)).body(body) == body


def test_a_member_that_is_there_twice_does_not_hide_the_first() -> None:
    told = Redaction(Pseudonyms(KEY)).body(json.dumps({"output": '{"to":"ann@example.com","to":"x"}'}).encode())

    assert b"ann@" not in told


def test_what_a_server_answered_is_looked_into() -> None:
    body = json.dumps({"upstream": {"answer": PERSON, "status": 200}}).encode()
    told = Redaction(Pseudonyms(KEY)).body(body, ours=True)

    assert b"Leeson" not in told
    assert b'"status":200' in told


@given(JSON)
def test_any_json_stays_json_and_of_the_same_shape(value: Any) -> None:
    told = json.loads(Redaction(Pseudonyms(KEY)).body(json.dumps(value).encode()))

    assert type(told) is type(value) or isinstance(told, str)  # a number of somebody
    assert not isinstance(value, list) or len(told) == len(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("_ann@example.com_", "_#_"),
        ("**Ann@Example.com**", "**#**"),
        ("-ann@example.com-", "-#-"),
        ("ann@example.com_x", "#_x"),
        ("“ann@example.com”", "“#”"),
        ("x='ann@example.com'", "x='#'"),
        ("user_email=ann@example.com, from=ann@example.com", "user_email=#, from=#"),
        ("https://crm.example/contact/ann%40example.com/x", "https://crm.example/contact/#/x"),
        ("ann&#64;example.com ann\uff20example.com", "# #"),
        (r'{"to":"ann\u0040example.com","na', '{"to":"#","na'),
        ("邮箱ann@example.com。", "邮箱#。"),
        ("邮箱ann@example.com请回复", "邮箱#请回复"),
    ],
)
def test_a_mail_address_is_the_same_word_within_whatever_it_stands(text: str, told: str) -> None:
    names = Pseudonyms(KEY)

    assert Redaction(names).text(text) == told.replace("#", names.of("mail", "ann@example.com"))


@pytest.mark.parametrize(
    "address",
    [
        *("o'brien@example.com", "o\u2019brien@example.com", "ann=bounce@example.com", '"ann lee"@example.com'),
        *("bounce+ann=example.com@list.example", "ann@xn--80a1acny.xn--p1ai", "ann@почта.рф", "用户@例子.广告"),
        *("ann@mail.example.co.uk", "ann.lee@sub_domain.example.com", "ann@[192.168.1.5]", "ann%2bx%40example.com"),
    ],
)
@pytest.mark.parametrize("frame", ["{}", "to {}, please", "<{}>", "({})."])
def test_all_of_a_mail_address_is_replaced(address: str, frame: str) -> None:
    told = Redaction(Pseudonyms(KEY)).text(frame.format(address))

    assert re.fullmatch(re.escape(frame).replace(r"\{\}", "mail-[a-z2-7]{16}"), told)


@pytest.mark.parametrize("text", ["10@2.50 EUR", "@app.route", "ssh root@localhost", "50%40 of it", "a @ b.com"])
def test_what_is_no_mail_address_stays(text: str) -> None:
    assert Redaction(Pseudonyms(KEY)).text(text) == text


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_mail_address_never_stays(before: str, after: str) -> None:
    told = Redaction(Pseudonyms(KEY)).text(f"{before} someone.special@example.org {after}")

    assert "someone.special@example.org" not in told


@given(st.binary(max_size=200))
def test_what_is_no_json_is_left_out(body: bytes) -> None:
    json.loads(Redaction(Pseudonyms(KEY)).body(body))


def test_what_is_nested_too_deep_is_left_out() -> None:
    assert Redaction(Pseudonyms(KEY)).body(b"[" * 100_000 + b"]" * 100_000) == b"null"


@pytest.mark.parametrize("depth", [150, 250, 900])
@pytest.mark.parametrize("inner", [b"7", b'"a word"'])
def test_nesting_is_replaced_or_left_out_as_a_whole(depth: int, inner: bytes) -> None:
    names = Pseudonyms(KEY)
    body = b'{"id":"msg_1","content":%b%b%b}' % (b"[" * depth, inner, b"]" * depth)
    objects = b'{"a":' * depth + inner + b"}" * depth

    for one in (body, objects):
        told = json.loads(Redaction(names).body(one))
        assert (told is None) == (depth > 200)
    assert names.counts["unreadable"] == (2 if depth > 200 else 0)


@pytest.mark.parametrize("depth", [150, 250])
def test_what_is_nested_too_deep_in_a_call_takes_the_call_with_it(depth: int) -> None:
    arguments = "[" * depth + "]" * depth
    told = json.loads(Redaction(Pseudonyms(KEY)).body(json.dumps({"arguments": arguments}).encode()))

    assert told == ({"arguments": arguments} if depth < 200 else None)


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("data:image/png;base64,iVBORw0KGgo=", "[34 characters of data]"),
        ("DATA:text/plain,Ann%20Smith", "[27 characters of data]"),
        ("Ab3dEf6hIj9kLm2n" * 20, "[320 characters of data]"),
        ("a" * 300, "a" * 300),
    ],
)
def test_what_nobody_reads_is_left_out(text: str, stays: str) -> None:
    names = Pseudonyms(KEY)

    assert json.loads(Redaction(names).body(json.dumps({"content": text}).encode())) == {"content": stays}
    assert names.counts["data"] == (text != stays)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(4111111111111111, "card"), (378282246310005, "card"), (4111111111111112, ""), (12, ""), (True, ""), (1.5, "")],
)
def test_a_number_that_could_be_a_card_is_replaced(value: float, kind: str) -> None:
    told = json.loads(Redaction(Pseudonyms(KEY)).body(json.dumps({"metadata": {"n": value}}).encode()))["metadata"]["n"]

    assert str(told).startswith("card-") if kind else told == value


def test_what_begins_in_one_secret_and_ends_behind_it_leaves_nothing_of_either() -> None:
    names = Pseudonyms(KEY)
    told = Redaction(names, [("user", "Ann Smith"), ("customer", "Smith Brothers")]).text(
        "for Ann Smith Brothers, soon"
    )

    assert told == f"for {names.of('user', 'Ann Smith')}, soon"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("see http://[half/ann now", "half ann"),  # an address that no program takes
        ("see https://[::1/?key=ann now", "ann"),
        ("at 300.300.300.300 or 999.1.1.1", ""),  # no address of a network
        ("at 1:2:3:4:5:6:7:8:9", ""),
        ("DE00 3704 0044 0532 0130 00", ""),  # check digits are wrong
    ],
)
def test_what_only_looks_like_an_address(text: str, hidden: str) -> None:
    names = Pseudonyms(KEY)
    told = Redaction(names).text(text)

    assert not any(word in told for word in hidden.split())
    assert told.endswith("now") == text.endswith("now")
    assert not names.counts["ip"]
    assert not names.counts["iban"]


def test_our_own_name_of_a_list_says_of_what_it_is() -> None:
    names = Pseudonyms(KEY)
    told = json.loads(Redaction(names).body(b'{"list":"items:agent_7","kind":"message"}'))

    assert told == {"list": f"items:{names.id('agent_7')}", "kind": "message"}


@pytest.mark.parametrize("arguments", ["{no json", "[Ann]", '{"a":'])
def test_arguments_that_are_no_json_are_a_text(arguments: str) -> None:
    names = Pseudonyms(KEY)
    body = json.dumps({"type": "function_call", "arguments": f"{arguments} ann@example.com"})
    told = json.loads(Redaction(names).body(body.encode()))["arguments"]

    assert told == f"{arguments} {names.of('mail', 'ann@example.com')}"


def test_an_id_of_nothing_stays_nothing() -> None:
    names = Pseudonyms(KEY)

    assert (names.id(""), names.counts["id"]) == ("", 0)
    assert names.id("!?").startswith("id_")


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_key_that_is_empty_where_it_lies_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(text, encoding="utf-8")
    (tmp_path / "key").chmod(0o600)

    with pytest.raises(CredentialsRefused, match=rf"{VARIABLE}.*is empty"):
        key_of({f"{VARIABLE}_FILE": str(tmp_path / "key")})
    if text:
        with pytest.raises(CredentialsRefused, match=rf"{VARIABLE}.*is empty"):
            key_of({VARIABLE: text})


@pytest.mark.parametrize("name", ["phonenumbers", "stdnum.luhn", "stdnum.iban", "detect_secrets.plugins"])
def test_what_is_to_be_installed_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    for cached in (_extra.needed, _patterns._keys):
        cached.cache_clear()
    try:
        with pytest.raises(UsageError, match="extra `sharing`: pip install"):
            Redaction(Pseudonyms(KEY)).text("call 030/1234567 in Berlin")
    finally:
        for cached in (_extra.needed, _patterns._keys):
            cached.cache_clear()


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 16 characters"):
        key_of({VARIABLE: "short"})
    with pytest.raises(CredentialsRefused, match=rf"{VARIABLE}.*not a text"):
        key_of({VARIABLE: "a passphr\udce4se that is not UTF-8"})
    assert key_of({}) is None
    with pytest.raises(UsageError, match="no country"):
        checked_region("XX")
