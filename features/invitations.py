"""Invitations, transfers, and what a supervisor does with a chat: the rules on the desk as it is, besides
those that `matching` needs itself.

Pure, as `matching` is. Each says "" or, as a code, why not; `invites` has the words.
"""

from features.matching import INVITE_S, Desk
from features.pieces import Agent, Chat, Invite, Refusal, Reservation


def invite(desk: Desk, chat: Chat, by: Agent, agent: int | None, queue: int | None, note: str) -> str:
    """This agent, who may be full, or whoever of the queue comes first. One at a time."""
    if chat.invite:
        return "one_open"
    if by.id not in chat.agents:
        return "not_in"
    if agent is not None:
        return problem_with_agent(desk, chat, agent) or invite_agent(desk, chat, by, agent, note)
    if problem := problem_with_queue(desk, queue):
        return problem
    expires_at = desk.after(INVITE_S)
    chat.invite = Invite(chat.id, by.id, None, queue, note, desk.now, expires_at)
    if not any(True for _ in desk.candidates(chat)):
        chat.invite = None
        return "empty"
    desk.invites.append(chat.invite)
    desk.note("invited", chat, by, queue=queue)
    return ""


def invite_agent(desk: Desk, chat: Chat, by: Agent, agent_id: int, note: str) -> str:
    agent = desk.agents[agent_id]
    expires_at = desk.after(desk.queues[chat.queue].answer_s)
    chat.invite = Invite(chat.id, by.id, agent_id, None, note, desk.now, expires_at)
    desk.invites.append(chat.invite)
    desk.note("invited", chat, by, invited=agent_id)
    desk.note("asked", chat, agent, invited_by=by.id, taken=desk.taken()[agent_id], places=agent.places)
    desk.ask(chat, agent, chat.queue, "direct")
    return ""


def problem_with_agent(desk: Desk, chat: Chat, agent_id: int) -> str:
    agent = desk.agents.get(agent_id)
    if agent is None or not (agent.ready and desk.is_here(agent)):
        return "absent"
    if agent_id in chat.agents:
        return "present"
    if any(request.agent == agent_id for request in desk.open_requests()):
        return "asked"
    return ""


def problem_with_queue(desk: Desk, queue_id: int | None) -> str:
    queue = desk.queues.get(queue_id or 0)
    return "" if queue and queue.open else "closed"


def withdraw(desk: Desk, chat: Chat, by: Agent) -> bool:
    """Whoever is in the chat may; nobody has refused anything."""
    if by.id not in chat.agents or chat.invite is None:
        return False
    call_off(desk, chat)
    return True


def call_off(desk: Desk, chat: Chat) -> None:
    """Nobody is being asked for it any more."""
    desk.settle_invite(chat, "withdrawn", "")
    if chat.reservation:
        desk.close(chat.reservation, "withdrawn")


def leave(desk: Desk, chat: Chat, agent: Agent, requeue: bool) -> bool:
    """A colleague is in, or invited, or it goes back to the queue: there, others are asked before whoever
    left."""
    if agent.id not in chat.agents or not (len(chat.agents) > 1 or chat.invite or requeue):
        return False
    if len(chat.agents) == 1:
        chat.refused[agent.id] = Refusal("left", desk.now)
    desk.part(chat, agent, "left")
    return True


def transfer(desk: Desk, chat: Chat, by: Agent, agent: int | None, queue: int | None, note: str) -> str:
    """Invite, and leave at once."""
    if problem := invite(desk, chat, by, agent, queue, note):
        return problem
    desk.note("transferred", chat, by, to=whereto(desk, agent), queue=queue)
    leave(desk, chat, by, requeue=False)
    return ""


def pass_on(desk: Desk, request: Reservation, agent: int | None, queue: int | None, note: str) -> str:
    """A waiting chat that somebody is being asked for goes to another queue or to a colleague, with its
    ticket. Whoever passed it on is asked last for it."""
    chat, by = desk.chats[request.chat], desk.agents[request.agent]
    if request.kind != "chat":
        return "one_open"
    if agent is not None:
        problem = problem_with_agent(desk, chat, agent)
    else:
        problem = problem_with_queue(desk, queue) or ("" if may_come(desk, by, queue) else "empty")
    if problem:
        return problem
    desk.close(request, "passed_on")
    chat.refused[by.id] = Refusal("passed_on", desk.now)
    desk.note("transferred", chat, by, to=whereto(desk, agent), queue=queue)
    if agent is not None:
        return invite_agent(desk, chat, by, agent, note)
    if queue is not None and queue != chat.queue:
        desk.note("moved", chat, None, queue=queue, before=chat.queue)
        chat.queue = queue
    return ""


def may_come(desk: Desk, by: Agent, queue: int | None) -> bool:
    others = (agent for agent in desk.agents.values() if agent is not by)
    return any(desk.serves(agent, queue or 0) for agent in others)


def whereto(desk: Desk, agent: int | None) -> str:
    """By name, if it is a person."""
    return "" if agent is None else desk.agents[agent].name


# ---- from outside the conversation -----------------------------------------------------------------------


def those_in(chat: Chat) -> str:
    """Who is in it, for a page to send back: what was decided about others is decided anew."""
    return "-".join(map(str, sorted(chat.agents)))


def take_over(desk: Desk, chat: Chat, agent: Agent, seen: str) -> str:
    """Of whoever is in it, or of nobody. It takes a place, whether or not there is one."""
    if agent.profile is None:
        return "off_duty"
    if those_in(chat) != seen:
        return "changed"
    others = [desk.agents[other] for other in chat.agents if other != agent.id]
    if agent.id in chat.agents and not others:
        return "yours"
    call_off(desk, chat)
    if agent.id in chat.agents:
        desk.note("taken_over", chat, agent)
    else:
        desk.sit_down(chat, agent, None, "taken_over" if others else "joined")
    for other in others:
        desk.part(chat, other, "taken_over")
    return ""


def move(
    desk: Desk, chat: Chat, by: Agent, seen: str, agent: int | None, queue: int | None, note: str
) -> str:
    """To a colleague as a transfer is; to a queue with its ticket, to the head of it once it has begun."""
    if those_in(chat) != seen:
        return "changed"
    if agent is not None:
        if problem := problem_with_agent(desk, chat, agent):
            return problem
        call_off(desk, chat)
        desk.note("transferred", chat, by, to=whereto(desk, agent), queue=None)
        invite_agent(desk, chat, by, agent, note)
        for one in [desk.agents[each] for each in chat.agents]:
            desk.part(chat, one, "moved")
        return ""
    if problem := problem_with_queue(desk, queue) or ("" if others_serve(desk, chat, queue) else "empty"):
        return problem
    if chat.state == "waiting" and queue == chat.queue:
        return "there"
    call_off(desk, chat)
    desk.note("transferred", chat, by, to="", queue=queue)
    to_queue(desk, chat, queue or 0)
    return ""


def others_serve(desk: Desk, chat: Chat, queue: int | None) -> bool:
    return any(desk.serves(a, queue or 0) for a in desk.agents.values() if a.id not in chat.agents)


def to_queue(desk: Desk, chat: Chat, queue: int) -> None:
    """Whoever was in it is asked last."""
    for agent in [desk.agents[each] for each in chat.agents]:
        desk.leave_seat(chat.agents.pop(agent.id), "moved")
        desk.note("left", chat, agent, how="moved", others=sorted(chat.agents))
        chat.refused[agent.id] = Refusal("left", desk.now)
    desk.note("moved", chat, None, queue=queue, before=chat.queue)
    chat.queue = queue
    if chat.state == "active":
        chat.state, chat.returned = "waiting", True
