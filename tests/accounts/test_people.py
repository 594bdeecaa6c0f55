"""Operators give people e-mail addresses, roles and passwords; on both databases."""

import pytest

from gen_video.accounts.errors import EmailTakenError, NoEmailError, WrongSignInError
from gen_video.accounts.models import Role
from gen_video.accounts.people import PeopleService
from gen_video.accounts.service import AccountService
from gen_video.accounts.sign_ins import Browser, SignInService
from gen_video.db.database import Database

BROWSER = Browser(address="192.0.2.7", user_agent="Firefox")
PASSWORD = "correct horse battery"


@pytest.fixture
def people(database: Database, accounts: AccountService) -> PeopleService:
    return PeopleService(database, accounts)


@pytest.fixture
def sign_ins(database: Database, accounts: AccountService) -> SignInService:
    return SignInService(database, accounts, pepper=b"p", is_development=False)


def test_a_new_person_signs_in(people: PeopleService, sign_ins: SignInService) -> None:
    made = people.create("ann", plan_id="free", email="Ann@Example.com", role=Role.ADMIN)
    people.set_password("ann", PASSWORD)

    found = sign_ins.find(sign_ins.sign_in("ann@example.com", PASSWORD, browser=BROWSER))

    assert (made.email, made.role) == ("ann@example.com", Role.ADMIN)
    assert found is not None
    assert (found.caller.account_id, found.role) == (made.id, Role.ADMIN)
    assert found.caller.plan.id == "free"


def test_two_sessions_share_the_key_of_browsers(
    people: PeopleService, sign_ins: SignInService
) -> None:
    people.create("ann", plan_id="free", email="ann@example.com")
    people.set_password("ann", PASSWORD)

    found = [
        sign_ins.find(sign_ins.sign_in("ann@example.com", PASSWORD, browser=BROWSER))
        for _ in range(2)
    ]

    assert len({one.caller.key_id for one in found if one}) == 1
    assert len({one.session.id for one in found if one}) == 2


def test_a_new_password_ends_every_session(people: PeopleService, sign_ins: SignInService) -> None:
    people.create("ann", plan_id="free", email="ann@example.com")
    people.set_password("ann", PASSWORD)
    token = sign_ins.sign_in("ann@example.com", PASSWORD, browser=BROWSER)

    people.set_password("ann", "another good password")

    assert sign_ins.find(token) is None
    with pytest.raises(WrongSignInError):
        sign_ins.sign_in("ann@example.com", PASSWORD, browser=BROWSER)


def test_an_address_belongs_to_one(people: PeopleService, accounts: AccountService) -> None:
    people.create("ann", plan_id="free", email="ann@example.com")

    with pytest.raises(EmailTakenError):
        people.create("bob", plan_id="free", email="ANN@example.com")

    assert "bob" not in {row.name for row in accounts.list_accounts()}
    assert people.set_email("ann", "ann@example.com").email == "ann@example.com"


def test_no_password_without_an_address(people: PeopleService) -> None:
    people.create("ann", plan_id="free")

    with pytest.raises(NoEmailError):
        people.set_password("ann", PASSWORD)


def test_a_role_can_be_taken_back(people: PeopleService) -> None:
    people.create("ann", plan_id="free", role=Role.ADMIN)

    assert people.set_role("ann", Role.MEMBER).role is Role.MEMBER
