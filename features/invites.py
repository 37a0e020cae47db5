"""Invites: a colleague is asked to join a conversation, or to take it over.

    GET    /chats/{id}/invite             the panel: colleagues and queues; POST sends, DELETE withdraws
    GET    /reservations/{id}/transfer    the same for a chat that the agent is being asked for; POST sends

Who invites stays or leaves; a transfer is an invitation and leaving at once. The note is for colleagues alone.
"""

from typing import Any

from features import invitations, routing

# ---- verbs -----------------------------------------------------------------------------------------------


async def invite(
    by: int, chat_id: int, *, agent: int | None = None, queue: int | None = None, note: str = ""
) -> str:
    """ "", or why not, as a code."""
    async with routing.acting() as desk:
        chat, inviter = desk.chats.get(chat_id), desk.agents.get(by)
        if chat is None or inviter is None:
            return "not_in"
        return invitations.invite(desk, chat, inviter, agent, queue, note)


async def transfer(
    by: int, chat_id: int, *, agent: int | None = None, queue: int | None = None, note: str = ""
) -> str:
    """ "", or why not, as a code."""
    async with routing.acting() as desk:
        chat, inviter = desk.chats.get(chat_id), desk.agents.get(by)
        if chat is None or inviter is None:
            return "not_in"
        return invitations.transfer(desk, chat, inviter, agent, queue, note)


async def pass_on(
    reservation_id: int, by: int, *, agent: int | None = None, queue: int | None = None, note: str = ""
) -> str:
    """What an agent is being asked for goes elsewhere, with its ticket. "", or why not, as a code."""
    async with routing.acting() as desk:
        request = desk.request(reservation_id, by)
        return invitations.pass_on(desk, request, agent, queue, note) if request else "too_late"


async def withdraw(by: int, chat_id: int) -> bool:
    """False: there is none that is open, or the agent is not in this chat."""
    async with routing.acting() as desk:
        chat, agent = desk.chats.get(chat_id), desk.agents.get(by)
        return bool(chat and agent and invitations.withdraw(desk, chat, agent))


routes: list[Any] = []
