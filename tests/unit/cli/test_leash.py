import signal

from cuckoo.cli import leash


def test_leash__input_closes__asks_first_and_forces_after_a_while(monkeypatch):
    reads, done = [b"typed", b""], []
    monkeypatch.setattr(leash.os, "read", lambda _, __: reads.pop(0))
    monkeypatch.setattr(leash.sys, "stdin", type("Input", (), {"fileno": lambda self: 0})())
    monkeypatch.setattr(leash.os, "kill", lambda _, number: done.append(number))
    monkeypatch.setattr(leash.time, "sleep", done.append)
    monkeypatch.setattr(leash.os, "killpg", lambda _, number: done.append(number))
    leash._watch()
    assert reads == []
    assert done == [signal.SIGTERM, leash.FORCE_AFTER_S, signal.SIGKILL]
